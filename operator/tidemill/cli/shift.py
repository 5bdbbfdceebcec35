"""How far two distributions are apart, in plain Python.

The measures are those of an ingest, floors and limits the very same: what `diff` calls moved is
what the check `distribution` finds moved.
"""

import math
from collections.abc import Mapping

from tidemill.cli.columns import Histogram, Value
from tidemill.stats.effect import Effect, categories_floor, rescaled, shares_floor


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
    """Jensen-Shannon distance to base 2."""
    n, m = sum(before.values()), sum(after.values())
    if not n or not m:
        return Effect("JensenShannon", 0.0, math.inf)
    kinds = {**before, **after}
    divergence = 0.0
    for kind in kinds:
        p, q = before.get(kind, 0) / n, after.get(kind, 0) / m
        middle = (p + q) / 2
        divergence += sum(part * math.log2(part / middle) / 2 for part in (p, q) if part)
    floor = categories_floor(len(kinds), n, m, tests)
    return Effect("JensenShannon", math.sqrt(max(divergence, 0.0)), floor)


def scale(before: Histogram, after: Histogram, tests: int) -> float | None:
    """By what factor sizes changed, as `rescaled` tells; else None."""
    one, two = before.magnitudes(), after.magnitudes()
    return rescaled(one, two) if numbers(one, two, tests).matters else None
