"""Every training that is known to go wrong somewhere, by name, from data to package.

It is either refused with its reason, the field or column and the way out, or it is trained and
what was odd about it is told here.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.unit.runner.workshop import (
    LOGISTIC,
    RIDGE,
    Workshop,
    classification,
    estimator,
    regression,
    rows,
)

from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure

HISTOGRAM = "sklearn.ensemble.HistGradientBoostingClassifier"
CALIBRATED = "sklearn.calibration.CalibratedClassifierCV"
STACKED = "sklearn.ensemble.StackingClassifier"
ONE_HOT = "sklearn.preprocessing.OneHotEncoder"
ORDINAL = "sklearn.preprocessing.OrdinalEncoder"
ORDER = {"by": "Order", "holdout": "0.2"}


def estimate(*steps: Any, **more: Any) -> dict[str, Any]:
    return classification(estimator=estimator(*steps), **more)


@dataclass(frozen=True)
class Bad:
    """What is refused: the data, the spec, the reason and what the message tells."""

    reason: str
    tells: tuple[str, ...]
    spec: dict[str, Any] = field(default_factory=classification)
    data: str = field(default_factory=rows)
    exit: Exit = Exit.USER


ONE_OF_A_CLASS = rows(line="{a},{b},c{y}") + "7,7,rare\n"
REFUSED = {
    "wrong parameter name": Bad(
        "ParameterInvalid",
        ("steps[0].params", "'penalti'", "did you mean 'penalty'", "max_iter", "solver"),
        estimate((LOGISTIC, {"penalti": "l2"})),
    ),
    "wrong parameter type": Bad(
        "ParameterInvalid",
        ("steps[0].params", "'max_iter'", "an int in the range [0, inf)", "'many'"),
        estimate((LOGISTIC, {"max_iter": "many"})),
    ),
    "wrong parameter range": Bad(
        "ParameterInvalid",
        ("steps[0].params", "'tol'", "a float in the range [0.0, inf)", "-1"),
        estimate((LOGISTIC, {"tol": -1.0})),
    ),
    "wrong parameter value": Bad(
        "ParameterInvalid",
        ("steps[0].params", "'solver'", "newton-cholesky", "'best'"),
        estimate((LOGISTIC, {"solver": "best"})),
    ),
    "unknown class": Bad(
        "EstimatorRefused",
        ("steps[0].class", "did you mean 'sklearn.linear_model.LogisticRegression'"),
        estimate("sklearn.linear_model.LogisticRegressor"),
    ),
    "step names duplicated": Bad(
        "SpecInvalid",
        ("steps[1].name", "'s0' is there already", "rename"),
        classification(
            estimator={
                "sklearn": {
                    "steps": [
                        {"name": "s0", "class": "sklearn.preprocessing.StandardScaler"},
                        {"name": "s0", "class": LOGISTIC},
                    ]
                }
            }
        ),
    ),
    "constant features, all": Bad(
        "FeaturesInvalid",
        ("'a', 'b'", "one value each", "42 rows", "deliver"),
        data=rows(line="5,x,{y}"),
        spec=estimate(ORDINAL, LOGISTIC),
    ),
    "class with one row, cut into folds": Bad(
        "TargetInvalid",
        ("'rare' has 1 of the rows", "cv"),
        estimate((CALIBRATED, {"cv": 3}), split=ORDER),
        "7,7,rare\n".join(ONE_OF_A_CLASS.split("0,0,c0\n", 1)),
        Exit.DATA,
    ),
    "class with one row, kept back to stop early": Bad(
        "TargetInvalid",
        ("'rare' has 1 of the rows", "early_stopping"),
        estimate((HISTOGRAM, {"early_stopping": True}), split=ORDER),
        "7,7,rare\n".join(ONE_OF_A_CLASS.split("0,0,c0\n", 1)),
        Exit.DATA,
    ),
    "split larger than data": Bad(
        "SplitInvalid",
        ("spec.split.holdout", "0.2 of 2 rows leaves none to hold out", "change the fraction"),
        classification(split=ORDER),
        "a,b,y\n1,2,0\n2,1,1\n",
    ),
    "split that leaves nothing": Bad(
        "SplitInvalid",
        ("spec.split.holdout", "0.9 of 2 rows leaves none to train on"),
        classification(split={"by": "Order", "holdout": "0.9"}),
        "a,b,y\n1,2,0\n2,1,1\n",
    ),
    "all-NaN column": Bad(
        "FeaturesInvalid",
        ("'b'", "no value in the rows trained on", "spec.features.exclude"),
        estimate(HISTOGRAM),
        rows(line="{a},,{y}"),
    ),
    "all-NaN column beside a text": Bad(
        "FeaturesInvalid",
        ("'b'", "no value in the rows trained on"),
        estimate((ORDINAL, {"unknown_value": 0, "handle_unknown": "use_encoded_value"}), HISTOGRAM),
        rows(header="a,b,t,y", line="{a},,w{b},{y}"),
    ),
    "unseen categories in the holdout": Bad(
        "FeaturesInvalid",
        ("OneHotEncoder", "no row it was fitted on has", "'new'", "handle_unknown: ignore"),
        estimate(
            (
                "sklearn.compose.ColumnTransformer",
                {"transformers": [{"name": "t", "columns": "categorical", "class": ONE_HOT}]},
            ),
            LOGISTIC,
            split=ORDER,
        ),
        rows(50, line="{a},w{b},{y}") + "1,new,0\n" * 10,
    ),
    "unseen categories in the holdout, in order": Bad(
        "FeaturesInvalid",
        ("OrdinalEncoder", "'new'", "unknown_value: -1"),
        estimate(
            (
                "sklearn.compose.ColumnTransformer",
                {"transformers": [{"name": "t", "columns": "categorical", "class": ORDINAL}]},
            ),
            LOGISTIC,
            split=ORDER,
        ),
        rows(50, line="{a},w{b},{y}") + "1,new,0\n" * 10,
    ),
    "string target for regression": Bad(
        "TargetInvalid",
        ("spec.target", "'y' is String", "spec.task Classification"),
        regression(),
        rows(line="{a},{b},c{y}"),
        Exit.DATA,
    ),
    "infinite loss": Bad(
        "LossNotFinite",
        ("SGDRegressor", "StandardScaler", "learning rate"),
        regression(
            estimator=estimator(
                ("sklearn.linear_model.SGDRegressor", {"eta0": 1e9, "learning_rate": "constant"})
            )
        ),
        rows(line="{a}e60,{b}e70,{a}"),
    ),
    "infinite error of the predictions": Bad(
        "LossNotFinite",
        ("rmse of Ridge", "no finite number"),
        regression(estimator=estimator(RIDGE)),
        rows(line="{i},{b},{a}e160"),
    ),
    "target in features": Bad(
        "FeaturesInvalid",
        ("transformers[0].columns", "'y' is spec.target", "take it out"),
        estimate(
            (
                "sklearn.compose.ColumnTransformer",
                {"transformers": [{"name": "n", "columns": ["a", "y"], "class": "passthrough"}]},
            ),
            LOGISTIC,
        ),
    ),
    "several targets": Bad(
        "EstimatorRefused",
        ("steps[0].class", "several targets", "make a run for each"),
        estimate("sklearn.multioutput.MultiOutputClassifier"),
    ),
    "several targets of a linear model": Bad(
        "EstimatorRefused",
        ("steps[0].class", "several targets", "make a run for each"),
        regression(estimator=estimator("sklearn.linear_model.MultiTaskLasso")),
    ),
    "a step that cannot do it, by its name": Bad(
        "FitFailed",
        ("PCA raised ValueError", "n_components=9"),
        estimate(("sklearn.decomposition.PCA", {"n_components": 9}), LOGISTIC),
    ),
    "gaps in a column that one part does not take": Bad(
        "FeaturesInvalid",
        ("'a'", "LogisticRegression does not take", "SimpleImputer"),
        estimate(
            (
                "sklearn.ensemble.VotingClassifier",
                {
                    "estimators": [
                        {"name": "takes", "class": HISTOGRAM},
                        {"name": "not", "class": LOGISTIC},
                    ]
                },
            )
        ),
        rows() + ",1,0\n",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(workshop: Workshop, name: str) -> None:
    bad = REFUSED[name]
    workshop.deliver(data_csv=bad.data)
    ingested = workshop.ingest()
    before = dict(workshop.store.objects)
    with pytest.raises(Failure) as caught:
        workshop.train(ingested, bad.spec)
    failure = caught.value
    assert (failure.reason, failure.exit_code) == (bad.reason, bad.exit), failure.message
    for words in bad.tells:
        assert words in failure.message
    assert workshop.store.objects == before


@pytest.mark.parametrize("path", [LOGISTIC, HISTOGRAM, "sklearn.ensemble.RandomForestClassifier"])
def test_a_class_with_one_row_is_learnt_where_nothing_is_cut(workshop: Workshop, path: str) -> None:
    data = "7,7,rare\n".join(ONE_OF_A_CLASS.split("0,0,c0\n", 1))
    result = workshop.learn(data, estimator=estimator(path), split=ORDER)
    assert result["artifact"]["digest"]


def test_one_constant_feature_is_told_and_trained(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = workshop.learn(rows(line="{a},5,{y}"))
    assert result["features"] == ["a", "b"]
    assert "of one value in all rows trained on: 'b'" in caplog.text


def test_a_gap_is_a_value_of_its_own(workshop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    """A column that has its one value or none tells something."""
    data = "a,b,y\n" + "".join(f"{i},{5 if i % 3 else ''},{i % 2}\n" for i in range(60))
    with caplog.at_level(logging.WARNING):
        workshop.learn(data, estimator=estimator(HISTOGRAM))
    assert "one value" not in caplog.text


def test_unseen_categories_are_learnt_where_they_are_ignored(workshop: Workshop) -> None:
    part = {
        "name": "t",
        "columns": "categorical",
        "class": ONE_HOT,
        "params": {"handle_unknown": "ignore"},
    }
    columns = ("sklearn.compose.ColumnTransformer", {"transformers": [part]})
    data = rows(50, line="{a},w{b},{y}") + "1,new,0\n" * 10
    result = workshop.learn(data, estimator=estimator(columns, LOGISTIC), split=ORDER)
    assert result["rows"] == {"train": 48, "holdout": 12}
