"""XGBoost's and LightGBM's estimators, in the images that have these libraries.

They are the last step, because their trees are kept in the libraries' own formats. Their
constructors take any name and complain late or never, so names are judged by the parameters that
they list; and what would read files, need other data, or be answered otherwise is refused.
"""

import functools
import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from tidemill.store import boosted
from tidemill_runner.failures import Failure

CLASSES: Mapping[str, str] = {
    # Its random forests are to go: there is num_parallel_tree, and scikit-learn has its own.
    **dict.fromkeys(("xgboost.XGBClassifier", "xgboost.XGBRegressor"), "xgboost"),
    **dict.fromkeys(("lightgbm.LGBMClassifier", "lightgbm.LGBMRegressor"), "lightgbm"),
}
_EARLY = "it stops by rows that a run does not have beside those held out: set n_estimators"
# Parameters of which other values are not taken, and why.
_REFUSED: dict[str, tuple[tuple[object, ...], str]] = {
    "callbacks": ((None,), "it takes functions"),
    "early_stopping_rounds": ((None,), _EARLY),
    "early_stopping_round": ((None,), _EARLY),
    "enable_categorical": ((False, None), "encode categories in a step before it"),
    "feature_types": ((None,), "encode categories in a step before it"),
    "max_cat_to_onehot": ((None,), "encode categories in a step before it"),
    "max_cat_threshold": ((None,), "encode categories in a step before it"),
    "missing": ((), "what is missing is NaN"),
    "device": ((None, "cpu"), "the image has no other device"),
    "booster": ((None, "gbtree", "dart"), "only trees are kept"),
    "multi_strategy": ((None,), "a run has one target"),
}
_OBJECTIVES: dict[str, tuple[str, ...]] = {
    "XGBClassifier": ("binary:logistic", "multi:softprob"),
    "LGBMClassifier": ("binary", "multiclass", "multiclassova"),
}


def find(path: str, field: str, *, nested: bool) -> type[Any]:
    """The class of a path of CLASSES; raises Failure."""
    name = path.rsplit(".", 1)[-1]
    if nested:
        raise Failure(
            "EstimatorRefused",
            f"{field}.class: {name} is kept in its own format, as the last step only",
        )
    try:
        return _class(path)
    except ImportError:
        library = CLASSES[path]
        raise Failure(
            "EstimatorRefused",
            f"{field}.class: the runner's image has no {library}: the run needs an installation "
            "with the image runner-boosting",
        ) from None


def is_one(cls: type[Any]) -> bool:
    return boosted.library_of(cls) is not None


def names(cls: type[Any]) -> list[str]:
    """The names of its parameters."""
    return sorted(cls().get_params())


def defaults(cls: type[Any]) -> dict[str, Any]:
    """What is given where the spec says nothing: no words on standard output."""
    return {"verbose": -1} if cls.__name__.startswith("LGBM") else {"verbosity": 0}


def read(value: object) -> object:
    """A value as the constructors take it: JSON has no tuples, which constraints want."""
    return tuple(value) if isinstance(value, list) else value


def check(cls: type[Any], params: Mapping[str, Any], field: str) -> None:
    """Raise Failure for a value that cannot be honoured."""
    for name, value in params.items():
        allowed, why = _REFUSED.get(name, ((value,), ""))
        if value not in allowed:
            raise _invalid(field, name, value, why)
        if name == "n_estimators" and (type(value) is not int or value < 1):
            raise _invalid(field, name, value, "it is a whole number from 1 on")
        objectives = _OBJECTIVES.get(cls.__name__)
        if name == "objective" and objectives and value not in (None, *objectives):
            raise _invalid(field, name, value, f"there are {', '.join(objectives)}")


def _invalid(field: str, name: str, value: object, why: str) -> Failure:
    return Failure("ParameterInvalid", f"{field}.params.{name}: {value!r} is not taken: {why}")


@functools.cache
def _class(path: str) -> type[Any]:
    module, name = path.rsplit(".", 1)
    cls: type[Any] = getattr(importlib.import_module(module), name)
    return _of_labels(cls) if name == "XGBClassifier" else cls


def _of_labels(cls: type[Any]) -> type[Any]:
    """XGBoost's classifiers take classes from 0 on; this gives them those that the data has."""

    def fit(self: Any, features: Any, target: Any, sample_weight: Any = None) -> Any:  # noqa: ANN401
        labels, codes = np.unique(target, return_inverse=True)
        # Until it is fitted, it has to find its own classes, by which it judges the codes.
        vars(self).pop("labels_", None)
        cls.fit(self, features, codes, sample_weight=sample_weight)
        self.labels_ = labels
        return self

    def predict(self: Any, features: Any) -> Any:  # noqa: ANN401
        return self.labels_[cls.predict(self, features)]

    members = {
        "__module__": cls.__module__,
        "fit": fit,
        "predict": predict,
        "classes_": property(lambda self: vars(self).get("labels_", cls.classes_.fget(self))),
    }
    return type(cls.__name__, (cls,), members)
