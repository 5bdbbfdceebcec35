"""A metric with an interval from draws of rows or of groups.

Where no draw differs from another (all rows right, or all wrong) the bootstrap knows no
uncertainty; a share then has Wilson's interval, over groups if they are drawn.
"""

from dataclasses import dataclass

import numpy as np

from tidemill.stats import catalog
from tidemill.stats.classification import Classified
from tidemill.stats.estimate import CONFIDENCE, Estimate
from tidemill.stats.intervals import wilson
from tidemill.stats.regression import Regressed
from tidemill.stats.resampling import Draws, Resampled
from tidemill.stats.weighted import metric

_PROPORTIONS = ("accuracy", "error_rate")


@dataclass(frozen=True)
class Drawn:
    """A metric on rows, resampled once for intervals of any confidence; `units` were drawn."""

    name: str
    resampled: Resampled
    units: int

    @classmethod
    def of(cls, name: str, rows: Classified | Regressed, draws: Draws, seed: int) -> "Drawn | None":
        """None where the rows cannot give the metric."""
        prepared = metric(name, rows)
        if prepared is None:
            return None
        # Of proportions of rows alone more is known than draws tell.
        units = rows.n if draws.codes is None else draws.units
        return cls(name, draws.resample([prepared], seed), units)

    def estimate(self, confidence: float = CONFIDENCE) -> Estimate:
        """With an interval of that confidence."""
        value, low, high = self.resampled.interval(np.ones(1), confidence)
        exact = self.units == self.resampled.n or low == high
        if self.name in _PROPORTIONS and exact:
            low, high = wilson(round(value * self.units), self.units, confidence)
        return bounded(Estimate(self.name, value, low, high, self.resampled.n))


def bounded(estimate: Estimate) -> Estimate:
    """With ends that the metric can have."""
    name, low = estimate.name, estimate.low
    low = low if name == "r2" else max(low, 0.0)
    high = min(estimate.high, 1.0) if name in catalog.SHARES else estimate.high
    return Estimate(name, estimate.value, low, high, estimate.n)
