"""A model that exists becomes a package: served as it answered before, judged as any other."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.unit.runner.imported.foreign import (
    KEY,
    Importing,
    Make,
    lgb,
    mlmodel,
    sklearn,
    table,
    xgb,
)
from tests.unit.runner.packages import served, unpack
from tests.unit.runner.workshop import Workshop, rows

from tidemill.store import digests, trees


@pytest.fixture
def importing(workshop: Workshop) -> Importing:
    return Importing(workshop).data(rows(200))


MODELS: dict[str, tuple[Make, str]] = {
    "XGBoost, ubj": (lambda folder: xgb(folder, ".ubj"), "xgboost"),
    "XGBoost, json": (lambda folder: xgb(folder, ".json", ["a", "b"]), "xgboost"),
    "LightGBM": (lambda _: lgb(), "lightgbm"),
    "LightGBM, named": (lambda _: lgb(["a", "b"]), "lightgbm"),
    "skops": (lambda _: sklearn(), ""),
    "skops, named": (lambda _: sklearn(names=["a", "b"]), ""),
    "a pipeline": (
        lambda _: sklearn(
            make_pipeline(
                ColumnTransformer([("scale", StandardScaler(), [0])], remainder="passthrough"),
                LogisticRegression(),
            )
        ),
        "",
    ),
}


@pytest.mark.parametrize(("make", "library"), MODELS.values(), ids=MODELS)
def test_it_is_packed_and_served(
    importing: Importing, tmp_path: Path, make: Make, library: str
) -> None:
    data = make(tmp_path)
    importing.put(data)
    result = importing.run(digest=digests.sha256_digest(data))
    package = served(unpack(importing.workshop, result))
    package.assert_the_same()
    assert result["artifact"].get("trees", "") == library
    assert result["metrics"][0]["name"]
    assert result["judgement"]["baselines"]
    assert result["import"]["uri"] == f"s3://b/{KEY}"
    lineage = json.loads((package.folder / "lineage.json").read_bytes())
    assert lineage["import"] == result["import"]
    assert lineage["import"]["digest"] == digests.sha256_digest(data)
    assert len(lineage["steps"]) >= 1
    assert (package.folder / "card.md").read_text().startswith("# ")


def test_it_answers_as_it_did_where_it_was_fitted(importing: Importing, tmp_path: Path) -> None:
    importing.put(xgb(tmp_path))
    package = served(unpack(importing.workshop, importing.run()))
    booster = xgboost.Booster(model_file=tmp_path / "made.ubj")
    features, _ = table()
    expected = booster.predict(xgboost.DMatrix(features))
    assert np.array_equal(package.model.trees.predict_proba(features)[:, 1], expected)


def test_the_same_file_twice_is_one_package(importing: Importing, tmp_path: Path) -> None:
    importing.put(xgb(tmp_path))
    first, second = (importing.run()["artifact"] for _ in range(2))
    assert first == second


NUMBERS: dict[str, Make] = {
    "XGBoost": lambda folder: xgb(folder, objective="reg:squarederror"),
    "LightGBM": lambda _: lgb(objective="regression"),
    "skops": lambda _: sklearn(RandomForestRegressor(n_estimators=5, random_state=1)),
}


@pytest.mark.parametrize("make", NUMBERS.values(), ids=NUMBERS)
def test_numbers(importing: Importing, tmp_path: Path, make: Make) -> None:
    importing.put(make(tmp_path))
    served(unpack(importing.workshop, importing.run({"task": "Regression"}))).assert_the_same()


def test_texts_as_classes_are_named_in_the_models_order(workshop: Workshop, tmp_path: Path) -> None:
    importing = Importing(workshop).data(rows(200, line="{a},{b},c{y}"))
    importing.put(xgb(tmp_path))
    result = importing.run(classes=["c0", "c1"])
    package = served(unpack(workshop, result))
    package.assert_the_same()
    assert package.signature.classes == ("c0", "c1")
    accuracy = next(one for one in result["metrics"] if one["name"] == "accuracy")
    assert accuracy["value"] > 0.95
    turned = importing.run(classes=["c1", "c0"])
    assert next(one for one in turned["metrics"] if one["name"] == "accuracy")["value"] < 0.05


@pytest.mark.parametrize(
    ("line", "classes"), [("{a},{b},{y}", ["0", "1"]), ("{a},{b},{y}.0", ["0", "1"])]
)
def test_classes_may_be_numbers(
    workshop: Workshop, tmp_path: Path, line: str, classes: list[str]
) -> None:
    importing = Importing(workshop).data(rows(200, line=line))
    importing.put(lgb())
    package = served(unpack(workshop, importing.run(classes=classes)))
    package.assert_the_same()
    assert package.signature.classes == (0, 1)
    assert {type(one) for one in package.signature.classes} == {int}
    assert tmp_path.exists()


@pytest.mark.parametrize(
    ("kind", "datatype"), [(np.float64, "FP64"), (np.uint8, "INT64"), (np.int16, "INT64")]
)
def test_classes_of_any_type_are_served(importing: Importing, kind: Any, datatype: str) -> None:
    features, target = table()
    model = LogisticRegression().fit(features, target.astype(kind))
    importing.put(bytes(skops.io.dumps(model)))
    package = served(unpack(importing.workshop, importing.run()))
    package.assert_the_same()
    signature = json.loads((package.folder / "signature.json").read_bytes())
    assert signature["outputs"][0]["datatype"] == datatype


def test_what_stopped_early_answers_with_its_best_trees(
    importing: Importing, tmp_path: Path
) -> None:
    features, target = table()
    data = xgboost.DMatrix(features, target)
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 2}, data, num_boost_round=9
    )
    booster.set_attr(best_iteration="3")
    booster.save_model(tmp_path / "early.json")
    importing.put((tmp_path / "early.json").read_bytes())
    package = served(unpack(importing.workshop, importing.run()))
    expected = booster.predict(data, iteration_range=(0, 4))
    assert np.array_equal(package.model.trees.predict_proba(features)[:, 1], expected)
    kept = trees.load(package.folder / "model.ubj", [0, 1]).booster
    assert kept.num_boosted_rounds() == 4


FLAVORS: dict[str, tuple[bytes, str, Make]] = {
    "xgboost": (mlmodel("xgboost", data="model.xgb", model_class="x"), "model.xgb", xgb),
    "lightgbm": (mlmodel("lightgbm", data="model.lgb"), "model.lgb", lambda _: lgb()),
    "sklearn by skops": (
        mlmodel("sklearn", pickled_model="model.skops", serialization_format="skops"),
        "model.skops",
        lambda _: sklearn(),
    ),
}


@pytest.mark.parametrize(("description", "file", "make"), FLAVORS.values(), ids=FLAVORS)
def test_an_mlflow_model(
    importing: Importing, tmp_path: Path, description: bytes, file: str, make: Make
) -> None:
    importing.put(description, "runs/1/MLmodel")
    importing.put(make(tmp_path), f"runs/1/{file}")
    result = importing.run(prefix="runs/1")
    served(unpack(importing.workshop, result)).assert_the_same()
    assert result["import"]["uri"] == "s3://b/runs/1"


def test_it_is_signed_like_any_other(importing: Importing, tmp_path: Path) -> None:
    from tests.unit.store import keys

    importing.put(xgb(tmp_path))
    (tmp_path / "key").write_bytes(keys.private_pem())
    told: dict[str, Any] = {"signing": {"folder": str(tmp_path), "called": "the key"}}
    place = {"endpoint": "http://s", "bucket": "b", "key": KEY}
    spec = {"task": "Classification", "target": "y", "estimator": {"import": {}}}
    result = importing.workshop.train(importing.ingested, spec, **told, **{"import": place})
    assert result["artifact"]["signed"] == {"keyId": keys.key_id()}
