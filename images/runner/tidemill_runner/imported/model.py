"""An imported model as the rest of a run knows models: a fitted pipeline.

A skops file is one already. The trees of XGBoost and LightGBM are asked as the server will ask
them, behind scikit-learn's names.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

from tidemill.store import trusted
from tidemill.store.errors import PackageError
from tidemill.store.structure import BrokenModel, check_structure
from tidemill.store.trees import Boosted
from tidemill_runner.failures import Failure
from tidemill_runner.imported import graph, tree_files
from tidemill_runner.imported.kinds import ONNX, SKOPS, ModelFile, unloadable
from tidemill_runner.user_code.kept_onnx import KeptOnnx

STEP = "model"


class _Trees(BaseEstimator):  # type: ignore[misc]
    """Trees that were fitted elsewhere."""

    def __init__(self, trees: Boosted, width: int) -> None:
        self.trees = trees
        self.width = width

    @property
    def library(self) -> str:
        """The library that wrote them."""
        return self.trees.library

    @property
    def n_features_in_(self) -> int:
        return self.width

    # As the libraries' own estimators name what is written to a file.
    @property
    def booster_(self) -> Any:  # noqa: ANN401
        return self.trees.booster

    def get_booster(self) -> Any:  # noqa: ANN401
        return self.trees.booster

    def fit(self, *_: object, **__: object) -> "_Trees":
        raise Failure("EstimatorRefused", "an imported model is not fitted")

    def predict(self, rows: Any) -> NDArray[Any]:  # noqa: ANN401
        return self.trees.predict(rows)

    def __sklearn_is_fitted__(self) -> bool:
        return True


class ImportedClassifier(ClassifierMixin, _Trees):  # type: ignore[misc]
    """Trees that tell classes."""

    @property
    def classes_(self) -> NDArray[Any] | None:
        return self.trees.classes

    def predict_proba(self, rows: Any) -> NDArray[Any]:  # noqa: ANN401
        return self.trees.predict_proba(rows)


class ImportedRegressor(RegressorMixin, _Trees):  # type: ignore[misc]
    """Trees that tell a number."""


def load(file: ModelFile, task: str) -> Pipeline:
    """Load; raises Failure. The file may be hostile: a child does it first."""
    if file.kind == ONNX:
        return graph.load(file, task)
    return _sklearn(file, task) if file.kind == SKOPS else _trees(file, task)


def relabelled(pipeline: Pipeline, labels: Sequence[Any]) -> Pipeline:
    """The same trees, whose classes have these labels, in their order."""
    last: ImportedClassifier = pipeline.steps[-1][1]
    texts = any(isinstance(label, str) for label in labels)
    named = replace(last.trees, classes=np.array(list(labels), dtype=object if texts else None))
    return Pipeline([(STEP, ImportedClassifier(named, last.width))])


def has_trees(pipeline: Pipeline) -> bool:
    return isinstance(pipeline.steps[-1][1], _Trees)


def _trees(file: ModelFile, task: str) -> Pipeline:
    try:
        facts, booster = tree_files.read(file.path, file.kind)
    except ImportError as error:
        raise Failure(
            "EstimatorRefused",
            f"{file.called}: the runner's image has no {error.name}: the run needs an installation "
            "with the image runner-boosting",
        ) from None
    except (ValueError, KeyError, TypeError, RuntimeError, OSError) as error:
        raise unloadable(file.called, error) from None
    facts.check(task, file.called)
    classes = np.arange(max(facts.classes, 2)) if task == "Classification" else None
    made = ImportedRegressor if classes is None else ImportedClassifier
    return Pipeline([(STEP, made(Boosted(facts.library, booster, classes), facts.width))])


def _sklearn(file: ModelFile, task: str) -> Pipeline:
    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        try:
            loaded: Any = trusted.load(file.path)
            check_structure(loaded)
        except InconsistentVersionWarning as warning:
            raise Failure(
                "ModelUnloadable",
                f"{file.called} was made with scikit-learn {warning.original_sklearn_version}, the "
                f"runner has {warning.current_sklearn_version}: it may load and answer otherwise, "
                "so save it again with this release",
            ) from None
        except (trusted.ModelRefused, PackageError, BrokenModel) as error:
            raise unloadable(file.called, error) from None
    if not isinstance(loaded, BaseEstimator) or not hasattr(loaded, "predict"):
        raise Failure(
            "EstimatorRefused",
            f"{file.called} holds a {type(loaded).__name__}, which predicts nothing: import a "
            "fitted estimator or Pipeline of scikit-learn's",
        )
    if hasattr(loaded, "classes_") != (task == "Classification"):
        does = "tells classes" if hasattr(loaded, "classes_") else "tells numbers"
        raise Failure("EstimatorRefused", f"{file.called} {does}, and spec.task is {task}")
    return loaded if isinstance(loaded, Pipeline) else Pipeline([(STEP, loaded)])


def named_features(pipeline: Pipeline, file: ModelFile) -> tuple[str, ...] | None:
    """The names of the features that the model was fitted on, where it knows them."""
    last = pipeline.steps[-1][1]
    if isinstance(last, KeptOnnx):
        return graph.features(last) or file.features
    if has_trees(pipeline):
        return tree_files.features(last.booster_, last.library) or file.features
    for part in (pipeline, pipeline.steps[0][1]):
        names = getattr(part, "feature_names_in_", None)
        if names is not None:
            return tuple(map(str, names))
    return file.features


def width(pipeline: Pipeline) -> int | None:
    """How many features it was fitted on, where it knows."""
    try:
        found = getattr(pipeline, "n_features_in_", None)
    except AttributeError:
        return None
    return None if found is None else int(found)
