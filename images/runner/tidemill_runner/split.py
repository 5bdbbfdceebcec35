"""Which rows train and which are held out: by order, by time or at random, always the same."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill_runner.failures import Failure
from tidemill_runner.train_input import Split

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Parts:
    """Indices of the rows of both parts."""

    train: Rows
    holdout: Rows


def divide(n: int, split: Split, time: NDArray[Any] | None, seed: int) -> Parts:
    """Hold out the last rows (Order, Time; equal times keep their order) or drawn ones (Random)."""
    held = int((n * split.holdout).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    if not 0 < held < n:
        part = "hold out" if held == 0 else "train on"
        raise Failure(
            "SplitInvalid",
            f"spec.split.holdout: {split.holdout} of {n} rows leaves none to {part}: "
            "change the fraction or deliver more data",
        )
    order: Rows = np.arange(n)
    if split.by == "Time" and time is not None:
        order = np.argsort(time, kind="stable")
    if split.by == "Random":
        drawn = np.random.default_rng(seed).permutation(n)
        return Parts(np.sort(drawn[held:]), np.sort(drawn[:held]))
    return Parts(order[: n - held], order[n - held :])
