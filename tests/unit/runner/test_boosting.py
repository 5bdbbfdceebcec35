"""XGBoost and LightGBM: trained, kept in their own formats, loaded by the server, the same."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from tests.unit.runner.nested import NUMBERS, ONE_HOT, WORDS, columns, delivered
from tests.unit.runner.packages import served, unpack
from tests.unit.runner.workshop import (
    LOGISTIC,
    Workshop,
    classification,
    estimator,
    regression,
    rows,
)

from tidemill.store import boosted, trees
from tidemill_runner import boosting
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_server.exits import Refused
from tidemill_server.formats.boosted_model import load_trees
from tidemill_server.package.signature import read_signature

FEW = {"n_estimators": 8}
CLASSIFIERS = sorted(path for path in boosting.CLASSES if "Classifier" in path)
REGRESSORS = sorted(path for path in boosting.CLASSES if "Regressor" in path)
XGB, LGBM = "xgboost.XGBClassifier", "lightgbm.LGBMClassifier"
FILES = {"xgboost": "model.ubj", "lightgbm": "model.txt"}
each_classifier = pytest.mark.parametrize("path", CLASSIFIERS)
each_regressor = pytest.mark.parametrize("path", REGRESSORS)


@each_classifier
@pytest.mark.parametrize(
    "line",
    ["{a},{b},{y}", "{a},{b},c{y}", "{a},,{y}", "{a},{b},{b}"],
    ids=["integers", "texts", "a column of gaps", "ten classes"],
)
def test_a_classifier_is_served_as_it_was_trained(workshop: Workshop, path: str, line: str) -> None:
    result = workshop.learn(rows(200, line=line), estimator=estimator((path, FEW)))
    folder = unpack(workshop, result)
    assert (folder / FILES[boosting.CLASSES[path]]).exists()
    served(folder).assert_the_same()


@each_regressor
def test_a_regressor_is_served_as_it_was_trained(workshop: Workshop, path: str) -> None:
    workshop.deliver(data_csv=rows(200, line="{a},{b},{a}.5"))
    spec = regression(estimator=estimator((path, FEW)))
    served(unpack(workshop, workshop.train(workshop.ingest(), spec))).assert_the_same()


@each_classifier
@pytest.mark.parametrize(
    "before",
    [
        columns(NUMBERS, WORDS),
        columns({"name": "words", "columns": "categorical", **ONE_HOT}, remainder="passthrough"),
    ],
    ids=["dense", "the others as they are"],
)
def test_steps_before_it_are_served_with_it(workshop: Workshop, path: str, before: Any) -> None:
    result = workshop.learn(delivered(), estimator=estimator(before, (path, FEW)))
    both = served(unpack(workshop, result))
    both.assert_the_same()
    row = {"a": None, "b": 3, "flag": False, "site": None, "kind": "never seen"}
    model, server = both.answers([row])
    assert model.tolist() == server.tolist()


def test_it_is_what_the_library_fits(workshop: Workshop) -> None:
    """The same written in Python, on the same rows: the same probabilities to the last bit."""
    spec = {"estimator": estimator((XGB, FEW)), "split": {"by": "Order", "holdout": "0.25"}}
    both = served(unpack(workshop, workshop.learn(rows(200, line="{a},{b},c{y}"), **spec)))
    table = [row.split(",") for row in rows(200, line="{a},{b},{y}").splitlines()[1:151]]
    features = np.array([[float(a), float(b)] for a, b, _ in table])
    target = np.array([int(y) for *_, y in table])
    by_hand = xgboost.XGBClassifier(n_estimators=8, random_state=3).fit(features, target)
    assert (by_hand.predict_proba(features) == both.model.predict_proba(features)).all()


@pytest.mark.parametrize("path", sorted(boosting.CLASSES))
def test_the_same_run_twice_is_one_package(workshop: Workshop, path: str) -> None:
    workshop.deliver(data_csv=rows(200))
    ingested = workshop.ingest()
    task = "Regression" if "Regressor" in path else "Classification"
    spec = classification(
        task=task,
        estimator=estimator((path, {**FEW, "subsample": 0.5, "subsample_freq": 1}))
        if "LGBM" in path
        else estimator((path, {**FEW, "subsample": 0.5})),
    )
    first, second = (workshop.train(ingested, spec)["artifact"] for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", ["XGBClassifier", "LGBMClassifier"])
def test_the_file_does_not_tell_the_number_of_threads(tmp_path: Path, name: str) -> None:
    [path] = [path for path in boosting.CLASSES if path.endswith(name)]
    cls = boosting.find(path, "field", nested=False)
    features = np.random.default_rng(0).normal(size=(500, 3))
    files = []
    for threads in (1, 2):
        model = cls(n_jobs=threads, random_state=0, **FEW, **boosting.defaults(cls))
        model.fit(features, (features[:, 0] > 0).astype(int))
        files.append(trees.save(model, tmp_path).read_bytes())
    assert files[0] == files[1]


def test_the_package_tells_library_and_file(workshop: Workshop) -> None:
    folder = unpack(workshop, workshop.learn(rows(200), estimator=estimator((XGB, FEW))))
    signature = json.loads((folder / "signature.json").read_bytes())
    environment = json.loads((folder / "environment.json").read_bytes())
    assert signature["trees"] == "model.ubj"
    assert environment["packages"]["xgboost-cpu"] == xgboost.__version__


@pytest.mark.parametrize("path", [XGB, LGBM])
def test_rows_and_classes_are_weighed(workshop: Workshop, path: str) -> None:
    data = "a,b,w,y\n" + "".join(
        f"{i * 37 % 200},{i % 10},{i % 3},{int(i * 37 % 200 + i % 5 * 30 > 120)}\n"
        for i in range(200)
    )
    workshop.deliver(data_csv=data)
    ingested = workshop.ingest()
    specs: list[dict[str, Any]] = [
        {"features": {"exclude": ["w"]}, "estimator": estimator((path, FEW))},
        {"weights": {"column": "w"}, "estimator": estimator((path, FEW))},
    ]
    if path == LGBM:
        model = (path, {**FEW, "class_weight": {"1": 5}})
        specs.append({"features": {"exclude": ["w"]}, "estimator": estimator(model)})
    models = [
        served(unpack(workshop, workshop.train(ingested, classification(**spec)))).model
        for spec in specs
    ]
    asked = np.array([[float(a), float(a % 10)] for a in range(0, 200, 3)])
    plain, *weighed = [model.predict_proba(asked) for model in models]
    assert all((plain != other).any() for other in weighed)


REFUSED: dict[str, tuple[tuple[str, dict[str, Any]], str, tuple[str, ...]]] = {
    "a name that is none": (
        (XGB, {"max_dept": 3}),
        "ParameterInvalid",
        ("'max_dept'", "did you mean 'max_depth'", "n_estimators"),
    ),
    "an alias": (
        (LGBM, {"num_iterations": 3}),
        "ParameterInvalid",
        ("'num_iterations'", "n_estimators", "num_leaves"),
    ),
    "a type of XGBoost's": (
        (XGB, {"max_depth": "deep"}),
        "ParameterInvalid",
        ("XGBClassifier", "max_depth", "deep"),
    ),
    "a range of XGBoost's": (
        (XGB, {"subsample": 3}),
        "ParameterInvalid",
        ("XGBClassifier", "subsample"),
    ),
    "a type of LightGBM's": (
        (LGBM, {"num_leaves": "many"}),
        "ParameterInvalid",
        ("LGBMClassifier", "num_leaves", "many"),
    ),
    "a range of LightGBM's": (
        (LGBM, {"num_leaves": -4}),
        "ParameterInvalid",
        ("LGBMClassifier", "(num_leaves) > (1)"),
    ),
    "a word of XGBoost's": (
        (XGB, {"tree_method": "best"}),
        "ParameterInvalid",
        ("XGBClassifier", "'best'", "hist"),
    ),
    "a word of LightGBM's": (
        (LGBM, {"boosting_type": "best"}),
        "ParameterInvalid",
        ("LGBMClassifier", "best"),
    ),
    "no trees at all": (
        (XGB, {"n_estimators": 0}),
        "ParameterInvalid",
        ("params.n_estimators", "from 1 on"),
    ),
    "rows to stop early": (
        (XGB, {"early_stopping_rounds": 3}),
        "ParameterInvalid",
        ("params.early_stopping_rounds", "set n_estimators"),
    ),
    "no trees": ((XGB, {"booster": "gblinear"}), "ParameterInvalid", ("only trees",)),
    "another device": ((XGB, {"device": "cuda"}), "ParameterInvalid", ("params.device",)),
    "another sign of what is missing": (
        (XGB, {"missing": 0}),
        "ParameterInvalid",
        ("params.missing", "NaN"),
    ),
    "an objective answered otherwise": (
        (XGB, {"objective": "multi:softmax"}),
        "ParameterInvalid",
        ("params.objective", "binary:logistic, multi:softprob"),
    ),
    "a ranker": (("xgboost.XGBRanker", {}), "EstimatorRefused", ("'xgboost.XGBRegressor'",)),
    "a name misspelt": (
        ("lightgbm.LightGBMClassifier", {}),
        "EstimatorRefused",
        ("did you mean", "lightgbm.LGBMClassifier"),
    ),
    "within another": (
        ("sklearn.ensemble.BaggingClassifier", {"estimator": {"class": XGB}}),
        "EstimatorRefused",
        ("params.estimator.class", "the last step only"),
    ),
    "a regressor for classes": (
        ("xgboost.XGBRegressor", {}),
        "EstimatorRefused",
        ("must be a classifier",),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(workshop: Workshop, name: str) -> None:
    step, reason, tells = REFUSED[name]
    with pytest.raises(Failure) as caught:
        workshop.learn(rows(100), estimator=estimator(step))
    assert (caught.value.reason, caught.value.exit_code) == (reason, Exit.USER)
    assert "Stack trace" not in caught.value.message
    for words in tells:
        assert words in caught.value.message


def test_constraints_are_given_as_a_list(workshop: Workshop) -> None:
    model = (XGB, {**FEW, "monotone_constraints": [1, 0]})
    both = served(unpack(workshop, workshop.learn(rows(200), estimator=estimator(model))))
    rising = both.model.predict_proba(np.array([[float(a), 5.0] for a in range(200)]))[:, 1]
    assert (np.diff(rising) >= 0).all()


def test_before_the_last_step_it_is_refused(workshop: Workshop) -> None:
    with pytest.raises(Failure) as caught:
        workshop.learn(rows(100), estimator=estimator(XGB, LOGISTIC))
    assert "only the last step may be an estimator" in caught.value.message


@pytest.mark.parametrize("path", [XGB, LGBM])
def test_an_image_without_the_library_says_so(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    folder = unpack(workshop, workshop.learn(rows(200), estimator=estimator((path, FEW))))
    monkeypatch.setitem(sys.modules, boosting.CLASSES[path], None)
    boosting._class.cache_clear()
    with pytest.raises(Failure) as caught:
        workshop.learn(rows(200), estimator=estimator((path, FEW)))
    assert caught.value.reason == "EstimatorRefused"
    assert "runner-boosting" in caught.value.message
    with pytest.raises(Refused, match="server-boosting"):
        load_trees(folder, read_signature(folder / "signature.json"))


@pytest.mark.parametrize("library", sorted(boosted.FILES))
def test_other_trees_than_those_proved_are_not_uploaded(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    whole = trees.save

    def save(fitted: Any, folder: Path) -> Path:
        path = whole(fitted, folder)
        other = workshop.folder / path.name
        if other.exists():
            path.write_bytes(other.read_bytes())
        other.write_bytes(path.read_bytes())
        return path

    monkeypatch.setattr(trees, "save", save)
    path = XGB if library == "xgboost" else LGBM
    workshop.learn(rows(200), estimator=estimator((path, FEW)))
    with pytest.raises(Failure) as caught:
        workshop.learn(rows(200, line="{b},{a},{y}"), estimator=estimator((path, FEW)))
    assert "answers otherwise when loaded" in caught.value.message
