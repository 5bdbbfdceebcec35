"""Curves lie on scikit-learn's, in few points; what one class cannot give is absent."""

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, roc_auc_score, roc_curve

from tidemill.stats.curves import POINTS, curves
from tidemill.stats.regression import Regressed
from tidemill.stats.resampling import Draws
from tidemill.stats.residuals import residuals


@pytest.mark.parametrize("n", [10, 2_000, 50_000])
@pytest.mark.parametrize("decimals", [1, 9])
def test_curves_equal_scikit_learn(n: int, decimals: int) -> None:
    rng = np.random.default_rng(n)
    positive = rng.random(n) < 0.3
    positive[:2] = [True, False]
    scores = (rng.normal(size=n) + positive).round(decimals)
    found = curves(scores, positive)
    assert found is not None
    assert found.average == pytest.approx(average_precision_score(positive, scores))
    across, up = zip(*found.roc, strict=True)
    assert auc(across, up) == pytest.approx(roc_auc_score(positive, scores), abs=0.01)
    whole = roc_curve(positive, scores, drop_intermediate=False)
    assert set(zip(np.round(whole[0], 5), np.round(whole[1], 5), strict=True)) >= set(found.roc)
    assert (found.roc[0], found.roc[-1]) == ((0.0, 0.0), (1.0, 1.0))
    assert len(found.roc) <= POINTS + 2
    assert len(found.precision) <= POINTS + 2
    assert found.precision[-1][0] == 1


@pytest.mark.parametrize("positive", [True, False])
def test_one_class_has_no_curve(positive: bool) -> None:
    assert curves(np.arange(4.0), np.full(4, positive)) is None


def test_residuals_tell_how_far_and_to_which_side() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=5_000)
    found = residuals(Regressed(truth, truth + 0.5 + rng.normal(size=5_000)), _draws(5_000), 0)
    assert found.bias.low < 0.5 < found.bias.high
    assert found.quantiles[3] == pytest.approx(0.5, abs=0.05)
    assert sum(part.n for part in found.parts) == 5_000
    assert len(found.parts) == 10
    assert sum(found.bars) == pytest.approx(4_900, abs=10)


@pytest.mark.parametrize("n", [1, 30])
def test_residuals_of_a_constant_prediction(n: int) -> None:
    found = residuals(Regressed(np.ones(n), np.full(n, 3.0)), _draws(n), 0)
    assert (found.bias.value, found.bias.low, found.bias.high) == (2, 2, 2)
    assert [part.n for part in found.parts] == [n]


def _draws(n: int) -> Draws:
    return Draws.of(n, None, 0)
