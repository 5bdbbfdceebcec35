"""How far two distributions are apart, and how far chance alone would put them.

The same measures, floors and limits as the checks of an ingest use, in plain Python: what `diff`
calls moved is what the check `distribution` finds moved.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

from tidemill.cli.columns import Histogram, Value

ALPHA = 0.01
EFFECT = 0.1
SCALE = 10.0
MIN_ROWS = 20
_QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Effect:
    """A distance from 0 to 1, the distance that chance explains, and how it was measured."""

    measure: str
    distance: float
    floor: float

    @property
    def matters(self) -> bool:
        """Whether it is more than chance, and enough to be told."""
        return self.distance > max(EFFECT, self.floor)


def shares_floor(n: int, m: int, tests: int) -> float:
    """What chance explains of a difference of shares (Kolmogorov-Smirnov, Bonferroni)."""
    if not n or not m:
        return math.inf
    return math.sqrt(-math.log(ALPHA / (2 * max(tests, 1))) / 2 * (n + m) / (n * m))


def numbers(before: Histogram, after: Histogram, tests: int) -> Effect:
    """Kolmogorov-Smirnov D, from the edges that both have."""
    level = max(before.level, after.level)
    one, two = dict(before.at(level).buckets), dict(after.at(level).buckets)
    floor = shares_floor(before.total, after.total, tests)
    if not before.total or not after.total:
        return Effect("KolmogorovSmirnov", 0.0, floor)
    first = second = 0
    distance = 0.0
    for key in sorted({*one, *two}):
        first += one.get(key, 0)
        second += two.get(key, 0)
        distance = max(distance, abs(first / before.total - second / after.total))
    return Effect("KolmogorovSmirnov", distance, floor)


def categories(before: Mapping[Value, int], after: Mapping[Value, int], tests: int) -> Effect:
    """Jensen-Shannon distance to base 2, its floor by the quantile of χ²."""
    n, m = sum(before.values()), sum(after.values())
    if not n or not m:
        return Effect("JensenShannon", 0.0, math.inf)
    kinds = {**before, **after}
    divergence = 0.0
    for kind in kinds:
        p, q = before.get(kind, 0) / n, after.get(kind, 0) / m
        middle = (p + q) / 2
        divergence += sum(part * math.log2(part / middle) / 2 for part in (p, q) if part)
    quantile = _chi_square(len(kinds) - 1, ALPHA / max(tests, 1))
    bits = quantile * (n + m) / (8 * n * m * math.log(2))
    return Effect("JensenShannon", math.sqrt(max(divergence, 0.0)), math.sqrt(bits))


def scale(before: Histogram, after: Histogram, tests: int) -> float | None:
    """By what factor sizes changed, when all their quartiles did by ten or more; else None."""
    one, two = before.magnitudes(), after.magnitudes()
    if min(one.total, two.total) < MIN_ROWS or not numbers(one, two, tests).matters:
        return None
    ratios = [two.quantile(share) / one.quantile(share) for share in _QUARTILES]
    # Quantiles are read from buckets: a factor of ten exactly may be read as 9.9.
    least = SCALE / 1.02
    return ratios[1] if min(ratios) >= least or max(ratios) <= 1 / least else None


def _chi_square(freedom: int, tail: float) -> float:
    if freedom < 1:
        return 0.0
    part = 2 / (9 * freedom)
    return freedom * max(1 - part + NormalDist().inv_cdf(1 - tail) * math.sqrt(part), 0.0) ** 3
