"""A measured quantity with its uncertainty: a number without an interval decides nothing."""

from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric's value on `n` rows, with the ends of its confidence interval."""

    name: str
    value: float
    low: float
    high: float
    n: int
