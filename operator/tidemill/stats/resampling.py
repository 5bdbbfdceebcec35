"""Resampling rows, or whole groups of them, for several statistics at once.

All statistics of one resampling see the same draws, so that the interval of a difference is paired:
what makes two models err alike on a row cancels. Where rows of one entity belong together (those of
a site, of a patient), entities are drawn, not rows (the cluster bootstrap: Davison and Hinkley,
Bootstrap Methods and their Application, 1997, §3.8; Field and Welsh, JRSS B 69, 2007): rows that
repeat each other are not counted as if each told something new.

The cost is bounded as in `intervals`: of more than `LIMIT` rows or groups a sample is resampled and
deviations are scaled by the root of the ratio. Where few groups hold more rows than `MOST_ROWS`, a
sample of the rows stands for them, which makes intervals a little too wide, never too narrow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemill.stats.estimate import CONFIDENCE
from tidemill.stats.intervals import Floats, Statistic

Rows = NDArray[np.intp]
Codes = NDArray[np.int64]
# Prepares a statistic for some of the rows.
Prepare = Callable[[Rows], Statistic]

REPLICATES = 500
LIMIT = 5_000
MOST_ROWS = 10_000
_CHUNK_CELLS = 1_000_000


@dataclass(frozen=True)
class Resampled:
    """Statistics on all `n` rows, and by how much replicates of them (in rows) deviate."""

    n: int
    whole: Floats
    deviations: Floats

    def interval(
        self, weights: Floats, confidence: float = CONFIDENCE
    ) -> tuple[float, float, float]:
        """Value, low and high of a sum of the statistics; NaN where it is not defined."""
        used = np.flatnonzero(weights)
        value = float(self.whole[used] @ weights[used])
        deviations = self.deviations[:, used] @ weights[used]
        deviations = deviations[np.isfinite(deviations)]
        if not deviations.size or not np.isfinite(value):
            return value, value, value
        tail = (1 - confidence) / 2
        low, high = np.quantile(deviations, [tail, 1 - tail])
        # Of a statistic at its bound all deviations may lie on one side.
        return value, value + min(float(low), 0.0), value + max(float(high), 0.0)


@dataclass(frozen=True)
class Draws:
    """Which rows are resampled, of which of `units` groups each is, and how deviations scale."""

    n: int
    rows: Rows
    codes: Codes | None
    units: int
    scale: float

    @classmethod
    def of(cls, n: int, groups: Codes | None, seed: int, limit: int = LIMIT) -> "Draws":
        """Draw from `n` rows; `groups` are their codes, from 0 on."""
        rng = np.random.default_rng(seed)
        if groups is None:
            units = min(n, limit)
            rows = np.arange(n) if n <= limit else np.sort(rng.choice(n, limit, replace=False))
            return cls(n, rows, None, units, (units / n) ** 0.5)
        there = np.flatnonzero(np.bincount(groups))
        units = min(len(there), limit)
        kept = there if units == len(there) else rng.choice(there, units, replace=False)
        rows = np.flatnonzero(_among(groups, kept))
        if len(rows) > MOST_ROWS:
            rows = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
        kept, codes = np.unique(groups[rows], return_inverse=True)
        return cls(n, rows, codes, len(kept), (len(kept) / len(there)) ** 0.5)

    def resample(
        self, prepared: Sequence[Prepare], seed: int, replicates: int = REPLICATES
    ) -> Resampled:
        """Evaluate all statistics on all rows and on the same draws."""
        everywhere = np.arange(self.n)
        whole = np.array([float(one(everywhere)(np.ones((1, self.n)))[0]) for one in prepared])
        some = [one(self.rows) for one in prepared]
        centre = np.array([float(one(np.ones((1, len(self.rows))))[0]) for one in some])
        rng = np.random.default_rng(seed)
        size = max(1, min(replicates, _CHUNK_CELLS // max(len(self.rows), self.units)))
        parts: list[Floats] = []
        for start in range(0, replicates, size):
            counts = self._counts(rng, min(size, replicates - start))
            parts.append(np.stack([one(counts) for one in some], axis=1))
        return Resampled(self.n, whole, (np.concatenate(parts) - centre) * self.scale)

    def _counts(self, rng: np.random.Generator, replicates: int) -> Floats:
        """How often each row counts: as often as its group was drawn."""
        offsets = np.arange(replicates)[:, None] * self.units
        drawn = (rng.integers(0, self.units, size=(replicates, self.units)) + offsets).ravel()
        counts = np.bincount(drawn, minlength=replicates * self.units)
        units: Floats = counts.reshape(replicates, self.units).astype(np.float64)
        return units if self.codes is None else units[:, self.codes]


def _among(codes: Codes, kept: NDArray[np.intp]) -> NDArray[np.bool_]:
    wanted = np.zeros(int(codes.max()) + 1, bool)
    wanted[kept] = True
    return wanted[codes]
