"""The pipeline of a spec: its steps in order, each in a place where it can do its work."""

from typing import Any

from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.pipeline import Pipeline

from tidemill_runner import parameters
from tidemill_runner.failures import Failure
from tidemill_runner.parameters import Place
from tidemill_runner.train_input import Training

STEPS = "spec.estimator.sklearn.steps"


def build(training: Training) -> Pipeline:
    """The unfitted pipeline of a spec, seeded; raises Failure naming the field."""
    steps: list[tuple[str, Any]] = []
    for position, step in enumerate(training.steps):
        field = f"{STEPS}[{position}]"
        if step.name in dict(steps):
            raise Failure("SpecInvalid", f"{field}.name: {step.name!r} is there already: rename it")
        place = Place(field, training.seed, raw=position == 0)
        steps.append((step.name, parameters.make(step.class_path, step.params, place)))
        last = position == len(training.steps) - 1
        _check_place(steps[-1][1], field, training.task, last=last)
    return Pipeline(steps)


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
