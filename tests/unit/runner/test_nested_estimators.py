"""Estimators within estimators: columns each in their own way, ensembles, calibration, kernels."""

from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.unit.runner.nested import (
    COLUMNS,
    KERNELS,
    LINE,
    NUMBERS,
    ONE_HOT,
    SCALER,
    TREES,
    WORDS,
    columns,
    delivered,
)
from tests.unit.runner.packages import served, unpack
from tests.unit.runner.workshop import LOGISTIC, Workshop, classification, estimator

STEPS: dict[str, list[Any]] = {
    "a pipeline for each kind of column": [columns(NUMBERS, WORDS), LOGISTIC],
    "columns by their names": [
        columns(
            {"name": "one", "columns": ["b", "flag"], "class": SCALER},
            {"name": "other", "columns": ["kind", "site"], **ONE_HOT},
        ),
        LOGISTIC,
    ],
    "the others as they are": [
        columns({"name": "words", "columns": "categorical", **ONE_HOT}, remainder="passthrough"),
        "sklearn.ensemble.RandomForestClassifier",
    ],
    "some as they are": [
        columns({"name": "kept", "columns": ["b", "flag"], "class": "passthrough"}),
        LOGISTIC,
    ],
    "the others by an estimator": [
        columns(
            {"name": "words", "columns": "categorical", **ONE_HOT}, remainder=NUMBERS["steps"][0]
        ),
        LOGISTIC,
    ],
    "a column that no row has": [
        columns({"name": "none", "columns": "categorical", "class": "drop"}, NUMBERS),
        LOGISTIC,
    ],
    "gaps filled by a model": [
        columns(
            {
                "name": "numbers",
                "columns": "numeric",
                "class": "sklearn.impute.IterativeImputer",
                "params": {"estimator": {"class": "sklearn.linear_model.Ridge"}},
            },
            WORDS,
        ),
        LOGISTIC,
    ],
    "chosen features": [
        columns(NUMBERS, WORDS),
        ("sklearn.feature_selection.SelectKBest", {"k": 3}),
        LOGISTIC,
    ],
    "features chosen by a model": [
        columns(NUMBERS, WORDS),
        ("sklearn.feature_selection.SelectFromModel", {"estimator": TREES}),
        LOGISTIC,
    ],
    "calibrated": [
        columns(NUMBERS, WORDS),
        (
            "sklearn.calibration.CalibratedClassifierCV",
            {"estimator": {"class": "sklearn.svm.LinearSVC"}, "cv": 3},
        ),
    ],
    "stacked": [
        columns(NUMBERS, WORDS),
        (
            "sklearn.ensemble.StackingClassifier",
            {
                "estimators": [{"name": "line", **LINE}, {"name": "trees", **TREES}],
                "final_estimator": LINE,
                "cv": {
                    "class": "sklearn.model_selection.StratifiedKFold",
                    "params": {"n_splits": 3, "shuffle": True},
                },
            },
        ),
    ],
    "voting, each with columns of its own": [
        (
            "sklearn.ensemble.VotingClassifier",
            {
                "voting": "soft",
                "estimators": [
                    {
                        "name": "numbers",
                        "steps": [
                            {"name": "c", "class": COLUMNS, "params": {"transformers": [NUMBERS]}},
                            {"name": "m", **LINE},
                        ],
                    },
                    {
                        "name": "words",
                        "steps": [
                            {"name": "c", "class": COLUMNS, "params": {"transformers": [WORDS]}},
                            {"name": "m", **TREES},
                        ],
                    },
                ],
            },
        )
    ],
    "boosted": [
        columns(NUMBERS, WORDS),
        (
            "sklearn.ensemble.AdaBoostClassifier",
            {
                "estimator": {
                    "class": "sklearn.tree.DecisionTreeClassifier",
                    "params": {"max_depth": 2},
                }
            },
        ),
    ],
    "a kernel of kernels": [
        columns(NUMBERS, WORDS),
        (
            "sklearn.gaussian_process.GaussianProcessClassifier",
            {
                "kernel": {
                    "class": KERNELS + "Sum",
                    "params": {
                        "k1": {"class": KERNELS + "RBF", "params": {"length_scale": 2.0}},
                        "k2": {"class": KERNELS + "WhiteKernel"},
                    },
                }
            },
        ),
    ],
    "folds in time": [
        columns(NUMBERS, WORDS),
        (
            "sklearn.linear_model.LogisticRegressionCV",
            {
                "Cs": 2,
                "cv": {
                    "class": "sklearn.model_selection.TimeSeriesSplit",
                    "params": {"n_splits": 2},
                },
            },
        ),
    ],
}


@pytest.fixture
def ingested(workshop: Workshop) -> dict[str, Any]:
    workshop.deliver(data_csv=delivered())
    return workshop.ingest()


@pytest.mark.parametrize("name", STEPS)
def test_it_trains_and_the_server_predicts_the_same(
    workshop: Workshop, ingested: dict[str, Any], name: str
) -> None:
    result = workshop.train(ingested, classification(estimator=estimator(*STEPS[name])))
    served(unpack(workshop, result)).assert_the_same()


def test_it_is_what_scikit_learn_fits(workshop: Workshop, ingested: dict[str, Any]) -> None:
    """The same written in Python, on the same rows: the same coefficients to the last bit."""
    spec = classification(
        estimator=estimator(columns(NUMBERS, WORDS), LOGISTIC),
        split={"by": "Order", "holdout": "0.25"},
    )
    both = served(unpack(workshop, workshop.train(ingested, spec)))
    lines = [line.split(",") for line in delivered().splitlines()[1:61]]
    features = np.array(
        [
            [float(a or "nan"), float(b), float(flag == "true"), site or np.nan, kind]
            for a, b, flag, site, kind, _ in lines
        ],
        dtype=object,
    )
    target = np.array([line[-1] for line in lines], dtype=object)
    numbers = Pipeline([("f", SimpleImputer(strategy="mean")), ("s", StandardScaler())])
    words = Pipeline(
        [
            ("f", SimpleImputer(strategy="most_frequent")),
            ("c", OneHotEncoder(handle_unknown="ignore")),
        ]
    )
    by_hand = Pipeline(
        [
            ("c", ColumnTransformer([("n", numbers, [0, 1, 2]), ("w", words, [3, 4])])),
            ("m", LogisticRegression()),
        ]
    ).fit(features, target)
    assert (by_hand["m"].coef_ == both.model[1].coef_).all()


def test_a_text_that_is_missing_or_new_is_answered(
    workshop: Workshop, ingested: dict[str, Any]
) -> None:
    spec = classification(estimator=estimator(columns(NUMBERS, WORDS), LOGISTIC))
    both = served(unpack(workshop, workshop.train(ingested, spec)))
    known = {"a": None, "b": 3, "flag": False, "site": None, "kind": "x"}
    # Filled with the most frequent text, as the rows trained on were.
    fill = both.model[0].named_transformers_["words"]["fill"].statistics_[0]
    rows = [known, {**known, "site": fill}, {**known, "kind": "never seen"}]
    model, server = both.answers(rows)
    assert model.tolist() == server.tolist()
    assert server[0].tolist() == server[1].tolist() != server[2].tolist()


def test_the_same_run_twice_is_one_package(workshop: Workshop, ingested: dict[str, Any]) -> None:
    spec = classification(estimator=estimator(*STEPS["stacked"]))
    first, second = (workshop.train(ingested, spec)["artifact"] for _ in range(2))
    assert first == second


def test_the_seed_reaches_what_lies_within(workshop: Workshop, ingested: dict[str, Any]) -> None:
    spec = classification(estimator=estimator(*STEPS["stacked"]))
    model = served(unpack(workshop, workshop.train(ingested, spec))).model
    assert model[1].estimators[1][1].random_state == 3
    assert model[1].cv.random_state == 3
