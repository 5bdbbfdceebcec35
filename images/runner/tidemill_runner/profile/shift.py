"""How far two distributions are apart, and how far chance alone would put them.

An effect counts only above its sampling floor: at small n everything looks moved, at large n
everything is significant and hardly anything matters.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tidemill_runner.profile.column import Value
from tidemill_runner.profile.histogram import Histogram

ALPHA = 0.01
# A shift by 0.3 standard deviations of a normal variable has D = 0.12.
EFFECT = 0.1
# Quartiles of sizes that must all move for a change of unit, and by how much.
_QUARTILES = (0.25, 0.5, 0.75)
SCALE = 10.0
MIN_ROWS = 20


@dataclass(frozen=True)
class Effect:
    """A distance from 0 to 1, the distance that chance explains, and how it was measured."""

    measure: str
    distance: float
    floor: float

    @property
    def matters(self) -> bool:
        return self.distance > max(EFFECT, self.floor)


def shares_floor(n: int, m: int, tests: int) -> float:
    """What chance explains of a difference of shares or of distribution functions.

    The two-sample Kolmogorov-Smirnov bound at `ALPHA`, split evenly over all `tests` (Bonferroni):
    sqrt(-ln(α / 2k) / 2 · (n + m) / nm).
    """
    if not n or not m:
        return math.inf
    return math.sqrt(-math.log(ALPHA / (2 * max(tests, 1))) / 2 * (n + m) / (n * m))


def numbers(before: Histogram, after: Histogram, tests: int) -> Effect:
    """Kolmogorov-Smirnov D, from the edges that both have; never more than that of the rows."""
    level = max(before.level, after.level)
    one, two = before.at(level), after.at(level)
    floor = shares_floor(one.total, two.total, tests)
    if not one.total or not two.total:
        return Effect("KolmogorovSmirnov", 0.0, floor)
    keys = np.union1d(one.keys, two.keys)
    distance = float(np.abs(_cumulated(one, keys) - _cumulated(two, keys)).max())
    return Effect("KolmogorovSmirnov", distance, floor)


def categories(before: Mapping[Value, int], after: Mapping[Value, int], tests: int) -> Effect:
    """Jensen-Shannon distance to base 2 (Endres and Schindelin, IEEE Trans. IT 49, 2003).

    Without a shift 8 n m / (n + m) times the divergence in nats is about χ² with one degree of
    freedom less than there are categories; its quantile is Wilson and Hilferty's.
    """
    kinds = list({**before, **after})
    n, m = sum(before.values()), sum(after.values())
    if not n or not m:
        return Effect("JensenShannon", 0.0, math.inf)
    p = np.array([before.get(kind, 0) for kind in kinds]) / n
    q = np.array([after.get(kind, 0) for kind in kinds]) / m
    middle = (p + q) / 2
    divergence = (_relative(p, middle) + _relative(q, middle)) / 2
    freedom = len(kinds) - 1
    bits = _chi_square(freedom, ALPHA / max(tests, 1)) * (n + m) / (8 * n * m * math.log(2))
    return Effect("JensenShannon", math.sqrt(max(divergence, 0.0)), math.sqrt(bits))


def scale(before: Histogram, after: Histogram, tests: int) -> float | None:
    """By what factor sizes changed, when all their quartiles did by ten or more; else None.

    A changed unit moves the whole distribution, one that grew a tail does not. Over very many
    orders of magnitude chance moves quartiles as far: sizes must have shifted beyond it.
    """
    one, two = before.magnitudes(), after.magnitudes()
    if min(one.total, two.total) < MIN_ROWS or not numbers(one, two, tests).matters:
        return None
    ratios = [two.quantile(share) / one.quantile(share) for share in _QUARTILES]
    # Quantiles are read from buckets: a factor of ten exactly may be read as 9.9.
    least = SCALE / 1.02
    if min(ratios) >= least or max(ratios) <= 1 / least:
        return ratios[1]
    return None


def _cumulated(histogram: Histogram, keys: np.ndarray) -> np.ndarray:
    counts = np.zeros(len(keys), np.int64)
    counts[np.searchsorted(keys, histogram.keys)] = histogram.counts
    return np.cumsum(counts) / histogram.total


def _relative(p: np.ndarray, q: np.ndarray) -> float:
    """Relative entropy in bits."""
    there = p > 0
    return float(np.sum(p[there] * np.log2(p[there] / q[there])))


def _chi_square(freedom: int, tail: float) -> float:
    if freedom < 1:
        return 0.0
    z = NormalDist().inv_cdf(1 - tail)
    part = 2 / (9 * freedom)
    return freedom * max(1 - part + z * math.sqrt(part), 0.0) ** 3
