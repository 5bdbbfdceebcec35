"""The first metric in parts of the rows, so that a good mean hides no bad part.

A part is called worse when its whole interval lies on the worse side of the metric of all rows; the
intervals are so wide that over all parts together 5 % of judgements are wrong (Bonferroni), since
among many parts one looks bad by chance.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tidemill.pages import svg
from tidemill.stats import catalog
from tidemill.stats.drawn import Drawn
from tidemill.stats.estimate import CONFIDENCE, Estimate
from tidemill.stats.resampling import Draws
from tidemill.stats.weighted import subset
from tidemill_runner.judgement.asked import Slice
from tidemill_runner.judgement.scene import Scene, codes_of
from tidemill_runner.schema import ColumnType

MOST_VALUES = 20
QUARTERS = 4
_RESAMPLED = 2_000
_GLANCE = 1_000
MIN_GROUPS = 5
_LABEL = 80
_ORDERED = (ColumnType.INTEGER, ColumnType.FLOAT, ColumnType.DATE, ColumnType.TIMESTAMP)
MISSING = "(missing)"

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """Rows of one value or range.

    `estimate` is None where the metric is not defined on them, or they are of too few groups.
    """

    name: str
    n: int
    estimate: Estimate | None
    worse: bool


@dataclass(frozen=True)
class Parts:
    """The parts by one column; rows in parts too small or beyond the most frequent are counted."""

    column: str
    metric: str
    parts: tuple[Part, ...]
    small: int
    rest: int


def measure(scene: Scene) -> tuple[Parts, ...]:
    """All slices asked for; none where no metric could be measured."""
    if not scene.evaluation.metrics:
        return ()
    cut = [_cut(scene, one) for one in scene.asked.slices]
    tests = max(sum(len(masks) for masks, _, _ in cut), 1)
    return tuple(
        _judged(scene, wanted.column, found, 1 - (1 - CONFIDENCE) / tests)
        for wanted, found in zip(scene.asked.slices, cut, strict=True)
    )


def _cut(scene: Scene, wanted: Slice) -> tuple[list[tuple[str, Mask]], int, int]:
    """Parts large enough; rows in parts that are not, and in those beyond the most frequent."""
    values = scene.held(wanted.column)
    schema = next(c for c in scene.roles.beside if c.name == wanted.column)
    name: Callable[[int], str]
    if schema.type in _ORDERED and _many(values):
        codes, quarters = _quarters(values)
        name = quarters.__getitem__
    else:
        codes, distinct = by_value(values)
        name = partial(_of_value, distinct)
    counts = np.bincount(codes)
    order = np.argsort(-counts, kind="stable")
    large = [code for code in order if counts[code] >= wanted.min_rows]
    kept = sorted(large[:MOST_VALUES])
    rest = int(counts[large[MOST_VALUES:]].sum())
    small = int(counts.sum()) - int(counts[large].sum())
    return [(name(code), codes == code) for code in kept], small, rest


def _many(values: pa.ChunkedArray) -> bool:
    """Whether there are more values than are judged one by one; mostly a few rows tell."""
    seen: bool = pc.count_distinct(values.slice(0, _GLANCE)).as_py() > MOST_VALUES
    return seen or pc.count_distinct(values).as_py() > MOST_VALUES


def by_value(values: pa.ChunkedArray) -> tuple[NDArray[np.int64], pa.Array]:
    """Codes in the order of the values, and the value of each."""
    found = codes_of(values)
    _, first = np.unique(found, return_index=True)
    # Arrow's order has NaN after all numbers and what is missing last.
    distinct = pa.concat_arrays(values.take(pa.array(first)).chunks)
    order = pc.sort_indices(distinct)
    rank = np.empty(len(order), np.int64)
    rank[order.to_numpy()] = np.arange(len(order))
    return rank[found], distinct.take(order)


def _of_value(distinct: pa.Array, code: int) -> str:
    return named(distinct[int(code)].as_py())


def named(value: object) -> str:
    """A value as people read it."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    return svg.short(value, _LABEL) if value != "" else "(empty)"


def _quarters(values: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[str]]:
    """Four parts of about as many rows each, cut between values; what is missing is a fifth."""
    present = pc.is_valid(values).to_numpy()
    there = values.filter(pa.array(present))
    numbers = pc.rank(there, sort_keys="ascending", tiebreaker="min").to_numpy().astype(np.int64)
    place = np.minimum((numbers - 1) * QUARTERS // max(len(numbers), 1), QUARTERS - 1)
    codes = np.full(len(present), QUARTERS, np.int64)
    codes[present] = place
    names = []
    for quarter in range(QUARTERS):
        own = there.filter(pa.array(place == quarter))
        ends = pc.min_max(own).as_py()
        names.append(f"{named(ends['min'])} … {named(ends['max'])}" if len(own) else "")
    return codes, [*names, MISSING]


def _judged(
    scene: Scene,
    column: str,
    cut: tuple[list[tuple[str, Mask]], int, int],
    confidence: float,
) -> Parts:
    masks, small, rest = cut
    whole = scene.evaluation.metrics[0]
    parts = tuple(_part(scene, name, mask, confidence) for name, mask in masks)
    return Parts(column, whole.name, parts, small, rest)


def _part(scene: Scene, name: str, mask: Mask, confidence: float) -> Part:
    whole, n = scene.evaluation.metrics[0], int(mask.sum())
    groups = None if scene.held_groups is None else scene.held_groups[mask]
    if groups is not None and len(np.unique(groups)) < MIN_GROUPS:
        return Part(name, n, None, worse=False)
    draws = Draws.of(n, groups, scene.seed, _RESAMPLED)
    drawn = Drawn.of(whole.name, subset(scene.evaluation.rows, mask), draws, scene.seed)
    if drawn is None:
        return Part(name, n, None, worse=False)
    wide = drawn.estimate(confidence)
    more = whole.name in catalog.MORE_IS_BETTER
    worse = wide.high < whole.value if more else wide.low > whole.value
    return Part(name, n, drawn.estimate(), worse)
