"""What training leaves: a package that is proved and repeatable, metrics, splits as asked for."""

import json
from typing import Any

import numpy as np
import pytest
from tests.unit.runner.packages import served, unpack
from tests.unit.runner.workshop import (
    LOGISTIC,
    RIDGE,
    Workshop,
    classification,
    estimator,
    regression,
    rows,
)

from tidemill.store import trusted

HISTOGRAM = "sklearn.ensemble.HistGradientBoostingClassifier"
SCALER = "sklearn.preprocessing.StandardScaler"
ENCODER = (
    "sklearn.preprocessing.OrdinalEncoder",
    {"handle_unknown": "use_encoded_value", "unknown_value": -1},
)


def test_the_package_is_whole_and_says_where_it_comes_from(workshop: Workshop) -> None:
    result = workshop.learn(rows())
    folder = unpack(workshop, result)
    assert {path.name for path in folder.iterdir()} == {
        *(
            "model.onnx",
            "model.skops",
            "signature.json",
            "environment.json",
            "metrics.json",
            "lineage.json",
        ),
        *("card.md", "card.json", "holdout.parquet", "profile.json", "manifest.json"),
    }
    signature = json.loads((folder / "signature.json").read_bytes())
    assert [len(row) for row in signature.pop("examples")] == [2, 2, 2]
    assert [len(row) for row in signature.pop("background")] == [2] * 16
    answers = signature["onnx"].pop("answers")
    assert len(answers["predict"]) == len(answers["predict_proba"]) == 3
    assert signature == {
        "format": "tidemill.dev/signature/v1",
        "task": "Classification",
        "matrix": "float64",
        "inputs": [
            {"name": "a", "datatype": "INT64", "nullable": False},
            {"name": "b", "datatype": "INT64", "nullable": False},
        ],
        "outputs": [
            {"name": "predict", "datatype": "INT64", "shape": [-1]},
            {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 2]},
        ],
        "classes": [0, 1],
        "onnx": {
            "predict": "label",
            "predict_proba": "probabilities",
            "missing": ["a", "b"],
            "tolerance": 0.0001,
        },
    }
    lineage = json.loads((folder / "lineage.json").read_bytes())
    assert lineage["dataset"]["version"] == result["datasetVersion"]
    assert result["image"] == "registry.example/runner@sha256:0"
    environment = json.loads((folder / "environment.json").read_bytes())
    assert {"scikit-learn", "numpy", "skops", "onnxruntime"} <= set(environment["packages"])


def test_onnx_is_told_everywhere_and_can_be_left_out(workshop: Workshop) -> None:
    result = workshop.learn(rows())
    folder = unpack(workshop, result)
    told = result["onnx"]
    assert told["opset"] == 21
    assert told["agreement"]["flips"] == 0
    assert told["agreement"]["rows"] == result["rows"]["holdout"]
    assert result["artifact"]["onnx"] is True
    assert json.loads((folder / "metrics.json").read_bytes())["onnx"] == told
    assert json.loads((folder / "card.json").read_bytes())["onnx"]["opset"] == 21
    assert "ONNX: kept: of " in (folder / "card.md").read_text()
    report = workshop.store.objects[result["report"].removeprefix("s3://tidemill/")].decode()
    assert "kept: of " in report
    off = workshop.learn(rows(), onnx="Never")
    assert off["onnx"] == {"leftOut": "spec.onnx is Never"}
    assert "onnx" not in off["artifact"]
    left = unpack(workshop, off)
    assert not (left / "model.onnx").exists()
    assert "onnx" not in json.loads((left / "signature.json").read_bytes())
    assert "spec.onnx is Never" in (left / "card.md").read_text()


def test_the_manifest_is_written_after_all_it_names(workshop: Workshop) -> None:
    workshop.learn(rows())
    models = [key for key in workshop.store.written if key.startswith("models/")]
    assert models[-1].endswith("/manifest.json")


def test_the_same_run_twice_is_one_package(workshop: Workshop) -> None:
    workshop.deliver(data_csv=rows(200))
    ingested = workshop.ingest()
    steps = estimator(SCALER, ("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 5}))
    first, second = (
        workshop.train(ingested, classification(estimator=steps))["artifact"] for _ in range(2)
    )
    assert first == second


def test_another_seed_is_another_package(workshop: Workshop) -> None:
    workshop.deliver(data_csv=rows())
    ingested = workshop.ingest()
    digests = {
        workshop.train(ingested, classification(seed=seed))["artifact"]["digest"] for seed in (1, 2)
    }
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("line", "classes", "datatype"),
    [
        pytest.param("{a},{b},{y}", [0, 1], "INT64", id="integers"),
        pytest.param("{a},{b},{y}.0", [0, 1], "INT64", id="whole-floats"),
        pytest.param("{a},{b},c{y}", ["c0", "c1"], "BYTES", id="text"),
    ],
)
def test_classes_keep_their_type(
    workshop: Workshop, line: str, classes: list[Any], datatype: str
) -> None:
    folder = unpack(workshop, workshop.learn(rows(line=line)))
    signature = json.loads((folder / "signature.json").read_bytes())
    assert signature["classes"] == classes
    assert signature["outputs"][0]["datatype"] == datatype


def test_booleans_are_classes_and_features(workshop: Workshop) -> None:
    lines = ["a,f,y"] + [f"{i},{str(i % 3 == 0).lower()},{str(i > 30).lower()}" for i in range(60)]
    folder = unpack(workshop, workshop.learn("\n".join(lines) + "\n"))
    signature = json.loads((folder / "signature.json").read_bytes())
    assert [i["datatype"] for i in signature["inputs"]] == ["INT64", "BOOL"]
    assert signature["classes"] == [False, True]


def test_text_features_make_an_object_matrix(workshop: Workshop) -> None:
    result = workshop.learn(rows(line="{a},w{b},{y}"), estimator=estimator(ENCODER, HISTOGRAM))
    folder = unpack(workshop, result)
    signature = json.loads((folder / "signature.json").read_bytes())
    assert signature["matrix"] == "object-nan"
    assert [i["datatype"] for i in signature["inputs"]] == ["INT64", "BYTES"]
    model = trusted.load(folder / "model.skops")
    assert model.predict(np.array([[3.0, "w1"], [50.0, np.nan]], dtype=object)).tolist() == [0, 1]


@pytest.mark.parametrize(
    "model",
    [
        "sklearn.naive_bayes.CategoricalNB",
        ("sklearn.neighbors.RadiusNeighborsClassifier", {"radius": 0.5}),
    ],
    ids=["of categories", "of neighbours"],
)
def test_a_model_that_refuses_rows_that_nobody_sends_is_served(
    workshop: Workshop, model: Any
) -> None:
    """Both refuse a 2 where there were 0 and 1 alone: the server tries rows of the data."""
    lines = ["a,b,y", *(f"{i % 2},{i // 2 % 2},{i % 2}" for i in range(60))]
    result = workshop.learn("\n".join(lines) + "\n", estimator=estimator(model))
    served(unpack(workshop, result)).assert_the_same()


def test_long_texts_are_no_examples(workshop: Workshop) -> None:
    long = rows(line="{a},w{b}" + "x" * 100_000 + ",{y}")
    folder = unpack(workshop, workshop.learn(long, estimator=estimator(ENCODER, HISTOGRAM)))
    assert json.loads((folder / "signature.json").read_bytes())["examples"] == []


def test_a_feature_without_any_value_is_taken_where_the_estimator_can(workshop: Workshop) -> None:
    forest = ("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 5})
    result = workshop.learn(rows(line="{a},,{y}"), estimator=estimator(forest))
    assert result["features"] == ["a", "b"]


def test_regression(workshop: Workshop) -> None:
    workshop.deliver(data_csv=rows(line="{a},{b},{a}.5"))
    result = workshop.train(workshop.ingest(), regression())
    metrics = {metric["name"]: metric for metric in result["metrics"]}
    assert list(metrics) == ["rmse", "mae", "r2"]
    assert metrics["r2"]["value"] > 0.99
    signature = json.loads((unpack(workshop, result) / "signature.json").read_bytes())
    assert (signature["classes"], signature["outputs"][0]["datatype"]) == (None, "FP64")
    assert len(signature["outputs"]) == 1


def test_metrics_come_in_the_order_asked_for(workshop: Workshop) -> None:
    result = workshop.learn(rows(), evaluation={"metrics": ["roc_auc", "accuracy"]})
    assert [metric["name"] for metric in result["metrics"]] == ["roc_auc", "accuracy"]
    for metric in result["metrics"]:
        assert metric["low"] <= metric["value"] <= metric["high"]
        assert metric["n"] == 18


def test_a_holdout_of_one_class_leaves_out_what_needs_two(workshop: Workshop) -> None:
    data = rows(line="{i},{b},{y}") + "".join(f"{i},1,1\n" for i in range(30))
    result = workshop.learn(data, split={"by": "Order", "holdout": "0.2"})
    assert [m["name"] for m in result["metrics"]] == ["accuracy", "error_rate", "log_loss"]
    assert result["absentMetrics"] == ["roc_auc"]


def test_a_class_that_only_the_holdout_has_counts_as_wrong(workshop: Workshop) -> None:
    data = rows(line="{i},{b},{y}") + "".join(f"{i},1,2\n" for i in range(20))
    result = workshop.learn(
        data,
        split={"by": "Order", "holdout": "0.25"},
        evaluation={"metrics": ["accuracy", "log_loss", "f1_macro"]},
    )
    assert result["metrics"][0]["value"] == 0


def test_a_classifier_without_probabilities_lacks_their_metrics(workshop: Workshop) -> None:
    result = workshop.learn(rows(), estimator=estimator("sklearn.svm.LinearSVC"))
    assert [m["name"] for m in result["metrics"]] == ["accuracy", "error_rate"]
    assert result["absentMetrics"] == ["log_loss", "roc_auc"]


def test_a_list_becomes_the_tuple_that_a_parameter_wants(workshop: Workshop) -> None:
    scaler = ("sklearn.preprocessing.MinMaxScaler", {"feature_range": [0, 2]})
    network = ("sklearn.neural_network.MLPClassifier", {"hidden_layer_sizes": [4, 4]})
    workshop.learn(rows(), estimator=estimator(scaler, network))


@pytest.mark.parametrize(
    "path",
    [
        LOGISTIC,
        HISTOGRAM,
        "sklearn.ensemble.RandomForestClassifier",
        "sklearn.ensemble.ExtraTreesClassifier",
        "sklearn.ensemble.GradientBoostingClassifier",
        "sklearn.ensemble.AdaBoostClassifier",
        "sklearn.ensemble.BaggingClassifier",
        "sklearn.tree.DecisionTreeClassifier",
        "sklearn.neighbors.KNeighborsClassifier",
        "sklearn.naive_bayes.GaussianNB",
        "sklearn.svm.SVC",
        "sklearn.neural_network.MLPClassifier",
        "sklearn.calibration.CalibratedClassifierCV",
        "sklearn.gaussian_process.GaussianProcessClassifier",
        "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
        "sklearn.linear_model.SGDClassifier",
        "sklearn.dummy.DummyClassifier",
    ],
)
def test_common_classifiers_can_be_packed(workshop: Workshop, path: str) -> None:
    unpack(workshop, workshop.learn(rows(), estimator=estimator(path)))


@pytest.mark.parametrize(
    "path",
    [
        RIDGE,
        "sklearn.ensemble.HistGradientBoostingRegressor",
        "sklearn.ensemble.RandomForestRegressor",
        "sklearn.ensemble.GradientBoostingRegressor",
        "sklearn.neighbors.KNeighborsRegressor",
        "sklearn.svm.SVR",
        "sklearn.linear_model.TweedieRegressor",
        "sklearn.gaussian_process.GaussianProcessRegressor",
        "sklearn.linear_model.LassoCV",
    ],
)
def test_common_regressors_can_be_packed(workshop: Workshop, path: str) -> None:
    workshop.deliver(data_csv=rows(line="{a},{b},{a}.5"))
    spec = regression(estimator=estimator(SCALER, path))
    unpack(workshop, workshop.train(workshop.ingest(), spec))


def test_the_report_stands_alone(workshop: Workshop) -> None:
    header = '"<script>alert(1)</script>",b,y'
    workshop.learn(rows(header=header))
    report = workshop.store.objects["runs/ns/u-1/job/report.html"].decode()
    for part in ("ns/power", "accuracy", "prefers-color-scheme", "<svg", "scikit-learn", "seed 3"):
        assert part in report
    assert "<script" not in report
    assert "http" not in report.replace("http://www.w3.org/2000/svg", "")


def test_a_regression_report_shows_the_predictions(workshop: Workshop) -> None:
    workshop.deliver(data_csv=rows(line="{a},{b},{a}.5"))
    workshop.train(workshop.ingest(), regression())
    report = workshop.store.objects["runs/ns/u-1/job/report.html"].decode()
    assert report.count('class="dot"') == 18


def test_times_are_told_for_every_part(workshop: Workshop) -> None:
    assert set(workshop.learn(rows())["seconds"]) == {
        *("load", "fit", "evaluate", "judge", "convert", "upload")
    }
