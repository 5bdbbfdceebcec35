"""Histograms of numbers with edges that no data can move, so that they add up.

Buckets are powers of 1.02: a value read from one is off by less than 1 % (DDSketch: Masson, Rim and
Lee, PVLDB 12, 2019). Where few are occupied, each is split into up to 64; two neighbours become one
as often as it takes to stay within `LIMIT` (UDDSketch: Epicoco et al., IEEE Access 8, 2020). The
level that is reached depends on the set of finest buckets alone, never on the order of merging.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Number = int | float

GAMMA = 1.02
COARSEST = 6
LIMIT = 2048
_STEPS = (1 << COARSEST) / math.log(GAMMA)
# Makes every index positive (the smallest double is at -37 592 · 64), and is a multiple of 64.
_ORIGIN = 50_000 << COARSEST
_TINIEST = 5e-324


def index_sql(number: str) -> str:
    """The finest bucket of an SQL number: 0 for zero, the sign is the number's; NULL for NULL."""
    size = f"greatest(abs(({number})::DOUBLE), {_TINIEST!r})"
    return f"CAST(sign({number}) * (floor(ln({size}) * {_STEPS!r}) + {_ORIGIN}) AS INTEGER)"


@dataclass(frozen=True)
class Histogram:
    """Counts by bucket in the order of values, with the exact extremes.

    `keys` are ±(index + origin) at `level` (0 is the finest), 0 for zero. `offsets` sums, in finest
    steps, how far above its bucket's lower edge each value is.
    """

    level: int
    keys: Integers
    counts: Integers
    offsets: Integers
    least: Number | None
    greatest: Number | None

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def values(self) -> Floats:
        """The mean value of each bucket, off by less than 0.03 % of itself."""
        steps = (np.abs(self.keys) << self.level) + self.offsets / np.maximum(self.counts, 1)
        return self.clip(np.sign(self.keys) * np.exp((steps + 0.5 - _ORIGIN) / _STEPS))

    def middles(self) -> Floats:
        """The value of each bucket nearest to all that it may hold (relative error < 1 %)."""
        inner, outer = self._edges()
        # In this order nothing overflows but the last step, whose infinity is cut off.
        with np.errstate(over="ignore"):
            return self.clip(np.sign(self.keys) * (inner / (1 + inner / outer)) * 2)

    def edges(self) -> tuple[Floats, Floats]:
        """Lower and upper edge of each bucket; both 0 for zero."""
        inner, outer = self._edges()
        sign = np.sign(self.keys)
        return np.where(sign < 0, -outer, sign * inner), np.where(sign < 0, -inner, sign * outer)

    def quantile(self, share: float) -> float:
        """The value below which `share` of the values are (relative error < 1 %); NaN if none."""
        if self.total == 0:
            return math.nan
        rank = math.floor(share * (self.total - 1))
        place = int(np.searchsorted(np.cumsum(self.counts), rank, side="right"))
        return float(self.middles()[place])

    def magnitudes(self) -> "Histogram":
        """The histogram of the absolute values of all that is not zero."""
        other = self.keys != 0
        keys = np.abs(self.keys[other])
        ends = [abs(end) for end in (self.least, self.greatest) if end]
        return _grouped(
            replace(self, least=None, greatest=max(ends, default=None)),
            keys,
            self.counts[other],
            self.offsets[other],
        )

    def at(self, level: int) -> "Histogram":
        """The same counts in coarser buckets."""
        histogram = self
        while histogram.level < level:
            histogram = histogram._coarser()
        return histogram

    def to_document(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "keys": self.keys.tolist(),
            "counts": self.counts.tolist(),
            "offsets": self.offsets.tolist(),
            "least": self.least,
            "greatest": self.greatest,
        }

    def _edges(self) -> tuple[Floats, Floats]:
        size = np.abs(self.keys)
        low = np.exp(((size << self.level) - _ORIGIN) / _STEPS)
        # The last bucket of all ends beyond the largest double.
        high = np.exp(np.minimum((((size + 1) << self.level) - _ORIGIN) / _STEPS, 709.78))
        return np.where(size > 0, low, _TINIEST), np.where(size > 0, high, _TINIEST)

    def clip(self, values: Floats) -> Floats:
        low = -math.inf if self.least is None else float(self.least)
        high = math.inf if self.greatest is None else float(self.greatest)
        return np.clip(values, low, high)

    def _coarser(self) -> "Histogram":
        size = np.abs(self.keys)
        offsets = self.offsets + self.counts * ((size & 1) << self.level)
        coarse = replace(self, level=self.level + 1)
        return _grouped(coarse, np.sign(self.keys) * (size >> 1), self.counts, offsets)


def build(
    keys: Integers, counts: Integers, least: Number | None, greatest: Number | None
) -> Histogram:
    """A histogram of finest buckets, as coarse as it has to be."""
    empty = np.zeros(0, np.int64)
    finest = Histogram(0, empty, empty, empty, least, greatest)
    return _fit(_grouped(finest, keys, counts, np.zeros(len(keys), np.int64)))


def merge(parts: Iterable[Histogram]) -> Histogram:
    parts = list(parts)
    level = max(part.level for part in parts)
    parts = [part.at(level) for part in parts]
    lows = [part.least for part in parts if part.least is not None]
    highs = [part.greatest for part in parts if part.greatest is not None]
    whole = replace(parts[0], least=min(lows, default=None), greatest=max(highs, default=None))
    return _fit(
        _grouped(
            whole,
            np.concatenate([part.keys for part in parts]),
            np.concatenate([part.counts for part in parts]),
            np.concatenate([part.offsets for part in parts]),
        )
    )


def parse(document: dict[str, Any]) -> Histogram:
    """Read what `to_document` wrote; raises KeyError, TypeError or ValueError."""
    keys, counts, offsets = (
        np.array(document[name], np.int64) for name in ("keys", "counts", "offsets")
    )
    ends = document["least"], document["greatest"]
    return Histogram(int(document["level"]), keys, counts, offsets, *ends)


def _fit(histogram: Histogram) -> Histogram:
    while len(histogram.keys) > LIMIT and histogram.level < COARSEST:
        histogram = histogram._coarser()  # noqa: SLF001 - its own kind
    return histogram


def _grouped(like: Histogram, keys: Integers, counts: Integers, offsets: Integers) -> Histogram:
    """Equal keys together, in order."""
    found, places = np.unique(keys.astype(np.int64), return_inverse=True)
    sums = np.zeros((2, len(found)), np.int64)
    np.add.at(sums[0], places, counts)
    np.add.at(sums[1], places, offsets)
    return replace(like, keys=found, counts=sums[0], offsets=sums[1])
