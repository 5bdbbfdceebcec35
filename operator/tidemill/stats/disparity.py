"""How far groups of people differ in what a model says of them, with intervals that hold for all.

Rates are shares of hits, one per group; the gap is the largest difference of two of them, as
fairlearn has it. Its interval is simultaneous over all pairs of groups (Bonferroni), since the pair
that differs most was chosen by looking: each pair has Newcombe's hybrid score interval (Statistics
in Medicine 17, 1998, method 10), or, where rows come in groups that belong together, a normal one
with the resampled deviation. The gap of the truth lies between the largest lower end and the
largest upper end.
"""

from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tidemill.stats.estimate import CONFIDENCE
from tidemill.stats.intervals import Floats, wilson

Counts = NDArray[np.int64]
Gap = tuple[float, float, float]


def newcombe(
    one: tuple[int, int], other: tuple[int, int], confidence: float
) -> tuple[float, float]:
    """Interval of the difference of two proportions, each as hits and rows."""
    first, second = one[0] / one[1], other[0] / other[1]
    low1, high1 = wilson(*one, confidence)
    low2, high2 = wilson(*other, confidence)
    difference = first - second
    low = difference - ((first - low1) ** 2 + (high2 - second) ** 2) ** 0.5
    high = difference + ((high1 - first) ** 2 + (second - low2) ** 2) ** 0.5
    return low, high


def gap(hits: Counts, totals: Counts, confidence: float = CONFIDENCE) -> Gap:
    """Largest difference of rates, low and high; every total is above 0."""
    rates = hits / totals
    each = 1 - (1 - confidence) / _pairs(len(rates))
    ends = [
        _distance(newcombe((int(hits[i]), int(totals[i])), (int(hits[j]), int(totals[j])), each))
        for i, j in combinations(range(len(rates)), 2)
    ]
    return _largest(rates, ends)


def resampled_gap(
    rates: Floats, replicates: Floats, units: Counts, confidence: float = CONFIDENCE
) -> Gap:
    """The same from replicates (replicates × groups) of deviations from the rates.

    `units` are how many were drawn from of each group. Where no draw differs from another, they
    stand for rows.
    """
    each = 1 - (1 - confidence) / _pairs(len(rates))
    z = NormalDist().inv_cdf(0.5 + each / 2)
    ends = []
    for i, j in combinations(range(len(rates)), 2):
        deviations = replicates[:, i] - replicates[:, j]
        known = deviations[np.isfinite(deviations)]
        spread = float(known.std()) if known.size else 0.0
        difference = float(rates[i] - rates[j])
        if spread > 0:
            ends.append(_distance((difference - z * spread, difference + z * spread)))
        else:
            one, other = ((round(float(rates[k]) * int(units[k])), int(units[k])) for k in (i, j))
            ends.append(_distance(newcombe(one, other, each)))
    return _largest(rates, ends)


def worst(gaps: list[Gap]) -> Gap:
    """The largest of several gaps; their confidences must have been split between them."""
    value, low, high = (max(ends) for ends in zip(*gaps, strict=True))
    return value, low, high


def _pairs(groups: int) -> int:
    return max(groups * (groups - 1) // 2, 1)


def _distance(ends: tuple[float, float]) -> tuple[float, float]:
    """Of a difference's interval that of its size."""
    low, high = ends
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return nearest, min(max(abs(low), abs(high)), 1.0)


def _largest(rates: Floats, ends: list[tuple[float, float]]) -> Gap:
    value = float(rates.max() - rates.min())
    low = max((end for end, _ in ends), default=0.0)
    high = max((end for _, end in ends), default=0.0)
    return value, min(low, value), max(high, value)
