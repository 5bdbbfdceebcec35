"""Intervals of differences are paired, and rows that belong together count together."""

import numpy as np
import pytest

from tidemill.stats.resampling import LIMIT, Draws, Prepare
from tidemill.stats.weighted import mean


def interval(values: np.ndarray, groups: np.ndarray | None = None) -> tuple[float, float, float]:
    draws = Draws.of(len(values), groups, 1)
    return draws.resample([mean(values)], 1).interval(np.ones(1))


@pytest.mark.parametrize("n", [40, 2_000, 30_000])
def test_the_interval_of_a_mean_is_that_of_the_textbook(n: int) -> None:
    values = np.random.default_rng(0).normal(size=n)
    value, low, high = interval(values)
    half = 1.96 * values.std() / n**0.5
    assert value == pytest.approx(values.mean())
    assert (high - low) / 2 == pytest.approx(half, rel=0.15)


def test_a_difference_is_paired() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=1_000)
    one, other = common + 0.02 + rng.normal(size=1_000) / 100, common
    both: list[Prepare] = [mean(one), mean(other)]
    found = Draws.of(1_000, None, 1).resample(both, 1)
    value, low, high = found.interval(np.array([1.0, -1.0]))
    assert low < value < high
    assert low > 0.015  # unpaired it were about -0.07


def test_rows_of_one_group_are_no_news() -> None:
    """Fifty groups whose rows are all alike are fifty rows, whatever their number."""
    of_groups = np.random.default_rng(0).normal(size=50)
    groups = np.repeat(np.arange(50), 20)
    _, low, high = interval(of_groups[groups], groups)
    _, naive_low, naive_high = interval(of_groups[groups])
    assert (high - low) == pytest.approx(2 * 1.96 * of_groups.std() / 50**0.5, rel=0.2)
    assert (high - low) > 4 * (naive_high - naive_low)


def test_groups_of_one_row_change_nothing_but_chance() -> None:
    values = np.random.default_rng(0).normal(size=3_000)
    _, low, high = interval(values, np.arange(3_000))
    _, alone_low, alone_high = interval(values)
    assert high - low == pytest.approx(alone_high - alone_low, rel=0.15)


@pytest.mark.parametrize("groups", [30, 10 * LIMIT])
def test_many_rows_in_few_or_many_groups_are_sampled(groups: int) -> None:
    rng = np.random.default_rng(0)
    codes = np.sort(rng.integers(0, groups, size=20 * LIMIT))
    values = rng.normal(size=groups)[codes] + rng.normal(size=len(codes))
    value, low, high = interval(values, codes)
    sizes = np.bincount(codes, minlength=groups)
    sums = np.bincount(codes, values - values.mean(), minlength=groups)
    half = 1.96 * (sums**2).sum() ** 0.5 / sizes.sum()
    assert value == pytest.approx(values.mean())
    assert (high - low) / 2 == pytest.approx(half, rel=0.25)


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(200):
        groups = np.repeat(np.arange(40), 5)
        values = rng.normal(size=40)[groups] + rng.normal(size=200) / 2
        _, low, high = interval(values, groups)
        missed += not low <= 0 <= high
    assert missed <= 24  # 5 % is 10; the percentile interval of 40 groups misses a little more


def test_undefined_replicates_are_dropped() -> None:
    def prepare(_: np.ndarray) -> object:
        return lambda counts: np.where(counts[:, 0] > 0, counts[:, 0], np.nan)

    value, low, high = Draws.of(5, None, 1).resample([prepare], 1).interval(np.ones(1))  # type: ignore[list-item]
    assert low <= value <= high
    assert np.isfinite([low, high]).all()


def test_one_row_has_no_interval() -> None:
    assert interval(np.array([3.0])) == (3.0, 3.0, 3.0)
