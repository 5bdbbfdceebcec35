"""Profiles as the runner writes them, read in plain Python: what a comparison needs of each column.

The plugin installs without numpy and without the runner; a test holds both readings together.
"""

import json
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from typing import Any

VERSION = 1
Value = bool | int | float | str
GAMMA = 1.02
COARSEST = 6
_STEPS = (1 << COARSEST) / math.log(GAMMA)
_ORIGIN = 50_000 << COARSEST
_TINIEST = 5e-324
_DIGITS = {digit: rank for rank, digit in enumerate("0123456789abcdefghijklmnopqrstuvw")}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Histogram:
    """Counts by bucket in the order of values; the buckets are the runner's, at a level."""

    level: int
    buckets: tuple[tuple[int, int], ...]
    least: float | None
    greatest: float | None

    @cached_property
    def total(self) -> int:
        """How many values there are."""
        return sum(count for _, count in self.buckets)

    def at(self, level: int) -> "Histogram":
        """The same counts in coarser buckets."""
        steps = max(level - self.level, 0)
        coarse = ((_signed(key, abs(key) >> steps), count) for key, count in self.buckets)
        return replace(self, level=self.level + steps, buckets=_grouped(coarse))

    def magnitudes(self) -> "Histogram":
        """The histogram of the absolute values of all that is not zero."""
        ends = [abs(end) for end in (self.least, self.greatest) if end]
        other = ((abs(key), count) for key, count in self.buckets if key)
        greatest = max(ends, default=None)
        return replace(self, buckets=_grouped(other), least=None, greatest=greatest)

    def quantile(self, share: float) -> float:
        """The value below which `share` of the values are; NaN if there are none."""
        if not self.total:
            return math.nan
        sums = list(accumulate(count for _, count in self.buckets))
        place = bisect_right(sums, math.floor(share * (self.total - 1)))
        return self._middle(self.buckets[place][0])

    def _middle(self, key: int) -> float:
        size = abs(key)
        low = math.exp(((size << self.level) - _ORIGIN) / _STEPS) if size else _TINIEST
        top = min((((size + 1) << self.level) - _ORIGIN) / _STEPS, 709.78)
        high = math.exp(top) if size else _TINIEST
        value = _signed(key, 1) * (low / (1 + low / high)) * 2 if key else 0.0
        lowest = -math.inf if self.least is None else self.least
        highest = math.inf if self.greatest is None else self.greatest
        return float(min(max(value, lowest), highest))


def _signed(key: int, size: int) -> int:
    return -size if key < 0 else size


def _grouped(buckets: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    counts: Counter[int] = Counter()
    for key, count in buckets:
        counts[key] += count
    return tuple(sorted(counts.items()))


@dataclass(frozen=True)
class ColumnProfile:
    """What is known of a column; of a sensitive one no more than its counts."""

    name: str
    type: str
    sensitive: bool
    rows: int
    gaps: tuple[int, int, int, int]  # nulls, NaN, minus and plus infinity
    registers: str
    values: Mapping[Value, int] | None
    spread: Histogram | None
    moments: tuple[int, int] | None  # extremes in microseconds since 1970
    texts: tuple[str, str] | None

    @property
    def count(self) -> int:
        """Rows with a finite value."""
        return self.rows - sum(self.gaps)

    @property
    def missing(self) -> float:
        """Share of rows without a value."""
        return (self.gaps[0] + self.gaps[1]) / self.rows if self.rows else 0.0

    @cached_property
    def distinct(self) -> int:
        """Number of different values: exact where they are all kept, else within some percent."""
        return len(self.values) if self.values is not None else min(self._estimate(), self.count)

    @property
    def range(self) -> tuple[Value, Value] | None:
        """The least and the greatest value; moments as ISO 8601."""
        if self.moments is not None:
            dated = self.type == "Date"
            return moment(self.moments[0], dated=dated), moment(self.moments[1], dated=dated)
        if self.spread is not None and self.spread.least is not None:
            return self.spread.least, self.spread.greatest or 0
        return self.texts

    @property
    def median(self) -> float:
        """Of numbers: exact where all values are kept, else with an error below 1 %."""
        if self.values:
            sums = list(accumulate(self.values.values()))
            return float(list(self.values)[bisect_right(sums, (sums[-1] - 1) // 2)])
        return self.spread.quantile(0.5) if self.spread else math.nan

    def _estimate(self) -> int:
        """HyperLogLog, as the runner reads its registers."""
        number = len(self.registers)
        empty = self.registers.count("0")
        if empty:
            linear = number * math.log(number / empty)
            if linear <= 2.5 * number:
                return round(linear)
        total = math.fsum(2.0 ** -_DIGITS[digit] for digit in self.registers)
        return round(0.7213 / (1 + 1.079 / number) * number * number / total)


@dataclass(frozen=True)
class Profile:
    """The rows, and what is known of each column."""

    rows: int
    columns: Mapping[str, ColumnProfile]


def parse(data: bytes) -> Profile:
    """Read a stored profile; raises ValueError."""
    try:
        document = json.loads(data)
        if document["v"] != VERSION:
            raise ValueError(f"the profile has version {document['v']}: use a newer plugin")
        columns = [_column(part) for part in document["columns"]]
        return Profile(int(document["rows"]), {column.name: column for column in columns})
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"not a profile: {error!r}") from None


def _column(document: Mapping[str, Any]) -> ColumnProfile:
    values, texts, calendar = (document[name] for name in ("values", "texts", "calendar"))
    nulls, nans, low, high = (int(count) for count in document["gaps"])
    known = calendar and calendar["least"] is not None
    return ColumnProfile(
        name=str(document["name"]),
        type=str(document["type"]),
        sensitive=bool(document["sensitive"]),
        rows=int(document["rows"]),
        gaps=(nulls, nans, low, high),
        registers=str(document["registers"]),
        values=None if values is None else {value: int(count) for value, count in values},
        spread=_histogram(document["spread"]) if document["spread"] else None,
        moments=(int(calendar["least"]), int(calendar["greatest"])) if known else None,
        texts=(str(texts[0]), str(texts[1])) if texts else None,
    )


def _histogram(document: Mapping[str, Any]) -> Histogram:
    buckets = zip(document["keys"], document["counts"], strict=True)
    ends = document["least"], document["greatest"]
    return Histogram(int(document["level"]), tuple((int(k), int(n)) for k, n in buckets), *ends)


def moment(micros: int, *, dated: bool) -> str:
    """ISO 8601 of microseconds since 1970; the day alone for dates."""
    try:
        text = (_EPOCH + timedelta(microseconds=micros)).replace(tzinfo=None)
    except OverflowError:
        return f"year {1970 + micros // 31_556_952_000_000}"
    shown = text.isoformat(timespec="microseconds")
    return shown[:-16] if dated else shown.removesuffix(".000000") + "Z"
