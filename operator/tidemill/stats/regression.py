"""Metrics of a regression on rows it has not seen, each with its bootstrap interval.

All are functions of a few sums over rows, so a replicate is one product of counts and columns.
Definitions are scikit-learn's (user guide §3.4.6).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemill.stats.estimate import Estimate
from tidemill.stats.intervals import Floats, Statistic, bootstrap


@dataclass(frozen=True)
class Regressed:
    """What was true and what was predicted."""

    truth: Floats
    predicted: Floats

    @property
    def n(self) -> int:
        return len(self.truth)


def rmse(rows: Regressed, seed: int) -> Estimate:
    """Root of the mean squared error."""
    columns = (rows.predicted - rows.truth)[:, None] ** 2
    return _estimate("rmse", columns, lambda means: np.sqrt(means[:, 0]), seed)


def mae(rows: Regressed, seed: int) -> Estimate:
    """Mean absolute error."""
    columns = np.abs(rows.predicted - rows.truth)[:, None]
    return _estimate("mae", columns, lambda means: means[:, 0], seed)


def r2(rows: Regressed, seed: int) -> Estimate | None:
    """Share of the variance explained; None where the target does not vary or is one row."""
    # Around its mean, or the sums of squares lose their digits for a large mean.
    centred = rows.truth - rows.truth.mean()
    if rows.n < 2 or not np.any(centred != 0):
        return None
    columns = np.stack([(rows.predicted - rows.truth) ** 2, centred**2, centred], axis=1)

    def score(means: Floats) -> Floats:
        spread = means[:, 1] - means[:, 2] ** 2
        shares = np.full(len(means), np.nan)
        np.divide(means[:, 0], spread, out=shares, where=spread > 0)
        return 1 - shares

    return _estimate("r2", columns, score, seed)


def _estimate(name: str, columns: Floats, score: Callable[[Floats], Floats], seed: int) -> Estimate:
    n = len(columns)

    def prepare(chosen: NDArray[np.intp]) -> Statistic:
        some = columns[chosen]
        return lambda counts: score(counts @ some / len(some))

    value = float(score(columns.mean(axis=0)[None])[0])
    low, high = bootstrap(prepare, n, seed=seed)
    return Estimate(name, value, low if name == "r2" else max(0.0, low), high, n)
