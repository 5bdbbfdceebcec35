"""How much rows and classes count when fitting.

Rows count by a column of weights, handed to the last step. Wherever scikit-learn would let a part
of it train without them and say so in a warning at most, the run is refused instead. Transformers
before it see the rows unweighted, and so do the metrics.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from tidemill_runner import names
from tidemill_runner.failures import Failure
from tidemill_runner.train_input import Training

Params = Mapping[str, Any]
_SHARE_OUT = ("StackingClassifier", "StackingRegressor", "VotingClassifier", "VotingRegressor")
_CLASS_WEIGHT = "class_weight"


def check(pipeline: Pipeline, training: Training) -> None:
    """Raise Failure for weights that would not count, before any data is read."""
    _check_class_weights(pipeline)
    last = pipeline.steps[-1][1]
    if training.weights is None:
        return
    for part in (last, *_parts(last)):
        shares = type(part).__name__ in _SHARE_OUT
        if not shares and not has_fit_parameter(part, "sample_weight"):
            name, whole = type(part).__name__, type(last).__name__
            who = name if part is last else f"{name} in {whole}"
            raise Failure(
                "WeightsInvalid",
                f"spec.weights: {who} takes no weights of rows: take spec.weights out, or use an "
                "estimator that does",
            )


def params(pipeline: Pipeline, weights: NDArray[np.float64] | None) -> dict[str, Any]:
    """What the pipeline's fit is given beside features and target; weights of shape (rows,)."""
    if weights is None:
        return {}
    if not weights.any():
        raise Failure(
            "WeightsInvalid",
            "spec.weights.column: all rows that spec.split leaves to train on weigh 0: choose "
            "another column or split",
        )
    return {f"{pipeline.steps[-1][0]}__sample_weight": weights}


def set_class_weights(pipeline: Pipeline, target: NDArray[Any]) -> None:
    """Classes that a spec names are texts, as keys of JSON are: put the labels themselves."""
    name, last = pipeline.steps[-1]
    given = last.get_params(deep=False).get(_CLASS_WEIGHT)
    if not isinstance(given, Mapping):
        return
    labels = {_spelt(label): label for label in np.unique(target).tolist()}
    for key in given:
        if key not in labels:
            raise Failure(
                "ParameterInvalid",
                f"spec.estimator.sklearn.steps ({name}): class_weight names {key!r}, which is no "
                f"class in the rows trained on{names.suggestion(key, labels)}",
            )
    last.set_params(class_weight={labels[key]: weight for key, weight in given.items()})


def _spelt(label: object) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)


def _check_class_weights(pipeline: Pipeline) -> None:
    own = f"{pipeline.steps[-1][0]}__{_CLASS_WEIGHT}"
    for name, value in pipeline.get_params(deep=True).items():
        if name.endswith(_CLASS_WEIGHT) and isinstance(value, Mapping) and name != own:
            # Ensembles number the classes for their members, who would take one for another.
            raise Failure(
                "ParameterInvalid",
                f"spec.estimator.sklearn.steps: {name.replace('__', '.')} names classes, which "
                "only the last step itself can: use balanced there",
            )


def _parts(estimator: BaseEstimator) -> Iterator[BaseEstimator]:
    for value in estimator.get_params(deep=False).values():
        found = [one[1] for one in value if isinstance(one, tuple)] if _listed(value) else [value]
        for one in found:
            if isinstance(one, BaseEstimator):
                yield one
                yield from _parts(one)


def _listed(value: object) -> bool:
    return isinstance(value, list)
