"""Correlations of a sample, against scipy's over the same rows."""

import numpy as np
import pytest
from scipy import stats
from tests.unit.runner.profile.tables import profile, profile_of, table

from tidemill_runner.profile.associations import Association, associations, cramer
from tidemill_runner.schema import ColumnType

RNG = np.random.default_rng(3)
X = RNG.normal(size=900)
FLOAT, STRING = ColumnType.FLOAT, ColumnType.STRING


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(X + RNG.normal(size=900), id="linear"),
        pytest.param(-np.exp(3 * X), id="monotone"),
        pytest.param(np.round(X), id="ties"),
        pytest.param(X * 1e200, id="huge"),
        pytest.param(X * 1e-3 + 1e6, id="far from zero"),
        pytest.param(np.where(RNG.random(900) < 0.3, np.nan, X**3), id="gaps"),
    ],
)
def test_correlations_are_pearsons_and_spearmans(other: np.ndarray) -> None:
    [pair] = associations(profile_of(x=(FLOAT, X), y=(FLOAT, other)))
    both = ~np.isnan(other)
    assert pair.rows == both.sum()
    assert pair.pearson == pytest.approx(stats.pearsonr(X[both], other[both] / 1e6).statistic)
    # With gaps, ranks are those among all values of a column.
    exact = stats.spearmanr(X[both], other[both]).statistic
    assert pair.spearman == pytest.approx(exact, abs=0 if both.all() else 0.01, rel=1e-9)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(np.full(900, 2.5), id="constant"),
        pytest.param([1.0] * 20 + [None] * 880, id="few rows"),
        pytest.param([None] * 900, id="nothing"),
        pytest.param(RNG.normal(size=900), id="independent"),
    ],
)
def test_what_has_no_correlation_is_left_out(other: list[float | None]) -> None:
    assert associations(profile_of(x=(FLOAT, X), y=(FLOAT, other))) == []


def test_cramers_v_of_categories() -> None:
    one = RNG.integers(0, 4, 1000)
    assert cramer(one, one) == pytest.approx(1)
    assert cramer(one, RNG.integers(0, 3, 1000)) == pytest.approx(0, abs=0.1)
    assert cramer(one, np.zeros(1000, int)) is None
    labels = [f"k{n}" for n in one]
    found = associations(profile_of(a=(STRING, labels), b=(ColumnType.BOOLEAN, one > 1)))
    assert [(pair.one, pair.other) for pair in found] == [("a", "b")]
    assert found[0].cramer == pytest.approx(1, abs=0.01)


def test_the_strongest_fifty_and_nothing_sensitive() -> None:
    kinds = {f"c{n}": FLOAT for n in range(15)}
    columns = {name: X + 0.1 * n * RNG.normal(size=900) for n, name in enumerate(kinds)}
    found = associations(profile(table(kinds, columns, ["part.csv"] * 900), kinds, ["c0"]))
    assert len(found) == 50
    assert found == sorted(found, key=lambda pair: -pair.strength)
    assert (found[0].one, found[0].other) == ("c1", "c2")
    assert not any("c0" in (pair.one, pair.other) for pair in found)
    assert Association("a", "b", 50, pearson=-0.9, spearman=0.5).strength == 0.9
