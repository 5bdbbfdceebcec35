"""The profile of one column: counts, extremes, spread, and all its values when they are few."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tidemill_runner.profile import days, distinct, histogram
from tidemill_runner.profile.days import Calendar
from tidemill_runner.profile.distinct import Registers
from tidemill_runner.profile.histogram import Histogram
from tidemill_runner.schema import ColumnType

T = TypeVar("T")
Value = bool | int | float | str
Values = tuple[tuple[Value, int], ...]

MAX_VALUES = 1000
# A longer text is no category, and a thousand of them would be a data set.
MAX_LENGTH = 256
SHOWN_LENGTH = 100
NUMBERS = (ColumnType.INTEGER, ColumnType.FLOAT)
MOMENTS = (ColumnType.DATE, ColumnType.TIMESTAMP)
COUNTED = (*NUMBERS, ColumnType.BOOLEAN, ColumnType.STRING)


@dataclass(frozen=True)
class Gaps:
    """Cells that hold no finite value."""

    nulls: int = 0
    nans: int = 0
    minus_infinite: int = 0
    plus_infinite: int = 0

    @property
    def missing(self) -> int:
        return self.nulls + self.nans

    @property
    def total(self) -> int:
        return self.missing + self.minus_infinite + self.plus_infinite


@dataclass(frozen=True, eq=False)
class ColumnProfile:
    """What is known of a column; of a sensitive one no more than its counts.

    `values` are all values with their counts, in order, or None when there are more than
    `MAX_VALUES` or a text is longer than `MAX_LENGTH`. `sum` is exact, for integers only.
    """

    name: str
    type: ColumnType
    sensitive: bool
    rows: int
    gaps: Gaps
    registers: Registers
    values: Values | None = None
    sum: int | None = None
    spread: Histogram | None = None
    lengths: Histogram | None = None
    calendar: Calendar | None = None
    texts: tuple[str, str] | None = None

    @property
    def count(self) -> int:
        """Rows with a finite value."""
        return self.rows - self.gaps.total

    @property
    def missing(self) -> float:
        """Share of rows without a value: NULL or NaN."""
        return self.gaps.missing / self.rows if self.rows else 0.0

    @property
    def distinct(self) -> int:
        """Number of different values: exact where they are all kept, else ± 1.6 %."""
        if self.values is not None:
            return len(self.values)
        return min(distinct.estimate(self.registers), self.count)

    @property
    def range(self) -> tuple[Value, Value] | None:
        """The least and the greatest value; moments as ISO 8601, texts cut after 100 characters."""
        if self.calendar is not None and self.calendar.least is not None:
            dated = self.type is ColumnType.DATE
            ends = (self.calendar.least, self.calendar.greatest or 0)
            return days.text(ends[0], dated=dated), days.text(ends[1], dated=dated)
        if self.spread is not None and self.spread.least is not None:
            return self.spread.least, self.spread.greatest or 0
        return self.texts

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Exact where all values are kept, else with a relative error below 1 %; NaN if none."""
        if self.spread is None:
            raise ValueError(f"column {self.name!r} is {self.type}: it has no quantiles")
        if not self.values:
            return [self.spread.quantile(share) for share in shares]
        numbers = [float(value) for value, _ in self.values]
        sums = np.cumsum([count for _, count in self.values])
        ranks = [math.floor(share * (int(sums[-1]) - 1)) for share in shares]
        return [numbers[int(np.searchsorted(sums, rank, side="right"))] for rank in ranks]

    def mean(self) -> float:
        """Exact for integers and few values, else off by at most 0.03 % of the mean size."""
        if self.sum is not None and self.count:
            return self.sum / self.count
        numbers, counts, scale = self._weighted()
        return scale * _mean(numbers, counts)

    def deviation(self) -> float:
        """The standard deviation (n - 1); off by at most 0.03 % of the greatest size."""
        numbers, counts, scale = self._weighted()
        if sum(counts) < 2:
            return math.nan
        mean = _mean(numbers, counts)
        squares = (n * (number - mean) ** 2 for number, n in zip(numbers, counts, strict=True))
        return scale * math.sqrt(math.fsum(squares) / (sum(counts) - 1))

    def to_document(self) -> dict[str, Any]:
        gaps = self.gaps
        parts = {"spread": self.spread, "lengths": self.lengths, "calendar": self.calendar}
        return {
            "name": self.name,
            "type": str(self.type),
            "sensitive": self.sensitive,
            "rows": self.rows,
            "gaps": [gaps.nulls, gaps.nans, gaps.minus_infinite, gaps.plus_infinite],
            "registers": distinct.to_text(self.registers),
            "values": self.values,
            "sum": self.sum,
            "texts": self.texts,
            **{name: part and part.to_document() for name, part in parts.items()},
        }

    def _weighted(self) -> tuple[list[float], list[int], float]:
        """Values, their counts, and the power of two by which the values were divided.

        Divided none is greater than 1, so that neither sums nor squares overflow.
        """
        if self.values:
            numbers, counts = (
                [float(value) for value, _ in self.values],
                [n for _, n in self.values],
            )
        elif self.spread is not None:
            numbers, counts = self.spread.values().tolist(), self.spread.counts.tolist()
        else:
            return [], [], 1.0
        _, exponent = math.frexp(max(map(abs, numbers), default=1.0))
        # 2 ** 1024 is no double.
        scale = math.ldexp(1.0, min(exponent, 1023))
        return [number / scale for number in numbers], counts, scale


def _mean(numbers: Sequence[float], counts: Sequence[int]) -> float:
    if not counts:
        return math.nan
    return math.fsum(x * n for x, n in zip(numbers, counts, strict=True)) / sum(counts)


def merge(parts: Sequence[ColumnProfile]) -> ColumnProfile:
    """The same column over all rows; raises ValueError where it is not the same."""
    first = parts[0]
    for part in parts:
        if (part.name, part.type, part.sensitive) != (first.name, first.type, first.sensitive):
            raise ValueError(f"column {first.name!r} ({first.type}) is not {part.name!r} there")
    lengths = _whole([part.lengths for part in parts], histogram.merge)
    sums = [part.sum for part in parts if part.sum is not None]
    return ColumnProfile(
        first.name,
        first.type,
        first.sensitive,
        sum(part.rows for part in parts),
        _gaps([part.gaps for part in parts]),
        distinct.merge(part.registers for part in parts),
        _values([part.values for part in parts]),
        sum(sums) if sums else None,
        _whole([part.spread for part in parts], histogram.merge),
        lengths,
        _whole([part.calendar for part in parts], days.merge),
        _texts([part.texts for part in parts if part.texts]),
    )


def parse(document: dict[str, Any]) -> ColumnProfile:
    """Read what `to_document` wrote; raises KeyError, TypeError or ValueError."""
    values, texts = document["values"], document["texts"]
    return ColumnProfile(
        name=document["name"],
        type=ColumnType(document["type"]),
        sensitive=bool(document["sensitive"]),
        rows=int(document["rows"]),
        gaps=Gaps(*(int(count) for count in document["gaps"])),
        registers=distinct.from_text(document["registers"]),
        values=None if values is None else tuple((value, int(n)) for value, n in values),
        sum=document["sum"],
        spread=document["spread"] and histogram.parse(document["spread"]),
        lengths=document["lengths"] and histogram.parse(document["lengths"]),
        calendar=document["calendar"] and days.parse(document["calendar"]),
        texts=texts and (texts[0], texts[1]),
    )


def _whole(parts: list[T | None], merged: Callable[[Iterable[T]], T]) -> T | None:
    """All parts have it or none has: it depends on the type alone."""
    there = [part for part in parts if part is not None]
    return merged(there) if there else None


def _gaps(parts: Sequence[Gaps]) -> Gaps:
    return Gaps(
        sum(part.nulls for part in parts),
        sum(part.nans for part in parts),
        sum(part.minus_infinite for part in parts),
        sum(part.plus_infinite for part in parts),
    )


def _values(parts: Sequence[Values | None]) -> Values | None:
    counts: Counter[Value] = Counter()
    for part in parts:
        if part is None:
            return None
        counts.update(dict(part))
    return tuple(sorted(counts.items())) if len(counts) <= MAX_VALUES else None


def _texts(parts: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    if not parts:
        return None
    return min(low for low, _ in parts), max(high for _, high in parts)
