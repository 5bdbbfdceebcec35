"""Contributions: exact for what has them, refused for what has none, bounded, and in the report."""

import importlib.util
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn import ensemble, linear_model, neural_network, svm, tree
from tests.unit.runner.judgement.scenes import judged, noise, report
from tests.unit.runner.judgement.scenes import tree as small_tree
from tests.unit.runner.workshop import Workshop, estimator, regression

from tidemill.stats import additive
from tidemill_runner.failures import Failure
from tidemill_runner.judgement import contributed

ASKED: dict[str, Any] = {"explain": {"shap": True}}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 4))
HOLES = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
Y = X[:, 0] + X[:, 1] * X[:, 2] + RNG.normal(size=400) * 0.3
TWO, THREE = (Y > 0).astype(int), np.digitize(Y, [-0.5, 0.5])

MODELS = [
    (tree.DecisionTreeClassifier(max_depth=5), HOLES, TWO),
    (tree.ExtraTreeRegressor(), HOLES, Y),
    (ensemble.RandomForestClassifier(10), HOLES, THREE),
    (ensemble.RandomForestRegressor(10), HOLES, Y),
    (ensemble.ExtraTreesClassifier(10, class_weight="balanced"), X, TWO),
    (ensemble.GradientBoostingClassifier(n_estimators=10, subsample=0.7), X, TWO),
    (ensemble.GradientBoostingClassifier(n_estimators=10, init="zero"), X, THREE),
    (ensemble.GradientBoostingRegressor(n_estimators=10, loss="huber"), X, Y),
    (ensemble.HistGradientBoostingClassifier(max_iter=10), HOLES, TWO),
    (ensemble.HistGradientBoostingClassifier(max_iter=10), HOLES, THREE),
    (ensemble.HistGradientBoostingRegressor(max_iter=10), HOLES, Y),
    (ensemble.HistGradientBoostingRegressor(max_iter=10, loss="poisson"), HOLES, np.abs(Y)),
    (linear_model.LogisticRegression(), X, TWO),
    (linear_model.LogisticRegression(), X, THREE),
    (linear_model.RidgeClassifier(fit_intercept=False), X, THREE),
    (linear_model.Ridge(), X, Y),
    (svm.LinearSVC(), X, TWO),
]


def named(model: Any) -> Any:
    return type(model).__name__ if hasattr(model, "fit") else ""


@pytest.mark.parametrize(("model", "rows", "target"), MODELS, ids=named)
def test_parts_come_to_the_whole(model: Any, rows: Any, target: Any) -> None:
    model.fit(rows, target)
    parts = additive.apart(model, rows[:40], rows)
    assert parts.added.sum(axis=1) + parts.base == pytest.approx(parts.said, abs=1e-9)
    assert parts.added.shape[:2] == (40, 4)


@pytest.mark.parametrize(
    "model",
    [
        tree.DecisionTreeRegressor(max_depth=3),
        ensemble.RandomForestRegressor(5),
        ensemble.GradientBoostingRegressor(n_estimators=5),
        ensemble.HistGradientBoostingRegressor(max_iter=5),
    ],
    ids=named,
)
def test_a_model_of_one_feature_has_parts(model: Any) -> None:
    model.fit(X[:, :1], Y)
    parts = additive.apart(model, X[:40, :1], X[:, :1])
    assert parts.added.sum(axis=1) + parts.base == pytest.approx(parts.said, abs=1e-9)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("target", [TWO, THREE], ids=["two", "three"])
def test_absent_cells_are_what_the_model_takes_them_for(library: str, target: Any) -> None:
    module = pytest.importorskip(library)
    made = module.XGBClassifier if library == "xgboost" else module.LGBMClassifier
    quiet = {"verbose": -1} if library == "lightgbm" else {}
    holes = sparse.csr_matrix(np.where(RNG.random(X.shape) < 0.5, 0.0, X))
    model = made(n_estimators=5, n_jobs=1, **quiet).fit(holes, target)
    parts = additive.apart(model, holes[:30].toarray(), holes.toarray(), holes[:30])
    asked = {"output_margin": True} if library == "xgboost" else {"raw_score": True}
    said = np.asarray(model.predict(holes[:30], **asked)).reshape(30, -1)
    assert parts.said == pytest.approx(said, abs=1e-5)
    assert parts.added.sum(axis=1) + parts.base == pytest.approx(parts.said, abs=1e-3)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("target", [TWO, THREE, Y], ids=["two", "three", "numbers"])
def test_boosted_trees_say_themselves(library: str, target: Any) -> None:
    pytest.importorskip(library)
    module = __import__(library)
    prefix = {"xgboost": "XGB", "lightgbm": "LGBM"}[library]
    kind = "Regressor" if target is Y else "Classifier"
    quiet = {"verbose": -1} if library == "lightgbm" else {}
    model = getattr(module, prefix + kind)(n_estimators=5, n_jobs=1, **quiet).fit(HOLES, target)
    parts = additive.apart(model, HOLES[:30], HOLES)
    assert parts.added.sum(axis=1) + parts.base == pytest.approx(parts.said, abs=1e-3)
    assert parts.added.shape == (30, 4, 3 if target is THREE else 1)


@pytest.mark.skipif(not importlib.util.find_spec("shap"), reason="shap is not installed")
@pytest.mark.parametrize(
    ("model", "rows", "target"),
    # The library takes gradient boosting of two classes only.
    [one for one in MODELS[:11] if one[0] is not MODELS[6][0]],
    ids=named,
)
def test_they_are_those_of_the_library(model: Any, rows: Any, target: Any) -> None:
    import shap

    # The library takes no missing values for scikit-learn's own trees.
    whole = np.nan_to_num(rows)
    model.fit(whole, target)
    parts = additive.apart(model, whole[:10], whole)
    teller = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    given = np.asarray(teller.shap_values(whole[:10], check_additivity=False))
    assert parts.added == pytest.approx(given.reshape(parts.added.shape), abs=1e-6)


def contributions(workshop: Workshop, **spec: Any) -> dict[str, Any]:
    given = {"estimator": small_tree(), "evaluation": ASKED, **spec}
    found: dict[str, Any] = judged(workshop, noise(), **given)["contributed"]
    return found


def test_the_feature_that_tells_comes_first(workshop: Workshop) -> None:
    found = contributions(workshop)
    a, b = found["features"]
    assert (a["feature"], b["feature"], found["unit"]) == ("a", "b", "probability")
    assert a["mean"] > 5 * b["mean"]
    assert (found["rows"], found["skipped"], found["note"]) == (180, 0, "")
    assert len(a["rows"]) == contributed.DOTS
    assert all(0 <= rank <= 1 for _, rank in a["rows"])
    text = report(workshop)
    assert "What features contribute" in text
    assert "Contributions by row" in text
    assert "on a sample of 180 rows held out" in text


def test_it_is_told_when_asked_for_only(workshop: Workshop) -> None:
    assert judged(workshop, noise(), estimator=small_tree())["contributed"] is None
    assert "What features contribute" not in report(workshop)


def test_features_are_named_as_the_last_step_sees_them(workshop: Workshop) -> None:
    columns = {**noise(), "c": [f"k{n % 3}" for n in range(600)]}
    columns["y"] = [float(n % 3 == 1) + 0.1 * (n % 7) for n in range(600)]
    made = {
        "name": "columns",
        "class": "sklearn.compose.ColumnTransformer",
        "params": {
            "transformers": [
                {
                    "name": "n",
                    "columns": "numeric",
                    "class": "sklearn.preprocessing.StandardScaler",
                },
                {
                    "name": "c",
                    "columns": "categorical",
                    "class": "sklearn.preprocessing.OneHotEncoder",
                },
            ]
        },
    }
    steps = {"sklearn": {"steps": [made, {"name": "m", "class": "sklearn.linear_model.Ridge"}]}}
    spec = regression(estimator=steps, evaluation=ASKED)
    found = judged(workshop, columns, **spec)["contributed"]
    assert found["unit"] == "prediction"
    assert found["features"][0]["feature"] == "c__c_k1"
    assert {"n__a", "n__b"} <= {one["feature"] for one in found["features"]}


def test_several_classes_share_one_number(workshop: Workshop) -> None:
    columns = noise(900)
    columns["y"] = np.digitize(columns["a"], [-0.5, 0.5])
    found = judged(workshop, columns, estimator=small_tree(), evaluation=ASKED)["contributed"]
    assert len(found["base"]) == 3
    assert found["features"][0]["feature"] == "a"
    assert found["features"][0]["rows"] == []
    assert "over the classes" in report(workshop)


def test_what_has_none_is_refused_before_anything_is_fitted(workshop: Workshop) -> None:
    with pytest.raises(Failure) as caught:
        contributions(workshop, estimator=estimator("sklearn.neural_network.MLPClassifier"))
    assert caught.value.reason == "SpecInvalid"
    for word in ("spec.evaluation.explain.shap", "MLPClassifier", "linear models", "leave it out"):
        assert word in caught.value.message


def test_an_estimator_to_begin_with_is_refused() -> None:
    model = ensemble.GradientBoostingRegressor(init=linear_model.Ridge())
    assert "begins with another estimator" in str(additive.fault(model))
    assert additive.fault(ensemble.GradientBoostingRegressor()) is None
    assert additive.fault(neural_network.MLPRegressor()) is not None


def test_a_model_too_large_says_so(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(additive, "MOST_LEAVES", 3)
    found = contributions(workshop)
    assert "leaves, more than 3" in found["note"]
    assert found["features"] == []
    assert "contributions are not told: the model has" in report(workshop)


def test_parts_that_do_not_add_up_are_not_told(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "tidemill.stats.additive.shapley.expected"
    monkeypatch.setattr(wrong, lambda tree: np.zeros(tree.value.shape[1]) + 9)
    assert "do not add up" in contributions(workshop)["note"]


def test_rows_are_bounded_by_the_size_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(additive, "MOST_WORK", 400)
    model = tree.DecisionTreeRegressor(max_leaf_nodes=8).fit(X, Y)
    assert additive.rows_for(model) == 50
    assert additive.rows_for(linear_model.Ridge()) == 400


def test_the_package_stays_the_same(workshop: Workshop) -> None:
    kept = []
    for evaluation in ({"explain": {"shap": False}}, ASKED):
        judged(workshop, noise(), estimator=small_tree(), evaluation=evaluation)
        files = [k for k in workshop.store.objects if k.endswith("card.json")]
        kept.append({"contributed" in workshop.store.objects[k].decode() for k in files})
    assert kept == [{False}, {False}]


def test_a_tree_that_asks_for_categories_is_told_to_be_none() -> None:
    """Its sums may come out right for one row all the same."""
    rows = X.copy()
    rows[:, 2] = RNG.integers(0, 6, len(rows))
    target = np.isin(rows[:, 2], (1, 4)).astype(int)
    model = ensemble.HistGradientBoostingClassifier(max_iter=5, categorical_features=[2])
    with pytest.raises(additive.NoPartsError, match="categories"):
        additive.apart(model.fit(rows, target), rows[:1], rows)


def test_a_tree_that_is_too_deep_is_told_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(additive, "MOST_PATHS", 20)
    with pytest.raises(additive.NoPartsError, match="deep"):
        additive.rows_for(tree.DecisionTreeRegressor().fit(X, Y))
