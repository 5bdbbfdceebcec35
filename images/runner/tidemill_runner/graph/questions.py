"""What pipeline and graph are asked, to see whether they answer alike.

All rows held out, up to a bound. And rows at the edge, which no holdout need have: without a value
in each column in turn, with an empty text, with a text that nobody knows. Where the pipeline
refuses such a row, the graph must be kept from answering it: that is what `Edges` tells.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tidemill_runner.columns import Roles
from tidemill_runner.graph.bounded import OutOfBounds
from tidemill_runner.graph.conversion import NotConverted
from tidemill_runner.schema import ColumnType

MAX_ROWS = 20_000
MAX_CELLS = 20_000_000
MAX_TEXTS = 10_000
MAX_TEXT_CHARS = 256 * 1024
EDGE_SECONDS = 10.0
UNKNOWN = "\u2047 never seen"


@dataclass(frozen=True)
class Asked:
    """Rows, and what the pipeline says to each."""

    rows: NDArray[Any]
    predicted: NDArray[Any]
    probabilities: NDArray[np.float64] | None


@dataclass(frozen=True)
class Edges:
    """Rows at the edge that the pipeline answers, and what it refuses."""

    asked: Asked | None
    missing: tuple[str, ...]
    texts: dict[str, frozenset[str]]


def held_out(pipeline: Pipeline, features: NDArray[Any]) -> Asked:
    """All rows held out, or as many as the bound allows, spread over them."""
    most = min(MAX_ROWS, max(1, MAX_CELLS // features.shape[1]))
    if len(features) > most:
        features = features[np.linspace(0, len(features) - 1, most).astype(int)]
    return ask(pipeline, features)


def ask(pipeline: Pipeline, rows: NDArray[Any]) -> Asked:
    """Ask the pipeline; raises what it raises."""
    predicted = np.asarray(pipeline.predict(rows)).reshape(len(rows), -1)[:, 0]
    probabilities = None
    if hasattr(pipeline, "predict_proba"):
        probabilities = np.asarray(pipeline.predict_proba(rows), dtype=np.float64)
    return Asked(predicted=predicted, rows=rows, probabilities=probabilities)


@dataclass(frozen=True)
class Prober:
    """Asks the pipeline about rows at the edge."""

    pipeline: Pipeline
    roles: Roles
    trained: NDArray[Any]
    clock: Callable[[], float] = time.monotonic

    def edges(self) -> Edges:
        """Raises NotConverted or OutOfBounds where it cannot be known what it would refuse."""
        deadline = self.clock() + EDGE_SECONDS
        base = self._base()
        answered, missing = [], []
        for place, column in enumerate(self.roles.features):
            row = self._changed(base, place, np.nan)
            # A row that lacks what is never missing is refused before any model is asked.
            if column.nullable and self._answers(row):
                answered.append(row)
            else:
                missing.append(column.name)
            self._in_time(deadline)
        texts: dict[str, frozenset[str]] = {}
        for place, column in enumerate(self.roles.features):
            if column.type is not ColumnType.STRING:
                continue
            empty, unknown = (self._changed(base, place, text) for text in ("", UNKNOWN))
            if not self._answers(unknown):
                texts[column.name] = self._known(place, column.name)
            else:
                answered.extend(row for row in (empty, unknown) if self._answers(row))
            self._in_time(deadline)
        rows = np.concatenate(answered) if answered else None
        asked = ask(self.pipeline, rows) if rows is not None else None
        return Edges(asked, tuple(missing), texts)

    def _base(self) -> NDArray[Any]:
        """A row that has all values, as nearly as there is one."""
        some = self.trained[:1000]
        lacking = (some != some).sum(axis=1)  # noqa: PLR0124 - NaN
        return some[[int(np.argmin(lacking))]]

    def _changed(self, base: NDArray[Any], place: int, value: object) -> NDArray[Any]:
        row = base.copy()
        row[0, place] = value
        return row

    def _answers(self, row: NDArray[Any]) -> bool:
        try:
            asked = ask(self.pipeline, row)
        except (ValueError, TypeError):
            return False
        # No number is no answer: the graph refuses it by itself.
        numbers = [asked.probabilities] if asked.probabilities is not None else []
        if asked.predicted.dtype.kind == "f":
            numbers.append(asked.predicted)
        return all(np.isfinite(one).all() for one in numbers)

    def _known(self, place: int, name: str) -> frozenset[str]:
        known = frozenset(text for text in self.trained[:, place].tolist() if isinstance(text, str))
        if len(known) > MAX_TEXTS or sum(map(len, known)) > MAX_TEXT_CHARS:
            raise NotConverted(
                f"texts of {name!r} that training never saw are refused, and there are too many "
                "that it saw to keep: use handle_unknown, or exclude the column"
            )
        return known

    def _in_time(self, deadline: float) -> None:
        if self.clock() > deadline:
            raise OutOfBounds(
                f"the pipeline is too slow to be asked about {len(self.roles.features)} columns "
                f"one by one within {EDGE_SECONDS:g} s"
            )
