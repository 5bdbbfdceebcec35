"""The classes that a spec may name: scikit-learn's own and boosted ones, by their public paths.

A spec comes from whoever may create a TrainingRun, so it must not reach code: a class that is not
on the list is not imported. Beside estimators and transformers there are the parts that estimators
take as parameters: kernels, and ways of cutting folds.
"""

import functools
import importlib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from sklearn import model_selection
from sklearn.base import BaseEstimator
from sklearn.experimental import (  # noqa: F401 - what they name is not listed else
    enable_halving_search_cv,
    enable_iterative_imputer,
)
from sklearn.gaussian_process import kernels
from sklearn.utils import all_estimators

from tidemill_runner import boosting, names
from tidemill_runner.failures import Failure

_ONE_TARGET = "it predicts several targets, and spec.target is one: make a run for each"
_ENCODES = (
    "it encodes targets, which a run does by itself; for features there are "
    "sklearn.preprocessing.OrdinalEncoder, OneHotEncoder and TargetEncoder"
)
_NO_TABLE = "it takes no table of rows and columns, and a data set is one"
_KEPT_AS_CODE = "what it fits cannot be kept without code"
_SEARCH = "it searches among models by itself: use spec.search"
# Classes that cannot be honoured, and why.
REFUSED = {
    "sklearn.preprocessing.FunctionTransformer": "it calls a function given as a parameter",
    **dict.fromkeys(
        (
            "sklearn.multioutput.ClassifierChain",
            "sklearn.multioutput.MultiOutputClassifier",
            "sklearn.multioutput.MultiOutputRegressor",
            "sklearn.multioutput.RegressorChain",
            "sklearn.linear_model.MultiTaskElasticNet",
            "sklearn.linear_model.MultiTaskElasticNetCV",
            "sklearn.linear_model.MultiTaskLasso",
            "sklearn.linear_model.MultiTaskLassoCV",
        ),
        _ONE_TARGET,
    ),
    **dict.fromkeys(
        (
            "sklearn.cluster.Birch",
            "sklearn.cluster.BisectingKMeans",
            "sklearn.model_selection.TunedThresholdClassifierCV",
            "sklearn.preprocessing.SplineTransformer",
        ),
        _KEPT_AS_CODE,
    ),
    **dict.fromkeys(
        (
            "sklearn.preprocessing.LabelBinarizer",
            "sklearn.preprocessing.LabelEncoder",
            "sklearn.preprocessing.MultiLabelBinarizer",
        ),
        _ENCODES,
    ),
    **dict.fromkeys(
        (
            "sklearn.feature_extraction.DictVectorizer",
            "sklearn.feature_extraction.FeatureHasher",
            "sklearn.feature_extraction.image.PatchExtractor",
            "sklearn.preprocessing.KernelCenterer",
        ),
        _NO_TABLE,
    ),
    "sklearn.cross_decomposition.PLSSVD": "it transforms the target as well, which is not known "
    "where the model answers",
    "sklearn.decomposition.SparseCoder": "its dictionary is an array, which a spec cannot hold",
    "sklearn.frozen.FrozenEstimator": "it wants an estimator that is fitted already",
    **dict.fromkeys(
        (
            "sklearn.model_selection.GridSearchCV",
            "sklearn.model_selection.RandomizedSearchCV",
            "sklearn.model_selection.HalvingGridSearchCV",
            "sklearn.model_selection.HalvingRandomSearchCV",
        ),
        _SEARCH,
    ),
}
_KERNELS = (
    *("ConstantKernel", "DotProduct", "ExpSineSquared", "Exponentiation", "Matern", "Product"),
    *("RBF", "RationalQuadratic", "Sum", "WhiteKernel"),
)
_FOLDS = ("KFold", "StratifiedKFold", "TimeSeriesSplit")


@functools.cache
def estimators() -> Mapping[str, type[BaseEstimator]]:
    """Every estimator and transformer of scikit-learn by its public dotted path."""
    found: dict[str, type[BaseEstimator]] = {}
    for name, cls in all_estimators():
        path = f"{_public_module(cls.__module__)}.{name}"
        if path not in REFUSED and _is_public(path, cls):
            found[path] = cls
    return found


@functools.cache
def parts() -> Mapping[str, type[Any]]:
    """What is no estimator by itself, but a parameter of some."""
    return {
        **{f"sklearn.gaussian_process.kernels.{name}": getattr(kernels, name) for name in _KERNELS},
        **{f"sklearn.model_selection.{name}": getattr(model_selection, name) for name in _FOLDS},
    }


def find(path: str, field: str, *, nested: bool = False) -> type[Any]:
    """The class of a path; raises Failure naming those near. Parts are found where nested."""
    if path in REFUSED:
        raise Failure("EstimatorRefused", f"{field}.class: {path} is refused: {REFUSED[path]}")
    if path in boosting.CLASSES:
        return boosting.find(path, field, nested=nested)
    known: Mapping[str, type[Any]] = {**estimators(), **(parts() if nested else {})}
    if path not in known:
        paths = (*known, *boosting.CLASSES)
        near = names.suggestion(path, _same_name(path, paths) or paths, show=0)
        raise Failure(
            "EstimatorRefused",
            f"{field}.class: {path!r} is not an estimator or transformer of scikit-learn, nor one "
            f"of XGBoost or LightGBM{near}",
        )
    return known[path]


def required(cls: type[Any]) -> list[str]:
    """Parameters that have no default."""
    return [
        name
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]


def parameters(cls: type[Any]) -> list[str]:
    """The names of a class's parameters."""
    if boosting.is_one(cls):
        return boosting.names(cls)
    return sorted(inspect.signature(cls).parameters)


def _same_name(path: str, known: Iterable[str]) -> list[str]:
    """The right path where only the module is wrong (`sklearn.RandomForestClassifier`)."""
    name = path.rsplit(".", 1)[-1]
    return [one for one in known if one.rsplit(".", 1)[-1] == name]


def _public_module(module: str) -> str:
    parts = module.split(".")
    private = next((i for i, part in enumerate(parts) if part.startswith("_")), len(parts))
    return ".".join(parts[:private])


def _is_public(path: str, cls: type[BaseEstimator]) -> bool:
    module, name = path.rsplit(".", 1)
    return getattr(importlib.import_module(module), name, None) is cls
