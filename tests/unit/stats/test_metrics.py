"""Metrics equal scikit-learn's; what the rows cannot give is absent, never invented."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as reference

from tidemill.api.v1alpha1.evaluation import Metric
from tidemill.stats import catalog
from tidemill.stats.classification import Classified
from tidemill.stats.estimate import Estimate
from tidemill.stats.regression import Regressed


def classified(n: int, classes: int, seed: int = 0) -> Classified:
    """Rows whose probabilities are right on average, with ties."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), n).round(2)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    truth = (probabilities.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return Classified(truth, probabilities.argmax(axis=1), probabilities, classes)


def expected(name: str, rows: Classified) -> float:
    truth, predicted, given = rows.truth, rows.predicted, rows.probabilities
    assert given is not None
    scores = given[:, 1] if rows.classes == 2 else given
    found: dict[str, Any] = {
        "accuracy": lambda: reference.accuracy_score(truth, predicted),
        "error_rate": lambda: reference.zero_one_loss(truth, predicted),
        "balanced_accuracy": lambda: reference.balanced_accuracy_score(truth, predicted),
        "f1_macro": lambda: reference.f1_score(truth, predicted, average="macro"),
        "log_loss": lambda: reference.log_loss(truth, given, labels=range(rows.classes)),
        "brier_score": lambda: reference.brier_score_loss(truth, scores),
        "roc_auc": lambda: reference.roc_auc_score(truth, scores, multi_class="ovr"),
    }
    return float(found[name]())


@pytest.mark.parametrize("name", catalog.CLASSIFICATION)
@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("n", [40, 3_000, 25_000])
def test_classification_equals_scikit_learn(name: str, classes: int, n: int) -> None:
    rows = classified(n, classes)
    estimate = catalog.CLASSIFICATION[name](rows, 1)
    assert estimate is not None
    assert estimate.value == pytest.approx(expected(name, rows), abs=1e-12)
    assert estimate.low <= estimate.value <= estimate.high
    assert (estimate.name, estimate.n) == (name, n)


@pytest.mark.parametrize("n", [2, 30, 25_000])
@pytest.mark.parametrize("offset", [0.0, 1e9], ids=["around-zero", "large-mean"])
def test_regression_equals_scikit_learn(n: int, offset: float) -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(size=n) + offset
    predicted = truth + rng.normal(size=n) / 2
    rows = Regressed(truth, predicted)
    for name, value in {
        "rmse": reference.root_mean_squared_error(truth, predicted),
        "mae": reference.mean_absolute_error(truth, predicted),
        "r2": reference.r2_score(truth, predicted),
    }.items():
        estimate = catalog.REGRESSION[name](rows, 1)
        assert estimate is not None
        assert estimate.value == pytest.approx(value, rel=1e-6, abs=1e-6)
        assert estimate.low <= estimate.value <= estimate.high


ONE_CLASS = Classified(np.zeros(5, int), np.array([0, 0, 1, 0, 0]), np.full((5, 2), 0.5), 2)
NO_CHANCES = Classified(np.array([0, 1]), np.array([0, 1]), None, 2)
CLASS_MISSING = Classified(np.array([0, 1]), np.array([0, 1]), np.full((2, 3), 1 / 3), 3)


@pytest.mark.parametrize(
    ("rows", "absent"),
    [
        pytest.param(ONE_CLASS, {"balanced_accuracy", "roc_auc"}, id="one-class"),
        pytest.param(NO_CHANCES, {"log_loss", "brier_score", "roc_auc"}, id="no-probabilities"),
        pytest.param(CLASS_MISSING, {"roc_auc"}, id="a-class-has-no-row"),
        pytest.param(Regressed(np.ones(4), np.arange(4.0)), {"r2"}, id="constant-target"),
        pytest.param(Regressed(np.ones(1), np.zeros(1)), {"r2"}, id="one-row"),
    ],
)
def test_what_the_rows_cannot_give_is_absent(
    rows: Classified | Regressed, absent: set[str]
) -> None:
    known = catalog.CLASSIFICATION if isinstance(rows, Classified) else catalog.REGRESSION
    measured = catalog.measure(tuple(known), rows, 0)
    assert set(measured.absent) == absent
    assert [e.name for e in measured.estimates] == [name for name in known if name not in absent]


def test_a_perfect_model_is_perfect() -> None:
    truth = np.array([0, 1] * 50)
    rows = Classified(truth, truth, np.eye(2)[truth], 2)
    measured = {
        e.name: e for e in catalog.measure(tuple(catalog.CLASSIFICATION), rows, 0).estimates
    }
    assert measured["roc_auc"] == Estimate("roc_auc", 1.0, 1.0, 1.0, 100)
    assert measured["accuracy"].value == 1
    assert measured["log_loss"].value < 1e-12


def test_the_seed_decides_and_nothing_else() -> None:
    rows = classified(500, 3)
    first, again, other = (catalog.CLASSIFICATION["roc_auc"](rows, seed) for seed in (1, 1, 2))
    assert first == again != other


def test_the_catalogue_is_that_of_the_api() -> None:
    assert {*catalog.CLASSIFICATION, *catalog.REGRESSION} == set(Metric.__args__)
    for task, names in catalog.DEFAULTS.items():
        known = catalog.CLASSIFICATION if task == "Classification" else catalog.REGRESSION
        assert set(names) <= set(known)


def test_a_thousand_classes_stay_affordable() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 1000, 20_000)
    predicted = np.where(rng.random(20_000) < 0.7, truth, rng.integers(0, 1000, 20_000))
    estimate = catalog.CLASSIFICATION["f1_macro"](Classified(truth, predicted, None, 1000), 0)
    assert estimate is not None
    assert estimate.value == pytest.approx(
        reference.f1_score(truth, predicted, average="macro"), abs=1e-12
    )
