"""Errors of a regression: how far off, to which side, and where."""

from dataclasses import dataclass

import numpy as np

from tidemill.stats.estimate import Estimate
from tidemill.stats.regression import Regressed
from tidemill.stats.resampling import Draws
from tidemill.stats.weighted import mean

SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BARS = 40
PARTS = 10


@dataclass(frozen=True)
class Part:
    """Rows with neighbouring predictions: the errors' quantiles of 5, 50 and 95 %."""

    n: int
    predicted: float
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Residuals:
    """Of predicted less true: mean with interval, quantiles (`SHARES`), bars, and by prediction.

    Bars go from the first to the last of the quantiles.
    """

    bias: Estimate
    quantiles: tuple[float, ...]
    bars: tuple[int, ...]
    parts: tuple[Part, ...]


def residuals(rows: Regressed, draws: Draws, seed: int) -> Residuals:
    """Of n ≥ 1 rows."""
    errors = rows.predicted - rows.truth
    value, low, high = draws.resample([mean(errors)], seed).interval(np.ones(1))
    quantiles = np.quantile(errors, SHARES)
    bars = np.histogram(errors, BARS, (quantiles[0], quantiles[-1]))[0]
    edges = np.unique(np.quantile(rows.predicted, np.arange(1, PARTS) / PARTS))
    places = np.searchsorted(edges, rows.predicted, side="left")
    parts = []
    for place in np.unique(places):
        here = places == place
        ends = np.quantile(errors[here], (0.05, 0.5, 0.95))
        middle = float(np.median(rows.predicted[here]))
        parts.append(Part(int(here.sum()), middle, *(float(end) for end in ends)))
    return Residuals(
        Estimate("bias", value, low, high, rows.n),
        tuple(float(q) for q in quantiles),
        tuple(int(bar) for bar in bars),
        tuple(parts),
    )
