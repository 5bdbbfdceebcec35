"""When a distribution has moved: by an effect that matters, and beyond what chance explains.

An effect counts only above its sampling floor: at small n everything looks moved, at large n
everything is significant and hardly anything matters. Plain Python: whoever measures distances has
tools of its own, and all must judge alike.
"""

import math
import sys
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

ALPHA = 0.01
# A shift by 0.3 standard deviations of a normal variable has D = 0.12.
EFFECT = 0.1
SCALE = 10.0
MOST_TIMES = 1e300  # so that a factor and its inverse are numbers
MIN_ROWS = 20
# Quartiles of sizes that must all move for a change of unit.
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


class Sizes(Protocol):
    """A distribution of sizes."""

    @property
    def total(self) -> int:
        """Give how many there are."""
        ...

    def quantile(self, share: float) -> float:
        """Give the size below which so large a share lies."""
        ...


def shares_floor(n: int, m: int, tests: int) -> float:
    """What chance explains of a difference of shares or of distribution functions.

    The two-sample Kolmogorov-Smirnov bound at `ALPHA`, split evenly over all `tests` (Bonferroni):
    sqrt(-ln(α / 2k) / 2 · (n + m) / nm).
    """
    if not n or not m:
        return math.inf
    return math.sqrt(-math.log(ALPHA / (2 * max(tests, 1))) / 2 * (n + m) / (n * m))


def categories_floor(kinds: int, n: int, m: int, tests: int) -> float:
    """What chance explains of a Jensen-Shannon distance to base 2 over so many categories.

    Without a shift 8 n m / (n + m) times the divergence in nats is about χ² with one degree of
    freedom less than there are categories; its quantile is Wilson and Hilferty's.
    """
    bits = _chi_square(kinds - 1, ALPHA / max(tests, 1)) * (n + m) / (8 * n * m * math.log(2))
    return math.sqrt(bits)


def chance_of_none(share: float, rows: int) -> float:
    """The chance that a category of that share is in none of so many rows."""
    return (1 - share) ** rows if share < 1 else float(rows == 0)


def rescaled(before: Sizes, after: Sizes) -> float | None:
    """By what factor sizes changed, when all their quartiles did by ten or more; else None.

    A changed unit moves the whole distribution, one that grew a tail does not.
    """
    if min(before.total, after.total) < MIN_ROWS:
        return None
    ratios = [_ratio(after.quantile(share), before.quantile(share)) for share in _QUARTILES]
    # Quantiles are read from buckets: a factor of ten exactly may be read as 9.9.
    least = SCALE / 1.02
    return ratios[1] if min(ratios) >= least or max(ratios) <= 1 / least else None


def times(factor: float) -> str:
    """Say a factor that `rescaled` gave: `40 times larger`."""
    return f"{factor:,.4g} times larger" if factor > 1 else f"{1 / factor:,.4g} times smaller"


def _ratio(one: float, other: float) -> float:
    """One size by another, as far as a number and its inverse can be told.

    The least of all numbers may come out as zero.
    """
    tiny = sys.float_info.min
    return min(max(max(one, tiny) / max(other, tiny), 1 / MOST_TIMES), MOST_TIMES)


def _chi_square(freedom: int, tail: float) -> float:
    if freedom < 1:
        return 0.0
    part = 2 / (9 * freedom)
    return freedom * max(1 - part + NormalDist().inv_cdf(1 - tail) * math.sqrt(part), 0.0) ** 3
