"""Reliability equals scikit-learn's; the parts of Brier's score add up; chance is not a fault."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from tidemill.stats.calibration import calibration


def drawn(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    given = rng.beta(2, 3, n)
    return given, rng.random(n) < given


@pytest.mark.parametrize("n", [200, 30_000])
def test_bins_equal_scikit_learn(n: int) -> None:
    given, happened = drawn(n)
    found = calibration(given, happened, 0)
    share, said = calibration_curve(happened, given, n_bins=10, strategy="quantile")
    assert [b.given for b in found.bins] == pytest.approx(said, abs=0.01)
    assert [b.happened for b in found.bins] == pytest.approx(share, abs=0.06)
    assert sum(b.n for b in found.bins) == n
    assert found.brier == pytest.approx(brier_score_loss(happened, given))


@pytest.mark.parametrize("decimals", [1, 2, 8])
def test_the_parts_add_up(decimals: int) -> None:
    given, happened = drawn(3_000)
    found = calibration(given.round(decimals), happened, 0)
    parts = found.reliability - found.resolution + found.uncertainty + found.within
    assert parts == pytest.approx(found.brier, abs=1e-12)
    assert abs(found.within) < 0.002


def test_where_equal_probabilities_fill_the_bins_nothing_is_left_within() -> None:
    given, happened = drawn(3_000)
    found = calibration(np.where(given > 0.4, 0.75, 0.25), happened, 0)
    assert [b.given for b in found.bins] == [0.25, 0.75]
    assert found.within == pytest.approx(0, abs=1e-12)


def test_a_perfect_model_is_within_chance_and_a_bold_one_is_not() -> None:
    beyond = 0
    for seed in range(100):
        given, happened = drawn(1_000, seed)
        found = calibration(given, happened, seed)
        beyond += found.ece > found.chance
        bold = np.clip(2 * given - 0.5, 0.01, 0.99)
        worse = calibration(bold, happened, seed)
        assert worse.ece > worse.chance
    assert beyond <= 12  # 5 of 100 are meant


@pytest.mark.parametrize("happened", [True, False])
def test_one_probability_and_one_outcome(happened: bool) -> None:
    found = calibration(np.full(10, 0.5), np.full(10, happened), 0)
    assert (len(found.bins), found.ece, found.uncertainty) == (1, 0.5, 0)
