"""Which rows are held out."""

from decimal import Decimal

import numpy as np
import pytest

from tidemill_runner.failures import Failure
from tidemill_runner.split import divide
from tidemill_runner.train_input import Split


def split(by: str, holdout: str = "0.2") -> Split:
    return Split(by, Decimal(holdout), "t" if by == "Time" else None)


def test_order_holds_out_the_last_rows() -> None:
    parts = divide(10, split("Order"), None, seed=0)
    assert (parts.train.tolist(), parts.holdout.tolist()) == ([*range(8)], [8, 9])


def test_time_holds_out_the_latest_rows_and_keeps_the_order_of_equal_times() -> None:
    time = np.array([5, 1, 9, 9, 3])
    parts = divide(5, split("Time", "0.4"), time, seed=0)
    assert (parts.train.tolist(), parts.holdout.tolist()) == ([1, 4, 0], [2, 3])


def test_many_equal_times_keep_their_order() -> None:
    time = np.arange(1000) % 3
    parts = divide(1000, split("Time"), time, seed=0)
    order = np.concatenate([parts.train, parts.holdout])
    assert all(np.all(np.diff(order[time[order] == value]) > 0) for value in range(3))


def test_random_is_repeatable_and_depends_on_the_seed() -> None:
    first, again, other = (divide(100, split("Random"), None, seed) for seed in (1, 1, 2))
    assert first.holdout.tolist() == again.holdout.tolist() != other.holdout.tolist()


@pytest.mark.parametrize("by", ["Order", "Random"])
@pytest.mark.parametrize("n", [2, 3, 17, 1000])
def test_every_row_is_in_exactly_one_part(by: str, n: int) -> None:
    parts = divide(n, split(by, "0.33"), None, seed=4)
    assert sorted([*parts.train, *parts.holdout]) == list(range(n))


@pytest.mark.parametrize(
    ("n", "holdout", "held"),
    [(45_312, "0.8", 36_250), (10, "0.25", 3), (10, "0.05", 1), (3, "0.5", 2)],
)
def test_halves_are_rounded_up_exactly(n: int, holdout: str, held: int) -> None:
    assert len(divide(n, split("Order", holdout), None, seed=0).holdout) == held


@pytest.mark.parametrize(("n", "holdout"), [(1, "0.5"), (2, "0.1"), (2, "0.9"), (0, "0.5")])
def test_a_part_without_rows_is_refused(n: int, holdout: str) -> None:
    with pytest.raises(Failure, match="holdout"):
        divide(n, split("Order", holdout), None, seed=0)
