"""What the fitted model does on the rows held out: predictions, metrics, what has no number.

Classes that only the holdout has are counted as classes the model gives no probability.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tidemill.stats import catalog
from tidemill.stats.classification import Classified
from tidemill.stats.estimate import Estimate
from tidemill.stats.regression import Regressed
from tidemill_runner import names
from tidemill_runner.failures import Failure
from tidemill_runner.fit import name_of
from tidemill_runner.train_input import Training

_FOR_TASK: dict[str, Sequence[str]] = {
    "Classification": tuple(catalog.CLASSIFICATION),
    "Regression": tuple(catalog.REGRESSION),
}


@dataclass(frozen=True)
class Evaluation:
    """Rows judged, the metrics in their order, and those that the rows could not give."""

    rows: Classified | Regressed
    classes: tuple[Any, ...]
    metrics: tuple[Estimate, ...]
    absent: tuple[str, ...]


def choose(training: Training, pipeline: Pipeline | None) -> tuple[str, ...]:
    """The metrics asked for, or the task's defaults; raises Failure before any data is read.

    Without a pipeline, what it can say is not judged yet.
    """
    known = _FOR_TASK[training.task]
    for name in training.metrics:
        if name not in known:
            raise Failure(
                "MetricInvalid",
                f"spec.evaluation.metrics: {name!r} is no metric of {training.task}"
                f"{names.suggestion(name, known)}",
            )
        if pipeline is None or name not in catalog.NEED_PROBABILITIES:
            continue
        if not hasattr(pipeline[-1], "predict_proba"):
            raise Failure(
                "MetricInvalid",
                f"spec.evaluation.metrics: {name} needs probabilities, which {name_of(pipeline)} "
                "does not give as it is set: leave the metric out or choose another estimator",
            )
    return training.metrics or catalog.DEFAULTS[training.task]


@dataclass(frozen=True)
class Answers:
    """What the model says about the rows held out."""

    predicted: NDArray[Any]
    probabilities: NDArray[np.float64] | None


def ask(pipeline: Pipeline, features: NDArray[Any]) -> Answers:
    """Predict; raises Failure where the model gives no numbers."""
    predicted = np.asarray(pipeline.predict(features)).reshape(len(features), -1)[:, 0]
    if not hasattr(pipeline, "classes_"):
        _check_finite(predicted.astype(np.float64), pipeline)
        return Answers(predicted, None)
    probabilities = None
    if hasattr(pipeline, "predict_proba"):
        probabilities = np.asarray(pipeline.predict_proba(features), dtype=np.float64)
        _check_finite(probabilities, pipeline)
    return Answers(predicted, probabilities)


def evaluate(
    pipeline: Pipeline,
    answers: Answers,
    target: NDArray[Any],
    metrics: tuple[str, ...],
    seed: int,
) -> Evaluation:
    """Measure; raises Failure where an error is too large for a number."""
    rows, classes = judged(pipeline, answers, target)
    with np.errstate(over="ignore", invalid="ignore"):
        measured = catalog.measure(metrics, rows, seed)
    for estimate in measured.estimates:
        if not np.isfinite([estimate.value, estimate.low, estimate.high]).all():
            raise _not_finite(f"the {estimate.name} of {name_of(pipeline)} is no finite number")
    return Evaluation(rows, classes, measured.estimates, measured.absent)


def judged(
    pipeline: Pipeline, answers: Answers, target: NDArray[Any]
) -> tuple[Classified | Regressed, tuple[Any, ...]]:
    """Answers beside what was true; and the classes that the codes stand for."""
    if hasattr(pipeline, "classes_"):
        return _classified(pipeline.classes_, answers, target)
    return Regressed(target.astype(np.float64), answers.predicted.astype(np.float64)), ()


def _classified(
    known: NDArray[Any], answers: Answers, target: NDArray[Any]
) -> tuple[Classified, tuple[Any, ...]]:
    new = sorted(set(distinct(target)) - set(known.tolist()))
    codes = {label: code for code, label in enumerate([*known.tolist(), *new])}
    probabilities = None
    if answers.probabilities is not None:
        probabilities = np.zeros((len(target), len(codes)))
        probabilities[:, : len(known)] = answers.probabilities
    rows = Classified(
        truth=encode(target, codes),
        predicted=encode(answers.predicted, codes),
        probabilities=probabilities,
        classes=len(codes),
    )
    return rows, tuple(codes)


def distinct(labels: NDArray[Any]) -> list[Any]:
    """The labels that there are, each once."""
    if labels.dtype.kind in "biu":
        found: list[Any] = np.unique(labels).tolist()
        return found
    return list(set(labels.tolist()))


def encode(labels: NDArray[Any], codes: dict[Any, int]) -> NDArray[np.int64]:
    """Labels as the codes of their classes; each of them has one."""
    if labels.dtype.kind not in "biu":
        return np.fromiter((codes[label] for label in labels.tolist()), np.int64, len(labels))
    known = np.array(list(codes), dtype=labels.dtype)
    order = np.argsort(known)
    places = np.searchsorted(known[order], labels).clip(max=len(known) - 1)
    strange = known[order][places] != labels
    if strange.any():
        raise ValueError(f"{labels[strange][0]} is none of the classes {list(codes)[:10]}")
    found: NDArray[np.int64] = order[places]
    return found


def _check_finite(values: NDArray[np.float64], pipeline: Pipeline) -> None:
    bad = ~np.isfinite(values)
    if bad.any():
        count = int(bad.sum())
        raise _not_finite(f"{count} predictions of {name_of(pipeline)} are no finite numbers")


def _not_finite(detail: str) -> Failure:
    return Failure(
        "LossNotFinite",
        f"{detail}: scale the features (sklearn.preprocessing.StandardScaler), lower the learning "
        "rate, or look for values out of all proportion in the data",
    )
