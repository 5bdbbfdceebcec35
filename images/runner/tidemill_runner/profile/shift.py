"""How far two distributions are apart; what of it counts is judged by `tidemill.stats.effect`."""

import math
from collections.abc import Mapping

import numpy as np

from tidemill.stats.effect import Effect, categories_floor, rescaled, shares_floor
from tidemill_runner.profile.column import Value
from tidemill_runner.profile.histogram import Histogram


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
    """Jensen-Shannon distance to base 2 (Endres and Schindelin, IEEE Trans. IT 49, 2003)."""
    kinds = list({**before, **after})
    n, m = sum(before.values()), sum(after.values())
    if not n or not m:
        return Effect("JensenShannon", 0.0, math.inf)
    p = np.array([before.get(kind, 0) for kind in kinds]) / n
    q = np.array([after.get(kind, 0) for kind in kinds]) / m
    middle = (p + q) / 2
    divergence = (_relative(p, middle) + _relative(q, middle)) / 2
    floor = categories_floor(len(kinds), n, m, tests)
    return Effect("JensenShannon", math.sqrt(max(divergence, 0.0)), floor)


def scale(before: Histogram, after: Histogram, tests: int) -> float | None:
    """By what factor sizes changed, as `rescaled` tells; else None.

    Over very many orders of magnitude chance moves quartiles as far: sizes must have shifted beyond
    it.
    """
    one, two = before.magnitudes(), after.magnitudes()
    return rescaled(one, two) if numbers(one, two, tests).matters else None


def _cumulated(histogram: Histogram, keys: np.ndarray) -> np.ndarray:
    counts = np.zeros(len(keys), np.int64)
    counts[np.searchsorted(keys, histogram.keys)] = histogram.counts
    return np.cumsum(counts) / histogram.total


def _relative(p: np.ndarray, q: np.ndarray) -> float:
    """Relative entropy in bits."""
    there = p > 0
    return float(np.sum(p[there] * np.log2(p[there] / q[there])))
