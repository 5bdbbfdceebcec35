"""Intervals cover what they promise, on samples small and large."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from tidemill.stats import intervals
from tidemill.stats.classification import Classified, accuracy, log_loss, roc_auc
from tidemill.stats.regression import Regressed, rmse


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (1, 3), (8, 10), (10, 10), (26_637, 36_250)])
def test_wilson_equals_scipy(hits: int, n: int) -> None:
    expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert intervals.wilson(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_a_proportion_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        intervals.wilson(0, 0)


def covered(trial: Callable[[np.random.Generator], bool], trials: int) -> float:
    rng = np.random.default_rng(7)
    return sum(trial(rng) for _ in range(trials)) / trials


def test_accuracy_covers() -> None:
    def trial(rng: np.random.Generator) -> bool:
        right = (rng.random(200) < 0.9).astype(int)
        estimate = accuracy(Classified(np.ones(200, int), right, None, 2), 0)
        return estimate.low <= 0.9 <= estimate.high

    assert covered(trial, 1000) == pytest.approx(0.95, abs=0.02)


def test_rmse_covers() -> None:
    def trial(rng: np.random.Generator) -> bool:
        estimate = rmse(Regressed(np.zeros(300), rng.normal(size=300)), int(rng.integers(1 << 30)))
        return estimate.low <= 1.0 <= estimate.high

    assert covered(trial, 200) == pytest.approx(0.95, abs=0.05)


def test_auc_covers() -> None:
    truth_value = stats.norm.cdf(1 / np.sqrt(2))  # scores N(1,1) against N(0,1)

    def trial(rng: np.random.Generator) -> bool:
        truth = np.repeat([0, 1], 100)
        scores = rng.normal(size=200) + truth
        both = np.column_stack([-scores, scores])
        estimate = roc_auc(Classified(truth, truth, both, 2), int(rng.integers(1 << 30)))
        return estimate is not None and bool(estimate.low <= truth_value <= estimate.high)

    assert covered(trial, 200) == pytest.approx(0.95, abs=0.05)


def test_a_sampled_interval_is_as_wide_as_that_of_all_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    given = rng.beta(5, 2, 40_000)
    rows = Classified(np.zeros(40_000, int), np.zeros(40_000, int), np.c_[given, 1 - given], 2)
    sampled = log_loss(rows, 1)
    monkeypatch.setattr(intervals, "LIMIT", 10**9)
    whole = log_loss(rows, 1)
    assert sampled is not None
    assert whole is not None
    assert sampled.value == whole.value
    assert sampled.high - sampled.low == pytest.approx(whole.high - whole.low, rel=0.1)
