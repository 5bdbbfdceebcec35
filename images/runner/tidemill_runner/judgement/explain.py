"""What the model goes by, on a sample of the rows held out.

A feature's importance is by how much the first metric worsens where its values are shuffled between
rows (Breiman, Machine Learning 45, 2001; Fisher, Rudin and Dominici, JMLR 20, 2019). Features that
tell the same share it: a model that lost one still has the other. Partial dependence is the mean
prediction were all rows to have a value (Friedman, Annals of Statistics 29, 2001).

Rows and features are bounded by number, so that the same run tells the same; a slow model is cut
short by the clock, and what was not looked at is counted.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tidemill.stats import catalog
from tidemill.stats.weighted import metric
from tidemill_runner.evaluate import Answers, judged
from tidemill_runner.judgement.scene import Scene
from tidemill_runner.judgement.slices import named
from tidemill_runner.schema import ColumnType

log = logging.getLogger(__name__)

SHUFFLES = 3
MOST_ROWS, MOST_CELLS = 2_000, 2_000_000
MOST_FEATURES = 200
SECONDS = 10.0
SHOWN = 5
GRID, GRID_ROWS = 20, 200
MOST_LINES = 5
_FEW = 10
# Of numbers; of classes, lines bear their names.
PREDICTION = "prediction"

Cells = NDArray[Any]


@dataclass(frozen=True)
class Importance:
    """By how much the metric worsens: the mean over the shuffles, the least and the most."""

    feature: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Dependence:
    """The mean prediction at each value of a feature; one line per class or one in all."""

    feature: str
    values: tuple[str, ...]
    numbers: tuple[float, ...] | None
    lines: tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True)
class Explained:
    """The most important features first; how many rows and features were looked at."""

    metric: str
    rows: int
    importance: tuple[Importance, ...]
    dependence: tuple[Dependence, ...]
    skipped: int
    note: str = ""


def measure(scene: Scene, clock: Callable[[], float] = time.monotonic) -> Explained | None:
    """None where it was not asked for or no metric could be measured."""
    if not scene.asked.importance or not scene.evaluation.metrics:
        return None
    sample = _Sample(scene, clock)
    try:
        return sample.explained()
    except MemoryError:
        raise
    except Exception as error:
        # Rows that never were may be too much for a model that answers for all that there are.
        log.warning("the model could not be explained: %s", error)
        words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return sample.nothing(f"it does not answer for shuffled rows ({words})")


def ask(pipeline: Pipeline, cells: Cells, name: str) -> Answers:
    """What a metric of that name needs of the model's answers, and no more: asking is dear."""
    if name in catalog.NEED_PROBABILITIES and hasattr(pipeline, "predict_proba"):
        given = np.asarray(pipeline.predict_proba(cells), dtype=np.float64)
        return Answers(pipeline.classes_[given.argmax(axis=1)], given)
    return Answers(np.asarray(pipeline.predict(cells)).reshape(len(cells), -1)[:, 0], None)


class _Sample:
    """Some of the rows held out, and what is asked of the model about them."""

    def __init__(self, scene: Scene, clock: Callable[[], float]) -> None:
        self._scene = scene
        self._clock = clock
        self._until = clock() + SECONDS
        self._rng = np.random.default_rng(scene.seed)
        held = scene.parts.holdout
        width = len(scene.roles.features)
        most = min(MOST_ROWS, max(MOST_CELLS // (SHUFFLES * width), 50))
        if len(held) > most:
            held = np.sort(self._rng.choice(held, most, replace=False))
        self._cells: Cells = scene.data.features[held]
        self._target = scene.data.target[held]
        self._metric = scene.evaluation.metrics[0].name

    def nothing(self, note: str) -> Explained:
        """Nothing is told, and why."""
        skipped = len(self._scene.roles.features)
        return Explained(self._metric, len(self._target), (), (), skipped, note)

    def explained(self) -> Explained:
        base = self._score(self._cells, self._target)
        rows = len(self._target)
        if base is None:
            return self.nothing(f"{self._metric} is not defined on a sample of {rows:,} rows")
        found: list[Importance] = []
        features = self._scene.roles.features
        for place, column in enumerate(features[:MOST_FEATURES]):
            if self._clock() > self._until:
                break
            if one := self._importance(place, column.name, base):
                found.append(one)
        ordered = tuple(sorted(found, key=lambda one: -one.mean))
        dependence: list[Dependence] = []
        if self._scene.asked.dependence:
            names = [column.name for column in features]
            for one in ordered[:SHOWN]:
                if one.mean <= 0:
                    break
                if self._clock() > self._until:
                    break
                dependence.extend(self._dependence(names.index(one.feature)))
        skipped = len(features) - len(found)
        return Explained(self._metric, rows, ordered, tuple(dependence), skipped)

    def _importance(self, place: int, name: str, base: float) -> Importance | None:
        rows = len(self._target)
        cells = np.tile(self._cells, (SHUFFLES, 1))
        for shuffle in range(SHUFFLES):
            order = self._rng.permutation(rows)
            cells[shuffle * rows : (shuffle + 1) * rows, place] = self._cells[order, place]
        said = ask(self._scene.pipeline, cells, self._metric)
        sign = 1 if self._metric in catalog.MORE_IS_BETTER else -1
        worse = []
        for shuffle in range(SHUFFLES):
            part = slice(shuffle * rows, (shuffle + 1) * rows)
            given = None if said.probabilities is None else said.probabilities[part]
            answers = Answers(said.predicted[part], given)
            measured, _ = judged(self._scene.pipeline, answers, self._target)
            prepared = metric(self._metric, measured)
            if prepared is not None:
                value = float(prepared(np.arange(rows))(np.ones((1, rows)))[0])
                # Neither the rounding of sums nor a negative zero.
                worse.append(round(sign * (base - value), 12) + 0.0)
        # Shuffled values may lead a model beyond all numbers.
        finite = [one for one in worse if np.isfinite(one)]
        return (
            Importance(name, float(np.mean(finite)), min(finite), max(finite)) if finite else None
        )

    def _score(self, cells: Cells, target: NDArray[Any]) -> float | None:
        said = ask(self._scene.pipeline, cells, self._metric)
        measured, _ = judged(self._scene.pipeline, said, target)
        prepared = metric(self._metric, measured)
        if prepared is None:
            return None
        return float(prepared(np.arange(len(target)))(np.ones((1, len(target))))[0])

    def _dependence(self, place: int) -> list[Dependence]:
        """None or one: a feature of one value moves nothing."""
        column = self._scene.roles.features[place]
        number = column.type in (ColumnType.INTEGER, ColumnType.FLOAT)
        values = _grid(self._cells[:, place], number=number)
        if len(values) < 2:
            return []
        rows = self._cells[np.linspace(0, len(self._cells) - 1, GRID_ROWS).astype(int)]
        if len(self._cells) < GRID_ROWS:
            rows = self._cells
        cells = np.tile(rows, (len(values), 1))
        cells[:, place] = np.repeat(np.array(values, dtype=cells.dtype), len(rows))
        lines = self._lines(cells, len(values))
        numbers = tuple(float(value) for value in values) if number else None
        shown = tuple(_shown(value, column.type) for value in values)
        return [Dependence(column.name, shown, numbers, lines)] if lines else []

    def _lines(self, cells: Cells, values: int) -> tuple[tuple[str, tuple[float, ...]], ...]:
        said = ask(self._scene.pipeline, cells, "log_loss")
        labels = getattr(self._scene.pipeline, "classes_", None)
        if labels is None:
            means = said.predicted.astype(np.float64).reshape(values, -1).mean(axis=1)
            return ((PREDICTION, tuple(means.tolist())),)
        if len(labels) > MOST_LINES:
            return ()
        given = said.probabilities
        if given is None:
            given = (said.predicted[:, None] == labels[None, :]).astype(np.float64)
        means = given.reshape(values, -1, len(labels)).mean(axis=1)
        places = [1] if len(labels) == 2 else range(len(labels))
        return tuple((str(labels[k]), tuple(means[:, k].tolist())) for k in places)


def _grid(values: Cells, *, number: bool) -> list[Any]:
    """Values at even shares of the rows, or the most frequent ones."""
    if number:
        there = values.astype(np.float64)
        there = there[~np.isnan(there)]
        if not len(there):
            return []
        ends = np.quantile(there, np.linspace(0.025, 0.975, GRID), method="inverted_cdf")
        return [float(value) for value in np.unique(ends)]
    counts: dict[Any, int] = {}
    for value in values.tolist():
        if value is not None and value == value:  # noqa: PLR0124 - NaN is not itself
            counts[value] = counts.get(value, 0) + 1
    return sorted(sorted(counts, key=lambda v: (-counts[v], str(v)))[:_FEW], key=str)


def _shown(value: object, kind: ColumnType) -> str:
    return named(bool(value)) if kind is ColumnType.BOOLEAN else named(value)
