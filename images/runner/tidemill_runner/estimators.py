"""The estimators a spec may name: scikit-learn's own, by public path, with literal parameters.

A spec comes from whoever may create a TrainingRun, so it must not reach code: a class that is not
on the list is not imported, parameters are plain literals checked by scikit-learn's own constraints
before any data is read, and what would call functions or open files is refused.
"""

import functools
import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils import all_estimators
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from tidemill_runner import names
from tidemill_runner.failures import Failure
from tidemill_runner.inputs import Step, Training

# Classes that run what their parameters say.
REFUSED = {
    "sklearn.preprocessing.FunctionTransformer": "it calls a function given as a parameter",
}
# Parameters that make a class read or write files, and the only values that do not.
_FILES: dict[str, tuple[object, ...]] = {"memory": (None,), "input": ("content",)}


@functools.cache
def catalog() -> Mapping[str, type[BaseEstimator]]:
    """Every estimator and transformer of scikit-learn by its public dotted path."""
    found: dict[str, type[BaseEstimator]] = {}
    for name, cls in all_estimators():
        path = f"{_public_module(cls.__module__)}.{name}"
        if path not in REFUSED and _is_public(path, cls):
            found[path] = cls
    return found


def build(training: Training) -> Pipeline:
    """The unfitted pipeline of a spec, seeded; raises Failure naming the field."""
    steps = []
    for position, step in enumerate(training.steps):
        field = f"spec.estimator.sklearn.steps[{position}]"
        steps.append((step.name, _estimator(step, field, training.seed)))
        last = position == len(training.steps) - 1
        _check_place(steps[-1][1], field, training.task, last=last)
    return Pipeline(steps)


def _estimator(step: Step, field: str, seed: int) -> BaseEstimator:
    cls = _class(step.class_path, field)
    valid = sorted(inspect.signature(cls).parameters)
    for name in step.params:
        if name not in valid:
            near = names.suggestion(name, valid, show=60)
            listed = "" if near.startswith("; there are") else f" (there are {', '.join(valid)})"
            raise Failure(
                "ParameterInvalid",
                f"{field}.params: {cls.__name__} has no parameter {name!r}{near}{listed}",
            )
    params = {name: _literal(cls, name, value, field) for name, value in step.params.items()}
    if "random_state" in valid:
        params.setdefault("random_state", seed)
    _check_constraints(cls, params, field)
    return cls(**params)


def _class(path: str, field: str) -> type[BaseEstimator]:
    if path in REFUSED:
        raise Failure("EstimatorRefused", f"{field}.class: {path} is refused: {REFUSED[path]}")
    cls = catalog().get(path)
    if cls is None:
        raise Failure(
            "EstimatorRefused",
            f"{field}.class: {path!r} is not an estimator or transformer of scikit-learn"
            f"{names.suggestion(path, _same_name(path) or catalog(), show=0)}",
        )
    required = [
        name
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    if required:
        raise Failure(
            "EstimatorRefused",
            f"{field}.class: {cls.__name__} needs {', '.join(required)}, "
            "which cannot be given as a literal: use a class that works on its own",
        )
    return cls


def _same_name(path: str) -> list[str]:
    """The right path where only the module is wrong (`sklearn.RandomForestClassifier`)."""
    name = path.rsplit(".", 1)[-1]
    return [known for known in catalog() if known.rsplit(".", 1)[-1] == name]


def _literal(cls: type[BaseEstimator], name: str, value: Any, field: str) -> Any:  # noqa: ANN401
    allowed = _FILES.get(name)
    if allowed is not None and value not in allowed:
        raise Failure(
            "ParameterInvalid",
            f"{field}.params.{name}: {value!r} would make {cls.__name__} use files; leave it out",
        )
    # JSON has no tuples; some constraints take nothing else.
    constraints = _constraints(cls).get(name) or []
    takes_list = constraints == "no_validation" or any(
        c in (list, "array-like") for c in constraints
    )
    if isinstance(value, list) and tuple in constraints and not takes_list:
        return tuple(value)
    return value


def _check_constraints(cls: type[BaseEstimator], params: Mapping[str, Any], field: str) -> None:
    checked = {name: rule for name, rule in _constraints(cls).items() if name in params}
    try:
        validate_parameter_constraints(checked, dict(params), caller_name=cls.__name__)
    except InvalidParameterError as error:
        raise Failure("ParameterInvalid", f"{field}.params: {error}") from None


def _constraints(cls: type[BaseEstimator]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(cls, "_parameter_constraints", {})
    return found


def _check_place(estimator: BaseEstimator, field: str, task: str, *, last: bool) -> None:
    name = type(estimator).__name__
    if not last:
        if not hasattr(estimator, "transform"):
            raise Failure(
                "EstimatorRefused",
                f"{field}.class: {name} transforms nothing: only the last step may be an estimator",
            )
        return
    fits = is_classifier(estimator) if task == "Classification" else is_regressor(estimator)
    if not fits:
        wanted = "classifier" if task == "Classification" else "regressor"
        raise Failure(
            "EstimatorRefused",
            f"{field}.class: the last step must be a {wanted} for spec.task {task}, {name} is none",
        )


def _public_module(module: str) -> str:
    parts = module.split(".")
    private = next((i for i, part in enumerate(parts) if part.startswith("_")), len(parts))
    return ".".join(parts[:private])


def _is_public(path: str, cls: type[BaseEstimator]) -> bool:
    module, name = path.rsplit(".", 1)
    return getattr(importlib.import_module(module), name, None) is cls
