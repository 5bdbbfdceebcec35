"""What of a pipeline pods can fit together, and the steps before the last one.

These are fitted once, on all rows, by the first pod; each pod then transforms its own rows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from tidemill_runner import boosting
from tidemill_runner.failures import Failure
from tidemill_runner.fit import name_of

STEPS = "spec.estimator.sklearn.steps"
# What these make of the rows they are fitted on is something else than what they make of the same
# rows later: alone, each pod would learn from other numbers than one pod would.
OTHERWISE = (
    *("CCA", "DictionaryLearning", "IterativeImputer", "LocallyLinearEmbedding"),
    *("MiniBatchDictionaryLearning", "MiniBatchNMF", "NMF", "PLSCanonical", "PLSRegression"),
    "TargetEncoder",
)
# Of XGBoost's ways to grow a tree, those in which pods can add up what they have found.
METHODS = (None, "auto", "hist", "approx")


def check(pipeline: Pipeline) -> None:
    """Raise Failure for what no several pods can fit, before any data is read."""
    last = pipeline[-1]
    if not boosting.is_one(type(last)):
        raise Failure(
            "EstimatorRefused",
            f"spec.distributed: {name_of(pipeline)} is fitted by one pod: only estimators of "
            "xgboost and lightgbm are by several; leave distributed out, or add a search",
        )
    method = getattr(last, "tree_method", None)
    if method not in METHODS:
        raise Failure(
            "ParameterInvalid",
            f"{STEPS} ({pipeline.steps[-1][0]}): params.tree_method: {method!r} wants all rows in "
            "one pod: with spec.distributed there are hist and approx",
        )
    for name, step in pipeline.steps[:-1]:
        parts = step.get_params(deep=True).values() if isinstance(step, BaseEstimator) else ()
        for part in (step, *parts):
            if type(part).__name__ in OTHERWISE:
                raise Failure(
                    "EstimatorRefused",
                    f"{STEPS} ({name}): {type(part).__name__} gives the rows it is fitted on other "
                    "values than later ones, so that several pods cannot share its work: take "
                    "another transformer, or leave spec.distributed out",
                )


def before(pipeline: Pipeline) -> Pipeline | None:
    """The steps before the last one, those of the pipeline itself; None where there are none."""
    return Pipeline(pipeline.steps[:-1]) if len(pipeline.steps) > 1 else None


def prepared(steps: Pipeline | None, rows: NDArray[Any]) -> Any:  # noqa: ANN401
    """Rows as the last step takes them: a matrix of floats, dense or by rows."""
    made = rows if steps is None else steps.transform(rows)
    if sparse.issparse(made):
        return sparse.csr_matrix(made)
    return np.ascontiguousarray(made, dtype=None if _is_float(made) else np.float64)


def _is_float(made: object) -> bool:
    return isinstance(made, np.ndarray) and made.dtype.kind == "f"
