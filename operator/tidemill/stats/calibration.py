"""Whether probabilities come true: reliability, calibration error, the parts of Brier's score.

Rows are cut into bins of about equal size by the probability given, never between equal ones. The
expected calibration error is the mean distance of both means of a bin, weighted by its rows
(Naeini, Cooper and Hauskrecht, AAAI 2015). It is above zero for a perfect model, too, by chance
alone: what chance gives is simulated from the probabilities (Bröcker and Smith, Weather and
Forecasting 22, 2007). Brier's score is reliability − resolution + uncertainty (Murphy, Journal of
Applied Meteorology 12, 1973) and what is left within bins (Stephenson, Coelho and Jolliffe, Weather
and Forecasting 23, 2008).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemill.stats.intervals import Floats, wilson

BINS = 10
_SIMULATED = 2_000


@dataclass(frozen=True)
class Bin:
    """Rows, the mean probability given, the share that came true with Wilson's 95 % interval."""

    n: int
    given: float
    happened: float
    low: float
    high: float


@dataclass(frozen=True)
class Calibration:
    """`chance` is what a perfect model's `ece` stays below in 95 of 100 draws of such rows."""

    bins: tuple[Bin, ...]
    ece: float
    chance: float
    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float


def calibration(given: Floats, happened: NDArray[np.bool_], seed: int) -> Calibration:
    """Of n ≥ 1 rows: the probabilities of something, and whether it happened."""
    edges = np.unique(np.quantile(given, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    _, places = np.unique(np.searchsorted(edges, given, side="left"), return_inverse=True)
    sizes = np.bincount(places)
    truth = happened.astype(np.float64)
    hits = np.bincount(places, truth)
    said = np.bincount(places, given) / sizes
    share, base = hits / sizes, float(truth.mean())
    weights = sizes / len(given)
    reliability = float(weights @ (said - share) ** 2)
    resolution = float(weights @ (share - base) ** 2)
    brier = float(((given - truth) ** 2).mean())
    uncertainty = base * (1 - base)
    spread = np.sqrt(np.bincount(places, given * (1 - given))) / sizes
    drawn = np.abs(np.random.default_rng(seed).normal(size=(_SIMULATED, len(sizes))) * spread)
    bins = (
        Bin(int(n), float(p), float(s), *wilson(int(h), int(n)))
        for n, p, s, h in zip(sizes, said, share, hits, strict=True)
    )
    return Calibration(
        bins=tuple(bins),
        ece=float(weights @ np.abs(said - share)),
        chance=float(np.quantile(drawn @ weights, 0.95)),
        brier=brier,
        reliability=reliability,
        resolution=resolution,
        uncertainty=uncertainty,
        within=brier - (reliability - resolution + uncertainty),
    )
