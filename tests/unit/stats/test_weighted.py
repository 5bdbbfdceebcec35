"""Metrics of rows that count several times are scikit-learn's of rows that stand there often."""

import numpy as np
import pytest
from sklearn import metrics as reference
from tests.unit.stats.test_metrics import classified, expected

from tidemill.stats import catalog
from tidemill.stats.classification import Classified
from tidemill.stats.regression import Regressed
from tidemill.stats.weighted import metric, subset


def repeated(rows: Classified, counts: np.ndarray) -> Classified:
    assert rows.probabilities is not None
    return Classified(
        np.repeat(rows.truth, counts),
        np.repeat(rows.predicted, counts),
        np.repeat(rows.probabilities, counts, axis=0),
        rows.classes,
    )


@pytest.mark.parametrize("name", catalog.CLASSIFICATION)
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_classification(name: str, classes: int) -> None:
    rows = classified(300, classes)
    counts = np.random.default_rng(1).integers(0, 4, size=(3, 300))
    prepared = metric(name, rows)
    assert prepared is not None
    found = prepared(np.arange(300))(counts.astype(float))
    for value, one in zip(found, counts, strict=True):
        assert value == pytest.approx(expected(name, repeated(rows, one)), abs=1e-12)


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("rmse", reference.root_mean_squared_error),
        ("mae", reference.mean_absolute_error),
        ("r2", reference.r2_score),
    ],
)
def test_regression(name: str, oracle: object) -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(size=200) + 1e6
    rows = Regressed(truth, truth + rng.normal(size=200))
    counts = rng.integers(0, 3, size=200)
    prepared = metric(name, rows)
    assert prepared is not None
    (value,) = prepared(np.arange(200))(counts[None].astype(float))
    of = (np.repeat(rows.truth, counts), np.repeat(rows.predicted, counts))
    assert value == pytest.approx(oracle(*of), rel=1e-6)  # type: ignore[operator]


def test_every_metric_of_the_catalogue_can_be_resampled() -> None:
    for name in catalog.CLASSIFICATION:
        assert metric(name, classified(20, 2)) is not None
    for name in catalog.REGRESSION:
        assert metric(name, Regressed(np.arange(3.0), np.zeros(3))) is not None


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("roc_auc", Classified(np.zeros(3, int), np.zeros(3, int), np.full((3, 2), 0.5), 2)),
        ("balanced_accuracy", Classified(np.zeros(3, int), np.zeros(3, int), None, 2)),
        ("log_loss", Classified(np.array([0, 1]), np.array([0, 1]), None, 2)),
        ("brier_score", Classified(np.array([0, 1]), np.array([0, 1]), None, 2)),
        ("r2", Regressed(np.ones(3), np.zeros(3))),
    ],
)
def test_what_the_rows_cannot_give_is_none(name: str, rows: Classified | Regressed) -> None:
    assert metric(name, rows) is None


def test_a_subset_is_rows_of_its_own() -> None:
    rows = classified(10, 2)
    some = subset(rows, rows.truth == 1)
    assert some.n == int((rows.truth == 1).sum())
    assert subset(Regressed(np.arange(3.0), np.arange(3.0)), np.array([True, False, True])).n == 2
