"""One trial: a pipeline with some parameters, fitted and judged on each fold."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tidemill.stats import weighted
from tidemill_runner import estimators, fit, selection, weights
from tidemill_runner.columns import Roles
from tidemill_runner.evaluate import ask, judged
from tidemill_runner.failures import Failure
from tidemill_runner.search import space
from tidemill_runner.search.folds import Folds
from tidemill_runner.train_input import Training


class Wanted(NamedTuple):
    """A trial to be done; `rows` is how many rows it is about, None for all."""

    number: int
    params: Mapping[str, Any]
    rows: int | None = None


@dataclass(frozen=True)
class Bench:
    """What trials are judged on: rows trained on alone, of shapes (rows, features) and (rows,).

    `order` is the one in which rows are taken by trials that are about some of them.
    """

    training: Training
    roles: Roles
    metric: str
    folds: Folds
    features: NDArray[Any]
    target: NDArray[Any]
    weights: NDArray[np.float64] | None
    order: NDArray[np.int32] | None = None

    def first(self, rows: int | None) -> "Bench":
        """The same with the first rows only."""
        if rows is None or self.order is None:
            return self
        kept = np.zeros(len(self.order), np.bool_)
        kept[self.order[:rows]] = True
        return replace(self, folds=replace(self.folds, kept=kept))


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: the mean over its folds, or why it has none."""

    number: int
    params: Mapping[str, Any]
    value: float | None
    folds: tuple[float, ...]
    reason: str | None
    message: str | None
    seconds: float
    rows: int | None = None


def attempt(bench: Bench, wanted: Wanted) -> Outcome:
    """Fit and judge; what fails of its parameters is an outcome, too."""
    begun = time.monotonic()
    values: tuple[float, ...] = ()
    reason: str | None = None
    message: str | None = None
    own = bench.first(wanted.rows)
    try:
        with _quietly():
            training = space.applied(bench.training, wanted.params)
            values = tuple(_measure(own, training, fold) for fold in range(own.folds.count))
    except Failure as failure:
        reason, message = failure.reason, failure.message
    except MemoryError as error:
        reason, message = "FitFailed", f"out of memory: {error}"
    value = float(np.mean(values)) if reason is None else None
    seconds = round(time.monotonic() - begun, 3)
    params = dict(wanted.params)
    return Outcome(wanted.number, params, value, values, reason, message, seconds, wanted.rows)


def _measure(bench: Bench, training: Training, fold: int) -> float:
    fitted, left = bench.folds.rows(fold)
    pipeline = estimators.build(training)
    weights.check(pipeline, training)
    selection.resolve(pipeline, bench.roles)
    target = bench.target[fitted]
    weights.set_class_weights(pipeline, target)
    counted = None if bench.weights is None else bench.weights[fitted]
    given = weights.params(pipeline, counted)
    fit.fit(pipeline, bench.features[fitted], target, bench.roles, given)
    with fit.explained(pipeline, bench.roles):
        answers = ask(pipeline, bench.features[left])
    rows, _ = judged(pipeline, answers, bench.target[left])
    prepared = weighted.metric(bench.metric, rows)
    if prepared is None:
        raise Failure(
            "MetricInvalid",
            f"spec.search.metric: the rows judged in fold {fold + 1} give no {bench.metric}, as "
            "where a class is not among them: take another metric, or fewer folds",
        )
    with np.errstate(over="ignore", invalid="ignore"):
        value = float(prepared(np.arange(rows.n))(np.ones((1, rows.n)))[0])
    if not np.isfinite(value):
        raise Failure("LossNotFinite", f"the {bench.metric} of fold {fold + 1} is no finite number")
    return value


@contextmanager
def _quietly() -> Iterator[None]:
    """A search has hundreds of fits: what each complains of is in its outcome, not in the log."""
    logger = logging.getLogger(fit.__name__)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def reduced(bench: Bench) -> Bench:
    """The same without its rows, which go another way to the processes that share them."""
    nothing = np.empty(0)
    return replace(bench, features=nothing, target=nothing, weights=None)
