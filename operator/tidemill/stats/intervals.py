"""Confidence intervals: Wilson's for proportions, the bootstrap for everything else.

The bootstrap draws how often each row counts, not the rows themselves, so that a replicate is a
product of matrices. Its cost is bounded: from more than `LIMIT` rows a sample of them is resampled
and the deviations are scaled by the root of the ratio ("m out of n", Bickel, Götze and van Zwet,
Statistica Sinica 7, 1997).
"""

from collections.abc import Callable, Iterator
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tidemill.stats.estimate import CONFIDENCE

Floats = NDArray[np.float64]
# Given counts (replicates × rows), the statistic of each replicate.
Statistic = Callable[[Floats], Floats]

REPLICATES = 1000
LIMIT = 10_000
_CHUNK_CELLS = 1_000_000


def wilson(hits: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Score interval of a proportion (Wilson, JASA 22, 1927); good also near 0 and 1.

    >>> tuple(round(end, 4) for end in wilson(8, 10))
    (0.4902, 0.9433)
    """
    if n <= 0:
        raise ValueError("a proportion of no rows has no interval")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    # At the very ends rounding must not push the interval off the estimate.
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == n else min(1.0, centre + half)
    return low, high


def bootstrap(
    statistic: Callable[[NDArray[np.intp]], Statistic],
    n: int,
    *,
    seed: int,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """Percentile interval of a statistic of `n` rows.

    `statistic(rows)` prepares the statistic for some of the rows (indices) and returns a function
    from counts over these rows to values; replicates that it leaves undefined (NaN) are dropped.
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(n) if n <= LIMIT else np.sort(rng.choice(n, LIMIT, replace=False))
    prepared = statistic(rows)
    replicates = np.concatenate([prepared(counts) for counts in _counts(rng, len(rows))])
    replicates = replicates[np.isfinite(replicates)]
    whole = float(statistic(np.arange(n))(np.ones((1, n)))[0])
    if not replicates.size:
        return whole, whole
    centre = float(prepared(np.ones((1, len(rows))))[0])
    deviations = (replicates - centre) * (len(rows) / n) ** 0.5
    tail = (1 - confidence) / 2
    low, high = np.quantile(deviations, [tail, 1 - tail])
    return whole + float(low), whole + float(high)


def cells_bootstrap(
    statistic: Callable[[Floats], Floats],
    cells: NDArray[np.int64],
    *,
    seed: int,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """Percentile interval of a statistic of a table of counts: rows in one cell are exchangeable.

    Resampling n rows is then one multinomial draw, whatever n is (Efron and Tibshirani, 1993, §6).
    """
    rng = np.random.default_rng(seed)
    total = int(cells.sum())
    # Only cells that hold something can be drawn: with many classes most are empty.
    filled = np.flatnonzero(cells)
    shares = cells.ravel()[filled] / total
    size = max(1, min(REPLICATES, _CHUNK_CELLS // cells.size))
    found: list[Floats] = []
    for start in range(0, REPLICATES, size):
        some = min(size, REPLICATES - start)
        drawn = np.zeros((some, cells.size))
        drawn[:, filled] = rng.multinomial(total, shares, size=some)
        found.append(statistic(drawn.reshape(some, *cells.shape)))
    values = np.concatenate(found)
    values = values[np.isfinite(values)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _counts(rng: np.random.Generator, n: int) -> Iterator[Floats]:
    """How often each of n rows is drawn, in chunks of replicates of bounded size."""
    size = max(1, min(REPLICATES, _CHUNK_CELLS // n))
    for start in range(0, REPLICATES, size):
        some = min(size, REPLICATES - start)
        offsets = np.arange(some)[:, None] * n
        drawn = (rng.integers(0, n, size=(some, n)) + offsets).ravel()
        yield np.bincount(drawn, minlength=some * n).reshape(some, n).astype(np.float64)
