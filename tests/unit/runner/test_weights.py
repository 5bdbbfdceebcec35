"""Rows and classes that count more than others, as scikit-learn counts them, or not at all."""

import json
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from tests.unit.runner.packages import unpack
from tests.unit.runner.workshop import LOGISTIC, RIDGE, Workshop, classification, estimator, rows

from tidemill.store import trusted
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure

SCALER = "sklearn.preprocessing.StandardScaler"
FOREST = {"class": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 3}}
NEIGHBOURS = {"class": "sklearn.neighbors.KNeighborsClassifier"}
ORDER = {"by": "Order", "holdout": "0.25"}
COLUMN = {"column": "w"}


def weighted(n: int = 80, *, line: str = "{a},{b},{w},{y}") -> str:
    """Rows with a weight from 0 to 2."""
    lines = ["a,b,w,y"]
    for i in range(n):
        a = (i * 37) % n
        lines.append(line.format(a=a, b=(i * 7) % 10, w=i % 3, y=int(a + (i % 5) * 9 > n / 2)))
    return "\n".join(lines) + "\n"


def arrays(data: str, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array([[float(v) for v in row.split(",")] for row in data.splitlines()[1:]])[:first]
    return table[:, :2], table[:, 3].astype(int), table[:, 2]


def coefficients(workshop: Workshop, result: dict[str, Any]) -> np.ndarray:
    model = trusted.load(unpack(workshop, result) / "model.skops")
    return np.asarray(model.steps[-1][1].coef_)


def test_the_weights_are_those_of_scikit_learn(workshop: Workshop) -> None:
    result = workshop.learn(weighted(), weights=COLUMN, split=ORDER)
    features, target, weights = arrays(weighted(), 60)
    expected = LogisticRegression(random_state=3).fit(features, target, weights).coef_
    assert (coefficients(workshop, result) == expected).all()
    assert (LogisticRegression().fit(features, target).coef_ != expected).any()


def test_a_column_of_weights_is_no_feature(workshop: Workshop) -> None:
    result = workshop.learn(weighted(), weights=COLUMN)
    assert result["features"] == ["a", "b"]
    folder = unpack(workshop, result)
    assert json.loads((folder / "lineage.json").read_bytes())["weights"] == "w"
    assert "Rows weighed by w." in (folder / "card.md").read_text()
    report = workshop.store.objects["runs/ns/u-1/job/report.html"].decode()
    assert "Weights" in report


def test_equal_weights_are_no_weights(workshop: Workshop) -> None:
    data = weighted(line="{a},{b},1,{y}")
    with_weights = workshop.learn(data, weights=COLUMN)
    without = workshop.learn(data, features={"exclude": ["w"]})
    assert (coefficients(workshop, with_weights) == coefficients(workshop, without)).all()


@pytest.mark.parametrize(
    "steps",
    [
        [SCALER, LOGISTIC],
        [("sklearn.ensemble.AdaBoostClassifier", {"estimator": FOREST})],
        [("sklearn.ensemble.BaggingClassifier", {"estimator": FOREST})],
        [
            (
                "sklearn.calibration.CalibratedClassifierCV",
                {"estimator": {"class": "sklearn.svm.LinearSVC"}, "cv": 3},
            )
        ],
        [
            (
                "sklearn.ensemble.StackingClassifier",
                {
                    "estimators": [{"name": "l", "class": LOGISTIC}, {"name": "f", **FOREST}],
                    "cv": 3,
                },
            )
        ],
        [
            (
                "sklearn.ensemble.VotingClassifier",
                {"voting": "soft", "estimators": [{"name": "f", **FOREST}]},
            )
        ],
    ],
    ids=["after a step", "boosted", "bagged", "calibrated", "stacked", "voting"],
)
def test_they_count_within(workshop: Workshop, steps: list[Any]) -> None:
    """The same rows with and without weights: other answers."""
    workshop.deliver(data_csv=weighted())
    ingested = workshop.ingest()
    answers = []
    for more in ({"weights": COLUMN}, {"features": {"exclude": ["w"]}}):
        spec = classification(estimator=estimator(*steps), split=ORDER, **more)
        folder = unpack(workshop, workshop.train(ingested, spec))
        model = trusted.load(folder / "model.skops")
        answers.append(model.predict_proba(arrays(weighted(), 80)[0]))
    assert (answers[0] != answers[1]).any()


REFUSED: dict[str, tuple[dict[str, Any], str, str, tuple[str, ...]]] = {
    "no such column": (
        {"weights": {"column": "v"}},
        weighted(),
        "WeightsInvalid",
        ("spec.weights.column", "no column 'v'"),
    ),
    "a text": (
        {"weights": COLUMN},
        weighted(line="{a},{b},w{w},{y}"),
        "WeightsInvalid",
        ("spec.weights.column", "'w' is String", "Integer or Float"),
    ),
    "the target": (
        {"weights": {"column": "y"}},
        weighted(),
        "WeightsInvalid",
        ("spec.weights.column", "'y' is spec.target"),
    ),
    "below 0": (
        {"weights": COLUMN},
        weighted(line="{a},{b},-{w},{y}"),
        "WeightsInvalid",
        ("'w' has -1 at", "data row 2", "and in 52 more rows", "from 0 on"),
    ),
    "no value": (
        {"weights": COLUMN},
        weighted() + "1,1,,0\n",
        "WeightsInvalid",
        ("'w' has no value at", "data row 81"),
    ),
    "infinite": (
        {"weights": COLUMN},
        weighted() + "1,1,inf,0\n",
        "WeightsInvalid",
        ("'w' has inf at", "data row 81"),
    ),
    "all 0": (
        {"weights": COLUMN, "split": ORDER},
        weighted(line="{a},{b},0,{y}"),
        "WeightsInvalid",
        ("all rows", "weigh 0"),
    ),
    "an estimator that takes none": (
        {"weights": COLUMN, "estimator": estimator((NEIGHBOURS["class"], {}))},
        weighted(),
        "WeightsInvalid",
        ("spec.weights", "KNeighborsClassifier takes no weights"),
    ),
    "a part that takes none": (
        {
            "weights": COLUMN,
            "estimator": estimator(
                (
                    "sklearn.ensemble.VotingClassifier",
                    {"estimators": [{"name": "f", **FOREST}, {"name": "n", **NEIGHBOURS}]},
                )
            ),
        },
        weighted(),
        "WeightsInvalid",
        ("KNeighborsClassifier in VotingClassifier takes no weights",),
    ),
    "a part of a part that takes none": (
        {
            "weights": COLUMN,
            "estimator": estimator(
                (
                    "sklearn.ensemble.BaggingClassifier",
                    {
                        "estimator": {
                            "class": "sklearn.ensemble.AdaBoostClassifier",
                            "params": {"estimator": NEIGHBOURS},
                        }
                    },
                )
            ),
        },
        weighted(),
        "WeightsInvalid",
        ("KNeighborsClassifier in BaggingClassifier takes no weights",),
    ),
    "a pipeline that hands none on": (
        {
            "weights": COLUMN,
            "estimator": estimator(
                (
                    "sklearn.ensemble.BaggingClassifier",
                    {"estimator": {"steps": [{"name": "m", "class": LOGISTIC}]}},
                )
            ),
        },
        weighted(),
        "WeightsInvalid",
        ("Pipeline in BaggingClassifier takes no weights",),
    ),
    "weights among the columns": (
        {
            "weights": COLUMN,
            "estimator": estimator(
                (
                    "sklearn.compose.ColumnTransformer",
                    {"transformers": [{"name": "n", "columns": ["w"], "class": SCALER}]},
                ),
                LOGISTIC,
            ),
        },
        weighted(),
        "FeaturesInvalid",
        ("'w' is spec.weights.column", "take it out"),
    ),
    "a class that is none": (
        {"estimator": estimator((LOGISTIC, {"class_weight": {"2": 3}}))},
        rows(),
        "ParameterInvalid",
        ("class_weight names '2'", "there are 0, 1"),
    ),
    "classes named within": (
        {
            "estimator": estimator(
                (
                    "sklearn.ensemble.BaggingClassifier",
                    {"estimator": {"class": LOGISTIC, "params": {"class_weight": {"1": 3}}}},
                )
            )
        },
        rows(),
        "ParameterInvalid",
        ("s0.estimator.class_weight", "use balanced"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_they_are_refused(workshop: Workshop, name: str) -> None:
    spec, data, reason, tells = REFUSED[name]
    with pytest.raises(Failure) as caught:
        workshop.learn(data, **spec)
    assert (caught.value.reason, caught.value.exit_code) == (reason, Exit.USER)
    for words in tells:
        assert words in caught.value.message


@pytest.mark.parametrize(
    ("line", "heavy", "labels"),
    [
        pytest.param("{a},{b},{y}", "1", {1: 4}, id="integers"),
        pytest.param("{a},{b},c{y}", "c1", {"c1": 4}, id="texts"),
        pytest.param("{a},{b},{y}.0", "1", {1: 4}, id="whole floats"),
    ],
)
def test_classes_count_by_their_names(
    workshop: Workshop, line: str, heavy: str, labels: dict[Any, int]
) -> None:
    """Keys of JSON are texts, whatever the labels are."""
    spec = {"estimator": estimator((LOGISTIC, {"class_weight": {heavy: 4}})), "split": ORDER}
    result = workshop.learn(rows(80, line=line), **spec)
    table = [row.split(",") for row in rows(80, line=line).splitlines()[1:61]]
    features = np.array([[float(a), float(b)] for a, b, _ in table])
    target = np.array([label if "c" in label else int(float(label)) for *_, label in table])
    expected = LogisticRegression(class_weight=labels, random_state=3).fit(features, target)
    assert (coefficients(workshop, result) == expected.coef_).all()


def test_classes_that_are_true_or_false_count_by_their_names(workshop: Workshop) -> None:
    data = "a,b,y\n" + "".join(f"{i},{i % 7},{str(i > 30).lower()}\n" for i in range(60))
    model = {"class_weight": {"true": 9}}
    heavy = workshop.learn(data, estimator=estimator((LOGISTIC, model)))
    plain = workshop.learn(data, estimator=estimator(LOGISTIC))
    assert (coefficients(workshop, heavy) != coefficients(workshop, plain)).any()


def test_a_regression_is_weighted(workshop: Workshop) -> None:
    workshop.deliver(data_csv=weighted())
    ingested = workshop.ingest()
    spec = {"task": "Regression", "estimator": estimator(RIDGE)}
    one = workshop.train(ingested, classification(**spec, weights=COLUMN))
    other = workshop.train(ingested, classification(**spec, features={"exclude": ["w"]}))
    assert (coefficients(workshop, one) != coefficients(workshop, other)).any()
