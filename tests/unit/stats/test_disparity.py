"""Gaps equal fairlearn's; their intervals hold for all groups at once."""

import numpy as np
import pytest
from fairlearn import metrics as reference

from tidemill.stats.disparity import gap, newcombe, resampled_gap, worst


def people(groups: int, n: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(groups)
    group = rng.integers(0, groups, n)
    truth = rng.integers(0, 2, n)
    said = (rng.random(n) < 0.3 + 0.3 * truth + 0.05 * group).astype(int)
    return truth, said, group


def counts(of: np.ndarray, group: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.bincount(group[among & of]), np.bincount(group[among])


@pytest.mark.parametrize("groups", [2, 3, 5])
def test_gaps_equal_fairlearn(groups: int) -> None:
    truth, said, group = people(groups)
    positive, everybody = said == 1, np.ones(len(said), bool)
    parity = gap(*counts(positive, group, everybody))
    true = gap(*counts(positive, group, truth == 1))
    false = gap(*counts(positive, group, truth == 0))
    given = {"y_true": truth, "y_pred": said, "sensitive_features": group}
    assert parity[0] == pytest.approx(reference.demographic_parity_difference(**given))
    assert true[0] == pytest.approx(reference.equal_opportunity_difference(**given))
    odds = reference.equalized_odds_difference(**given)
    assert worst([true, false])[0] == pytest.approx(odds)
    for value, low, high in (parity, true, false, worst([true, false])):
        assert low <= value <= high


def test_newcombe_gives_the_published_intervals() -> None:
    """Newcombe 1998, table II: 56/70 against 48/80, and 9/10 against 3/10, method 10."""
    low, high = newcombe((56, 70), (48, 80), 0.95)
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
    low, high = newcombe((9, 10), (3, 10), 0.95)
    assert (round(low, 4), round(high, 4)) == (0.1705, 0.8090)


@pytest.mark.parametrize("groups", [2, 4, 8])
def test_equal_groups_are_hardly_ever_called_unequal(groups: int) -> None:
    rng = np.random.default_rng(0)
    totals = np.full(groups, 200)
    alarms = sum(gap(rng.binomial(totals, 0.3), totals)[1] > 0 for _ in range(400))
    assert alarms <= 32  # 5 % is 20; without the correction eight groups alarm in half the cases


def test_a_real_gap_lies_in_the_interval() -> None:
    rng = np.random.default_rng(0)
    totals = np.array([300, 300, 300])
    missed = 0
    for _ in range(200):
        _, low, high = gap(rng.binomial(totals, [0.2, 0.3, 0.5]), totals)
        missed += not low <= 0.3 <= high
    assert missed <= 16


def test_resampled_gaps_agree_where_rows_are_independent() -> None:
    rng = np.random.default_rng(0)
    totals = np.array([400, 500])
    rates = np.array([0.25, 0.5])
    replicates = rng.binomial(totals, rates, size=(2_000, 2)) / totals - rates
    found = resampled_gap(rates, replicates, totals)
    assert found == pytest.approx(gap((totals * rates).astype(int), totals), abs=0.01)


def test_draws_that_are_all_alike_do_not_know_everything() -> None:
    found = resampled_gap(np.zeros(2), np.zeros((500, 2)), np.array([12, 9]))
    assert found == pytest.approx((0, 0, 0.3), abs=0.06)
    unknown = resampled_gap(np.array([0.0, 0.4]), np.full((500, 2), np.nan), np.array([9, 1]))
    assert unknown[2] > 0.7


def test_one_group_has_no_gap() -> None:
    assert gap(np.array([3]), np.array([9])) == (0.0, 0.0, 0.0)
