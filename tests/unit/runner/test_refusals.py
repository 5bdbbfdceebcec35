"""Training that cannot succeed: each kind has its reason, names the field and the way out."""

from typing import Any

import pytest
from sklearn.dummy import DummyClassifier
from tests.unit.runner.workshop import (
    LOGISTIC,
    RIDGE,
    Workshop,
    classification,
    estimator,
    regression,
    rows,
)

from tidemill.store import digests, trusted
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure

HISTOGRAM = "sklearn.ensemble.HistGradientBoostingClassifier"
FUNCTION = "sklearn.preprocessing.FunctionTransformer"
NEIGHBOURS = "sklearn.neighbors.KNeighborsClassifier"
DIVERGING = ("sklearn.linear_model.SGDRegressor", {"eta0": 1e12, "learning_rate": "constant"})


def refuse(workshop: Workshop, data: str, spec: dict[str, Any]) -> Failure:
    workshop.deliver(data_csv=data)
    ingested = workshop.ingest()
    with pytest.raises(Failure) as caught:
        workshop.train(ingested, spec)
    assert not any(key.startswith("models/") for key in workshop.store.objects)
    return caught.value


@pytest.mark.parametrize(
    ("data", "spec", "reason", "words"),
    [
        pytest.param(
            rows(),
            classification(target="Y2"),
            "TargetMissing",
            ["spec.target", "'Y2'"],
            id="absent",
        ),
        pytest.param(
            rows(line="{a},{b},1"),
            classification(),
            "TargetInvalid",
            ["one class only", "1"],
            id="one-class",
        ),
        pytest.param(
            rows(line="{i},{b},0") + "61,1,1\n",
            classification(split={"by": "Order", "holdout": "0.2"}),
            "TargetInvalid",
            ["spec.split", "one class only"],
            id="one-class-left-to-train-on",
        ),
        pytest.param(
            rows() + "3,4,\n",
            classification(),
            "TargetInvalid",
            ["'y'", "data.csv, data row 61"],
            id="gap",
        ),
        pytest.param(
            rows(line="{a},{b},{y}.5") + "3,4,NaN\n" + "3,4,NaN\n",
            regression(),
            "TargetInvalid",
            ["no value", "data row 61", "1 more"],
            id="nan",
        ),
        pytest.param(
            rows(line="{a},{b},{y}.5") + "3,4,inf\n",
            regression(),
            "TargetInvalid",
            ["infinite", "data row 61"],
            id="infinite",
        ),
        pytest.param(
            rows(line="{a},{b},c{y}"),
            regression(),
            "TargetInvalid",
            ["String", "Classification"],
            id="regression-of-text",
        ),
        pytest.param(
            rows(line="{a},{b},{a}.25"),
            classification(),
            "TargetInvalid",
            ["fractions", "Regression"],
            id="classes-with-fractions",
        ),
        pytest.param(
            rows(line="{a},{b},2020-01-01"),
            classification(),
            "TargetInvalid",
            ["Date"],
            id="date-as-class",
        ),
    ],
)
def test_a_target_is_refused(
    workshop: Workshop, data: str, spec: dict[str, Any], reason: str, words: list[str]
) -> None:
    failure = refuse(workshop, data, spec)
    assert failure.reason == reason
    assert failure.exit_code in (Exit.USER, Exit.DATA)
    for word in words:
        assert word in failure.message


def test_a_wrong_target_is_answered_with_the_near_name(workshop: Workshop) -> None:
    data = rows(header="a,b,class")
    failure = refuse(workshop, data, classification(target="clas"))
    assert "did you mean 'class'?" in failure.message


@pytest.mark.parametrize(
    ("data", "spec", "words"),
    [
        pytest.param(
            rows(header="a,t,y", line="{a},2020-01-01 10:00:00,{y}"),
            classification(),
            ["'t' (Timestamp)", "spec.features.exclude"],
            id="timestamp",
        ),
        pytest.param(
            rows(header="a,t,y", line="{a},2020-01-01,{y}"),
            classification(),
            ["'t' (Date)", "spec.features.exclude"],
            id="date",
        ),
        pytest.param(
            rows(),
            classification(features={"exclude": ["c"]}),
            ["spec.features.exclude", "'c'"],
            id="exclude-names-no-column",
        ),
        pytest.param(
            rows(),
            classification(features={"exclude": ["a", "b"]}),
            ["no feature"],
            id="nothing-left",
        ),
        pytest.param(
            rows() + "inf,1,0\n", classification(), ["'a'", "infinite", "data row 61"], id="inf"
        ),
        pytest.param(
            rows() + ",1,0\n", classification(), ["'a'", "SimpleImputer"], id="gaps-not-taken"
        ),
        pytest.param(
            rows(line="{a},,{y}"),
            classification(estimator=estimator(HISTOGRAM)),
            ["'b'", "no value", "spec.features.exclude"],
            id="nothing-but-gaps-not-taken",
        ),
        pytest.param(
            rows(line="{a},w{b},{y}"),
            classification(),
            ["'b'", "OrdinalEncoder"],
            id="text-not-taken",
        ),
    ],
)
def test_features_are_refused(
    workshop: Workshop, data: str, spec: dict[str, Any], words: list[str]
) -> None:
    failure = refuse(workshop, data, spec)
    assert (failure.reason, failure.exit_code) == ("FeaturesInvalid", Exit.USER)
    for word in words:
        assert word in failure.message


@pytest.mark.parametrize(
    ("split", "words"),
    [
        pytest.param({"holdout": "0.000001"}, ["none to hold out"], id="none-held-out"),
        pytest.param({"holdout": "0.999999"}, ["none to train on"], id="none-to-train-on"),
        pytest.param({"by": "Time", "column": "when"}, ["'when'"], id="column-absent"),
        pytest.param({"by": "Time", "column": "word"}, ["'word'", "String"], id="column-of-text"),
        pytest.param({"by": "Time", "column": "gap"}, ["'gap'", "data row 1"], id="column-gaps"),
    ],
)
def test_a_split_is_refused(workshop: Workshop, split: dict[str, str], words: list[str]) -> None:
    data = "a,word,gap,y\n,w,,0\n" + "".join(f"{i},w,{i},{i % 2}\n" for i in range(60))
    spec = classification(split=split, features={"exclude": ["word", "gap"]})
    failure = refuse(workshop, data, spec)
    assert (failure.reason, failure.exit_code) == ("SplitInvalid", Exit.USER)
    for word in words:
        assert word in failure.message


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("os.system", ["'os.system'"], id="a-function"),
        pytest.param("subprocess.Popen", ["not an estimator"], id="a-class-elsewhere"),
        pytest.param("catboost.CatBoostClassifier", ["not an estimator"], id="another-library"),
        pytest.param(
            "sklearn.linear_model.LogisticRegresion",
            ["did you mean 'sklearn.linear_model.LogisticRegression'"],
            id="misspelt",
        ),
        pytest.param(
            "sklearn.RandomForestClassifier",
            ["sklearn.ensemble.RandomForestClassifier"],
            id="wrong-module",
        ),
        pytest.param(
            "sklearn.linear_model._logistic.LogisticRegression",
            ["sklearn.linear_model.LogisticRegression"],
            id="private-path",
        ),
        pytest.param(FUNCTION, ["calls a function"], id="calls-functions"),
        pytest.param("sklearn.datasets.load_iris", ["not an estimator"], id="not-a-class"),
        pytest.param(
            "sklearn.ensemble.StackingClassifier", ["needs estimators"], id="needs-others"
        ),
        pytest.param("sklearn.linear_model.Ridge", ["classifier", "Ridge"], id="a-regressor"),
        pytest.param("sklearn.preprocessing.StandardScaler", ["classifier"], id="a-transformer"),
    ],
)
def test_a_class_is_refused(workshop: Workshop, path: str, words: list[str]) -> None:
    failure = refuse(workshop, rows(), classification(estimator=estimator(path)))
    assert (failure.reason, failure.exit_code) == ("EstimatorRefused", Exit.USER)
    for word in ("spec.estimator.sklearn.steps[0].class", *words):
        assert word in failure.message


def test_an_estimator_before_the_last_step_is_refused(workshop: Workshop) -> None:
    spec = classification(estimator=estimator(LOGISTIC, LOGISTIC))
    failure = refuse(workshop, rows(), spec)
    assert failure.reason == "EstimatorRefused"
    assert "steps[0]" in failure.message
    assert "only the last step" in failure.message


@pytest.mark.parametrize(
    ("path", "params", "words"),
    [
        pytest.param(
            HISTOGRAM,
            {"max_itr": 3},
            ["'max_itr'", "did you mean 'max_iter'", "learning_rate"],
            id="name",
        ),
        pytest.param(
            HISTOGRAM, {"zzzzzzz": 3}, ["'zzzzzzz'", "learning_rate", "max_iter"], id="no-name"
        ),
        pytest.param(HISTOGRAM, {"max_iter": "many"}, ["'max_iter'", "int", "'many'"], id="type"),
        pytest.param(HISTOGRAM, {"max_iter": -1}, ["'max_iter'", "[1, inf)", "-1"], id="value"),
        pytest.param(
            HISTOGRAM, {"loss": "logloss"}, ["'loss'", "{'log_loss'}", "'logloss'"], id="word"
        ),
        pytest.param(
            HISTOGRAM, {"categorical_features": [1]}, ["OrdinalEncoder"], id="kept-as-code"
        ),
        pytest.param(LOGISTIC, {"C": [1]}, ["'C'"], id="list-for-a-number"),
        pytest.param(NEIGHBOURS, {"metric": "os.system"}, ["'metric'"], id="names-a-function"),
        pytest.param(
            "sklearn.feature_selection.SelectKBest",
            {"score_func": "os.system"},
            ["'score_func'", "callable"],
            id="wants-a-function",
        ),
        pytest.param(
            "sklearn.cluster.FeatureAgglomeration",
            {"memory": "/tmp/cache"},
            ["memory", "files"],
            id="writes-files",
        ),
        pytest.param(
            "sklearn.feature_extraction.text.CountVectorizer",
            {"input": "filename"},
            ["input", "files"],
            id="reads-files",
        ),
        pytest.param(
            "sklearn.feature_extraction.text.CountVectorizer",
            {"tokenizer": "os.system"},
            ["'tokenizer'", "callable"],
            id="imports",
        ),
    ],
)
def test_a_parameter_is_refused(
    workshop: Workshop, path: str, params: dict[str, Any], words: list[str]
) -> None:
    steps: list[Any] = [(path, params)] if "Classif" in path or "Regression" in path else []
    steps = steps or [(path, params), LOGISTIC]
    failure = refuse(workshop, rows(), classification(estimator=estimator(*steps)))
    assert (failure.reason, failure.exit_code) == ("ParameterInvalid", Exit.USER)
    for word in ("spec.estimator.sklearn.steps[0].params", *words):
        assert word in failure.message


@pytest.mark.parametrize(
    "params", [{"func": "os.system"}, {"kw_args": {"x": 1}}, {}], ids=["func", "kwargs", "none"]
)
def test_functions_are_never_called(workshop: Workshop, params: dict[str, Any]) -> None:
    spec = classification(estimator=estimator((FUNCTION, params), LOGISTIC))
    assert refuse(workshop, rows(), spec).reason == "EstimatorRefused"


def test_what_is_wrong_in_the_spec_is_said_before_data_is_read(workshop: Workshop) -> None:
    workshop.deliver(data_csv=rows())
    ingested = workshop.ingest()
    workshop.store.objects.clear()
    with pytest.raises(Failure) as caught:
        workshop.train(ingested, classification(estimator=estimator("os.system")))
    assert caught.value.reason == "EstimatorRefused"


@pytest.mark.parametrize(
    ("metrics", "path", "task", "words"),
    [
        pytest.param(["rmse"], LOGISTIC, "Classification", ["'rmse'", "accuracy"], id="other-task"),
        pytest.param(["accurracy"], LOGISTIC, "Classification", ["'accuracy'"], id="misspelt"),
        pytest.param(["accuracy"], RIDGE, "Regression", ["'accuracy'", "rmse"], id="regression"),
        pytest.param(
            ["log_loss"],
            "sklearn.svm.LinearSVC",
            "Classification",
            ["probabilities", "LinearSVC"],
            id="no-probabilities",
        ),
    ],
)
def test_a_metric_is_refused(
    workshop: Workshop, metrics: list[str], path: str, task: str, words: list[str]
) -> None:
    spec = classification(task=task, estimator=estimator(path), evaluation={"metrics": metrics})
    failure = refuse(workshop, rows(), spec)
    assert failure.reason == "MetricInvalid"
    for word in words:
        assert word in failure.message


def test_a_fit_that_raises_is_told_in_its_own_words(workshop: Workshop) -> None:
    spec = classification(estimator=estimator((NEIGHBOURS, {"n_neighbors": 999})))
    failure = refuse(workshop, rows(), spec)
    assert (failure.reason, failure.exit_code) == ("FitFailed", Exit.USER)
    assert "KNeighborsClassifier" in failure.message
    assert "999" in failure.message


def test_a_loss_that_is_not_finite_is_told(workshop: Workshop) -> None:
    data = rows(line="{a}e60,{b}e70,{a}")
    failure = refuse(workshop, data, regression(estimator=estimator(DIVERGING)))
    assert (failure.reason, failure.exit_code) == ("LossNotFinite", Exit.USER)
    assert "StandardScaler" in failure.message


def test_a_model_that_cannot_be_packed_is_told(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trusted, "TRUSTED_TYPES", ())
    failure = refuse(workshop, rows(200), classification(estimator=estimator(HISTOGRAM)))
    assert failure.reason == "ModelNotPackable"
    assert "HistGradientBoostingClassifier does not load" in failure.message


def test_a_model_that_answers_otherwise_when_loaded_is_not_uploaded(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    constant = DummyClassifier(strategy="constant", constant=1).fit([[0], [0]], [0, 1])
    monkeypatch.setattr(trusted, "load", lambda _: constant)
    failure = refuse(workshop, rows(), classification())
    assert failure.reason == "ModelNotPackable"
    assert "answers otherwise" in failure.message


@pytest.mark.parametrize("part", ["object", "manifest", "schema"])
@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_version_that_is_not_what_it_was_is_not_learnt(
    workshop: Workshop, part: str, harm: str
) -> None:
    workshop.deliver(data_csv=rows())
    ingested = workshop.ingest()
    object_digest = digests.sha256_digest(workshop.source.objects["raw/power/data.csv"])
    key = {
        "object": f"cas/ns/sha256/{digests.hex_of(object_digest)}",
        "manifest": ingested["manifest"],
        "schema": f"cas/ns/sha256/{digests.hex_of(ingested['schema'])}",
    }[part]
    if harm == "gone":
        del workshop.store.objects[key]
    else:
        workshop.store.objects[key] = workshop.store.objects[key].replace(b"1", b"2")
    with pytest.raises(Failure) as caught:
        workshop.train(ingested, classification())
    assert (caught.value.reason, caught.value.exit_code) == ("DatasetCorrupt", Exit.DATA)
    assert key in caught.value.message
