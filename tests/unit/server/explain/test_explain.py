"""Explanations on request: what they add up to, whichever way they are asked for; and refusals."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from tests.unit.server import onnx_packages, packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.packages import Model
from tests.unit.server.servers import Server, serve
from tests.unit.server.test_open_inference_protocol import matrix, refused

from tidemill_server.explain.apart import _names
from tidemill_server.formats.sklearn_model import SklearnModel

ENABLED = {"TIDEMILL_MAX_EXPLAINED_ROWS": "3", "TIDEMILL_RUNTIME": "Explained"}
ASKED = {"parameters": {"explain": True}}
NAMES = ["price", "demand", "day", "peak"]
ROW = dict(zip(NAMES, (0.5, 1.5, 2, True), strict=True))


def with_background(model: Model) -> Model:
    return Model(
        model.estimator, model.rows, {**model.signature, "background": model.rows[:16].tolist()}
    )


def neighbours() -> Model:
    rows, target = packages.numbers()
    estimator = KNeighborsClassifier().fit(rows, target)
    return Model(estimator, rows, packages.signature(packages.labels("INT64")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("explained")


def running(files: dict[str, bytes], folder: Path, name: str) -> Iterator[Server]:
    (folder / name).mkdir()
    with Bucket() as bucket:
        digest = packages.publish(bucket, files)
        extra = {**ENABLED, "TIDEMILL_GRPC_PORT": "0"}
        with serve(bucket, digest, folder / name, **extra) as server:
            yield server.ready()


@pytest.fixture(scope="module")
def line(folder: Path) -> Iterator[Server]:
    """A linear model, whose graph is beside it."""
    yield from running(onnx_packages.beside(with_background(packages.logistic())), folder, "line")


@pytest.fixture(scope="module")
def near(folder: Path) -> Iterator[Server]:
    """A model that does not add up."""
    yield from running(with_background(neighbours()).files(), folder, "near")


def outputs(reply: Any) -> dict[str, np.ndarray]:
    assert reply.status == 200, reply.body
    return {o["name"]: np.array(o["data"]).reshape(o["shape"]) for o in reply.json["outputs"]}


def asked(rows: int = 1) -> dict[str, Any]:
    return {**matrix([rows, 4], [0.5, 1.5, 2.0, 1.0] * rows), **ASKED}


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    return np.log(probabilities[:, 1] / probabilities[:, 0])


def test_of_a_line_they_are_exact_and_come_to_the_score(line: Server) -> None:
    reply = line.infer(asked(2))
    found = outputs(reply)
    assert found["explanation"].shape == (2, 4)
    assert found["explanation_features"].tolist() == NAMES
    told = found["explanation"].sum(axis=1) + found["explanation_base"]
    assert told == pytest.approx(log_odds(found["predict_proba"]))
    parameters = reply.json["parameters"]
    assert parameters["explanation_unit"] == "score"
    assert parameters["explanation_method"] == "exact"


def test_of_a_line_they_are_weights_times_distances(line: Server) -> None:
    model = packages.logistic()
    scaler, regression = (step for _, step in model.estimator.steps)
    middle = scaler.transform(model.rows[:16]).mean(axis=0)
    wanted = (scaler.transform([[0.5, 1.5, 2.0, 1.0]]) - middle) * regression.coef_
    assert outputs(line.infer(asked()))["explanation"] == pytest.approx(wanted)


def test_of_any_other_model_they_come_to_the_probability(near: Server) -> None:
    reply = near.infer(asked())
    found = outputs(reply)
    told = found["explanation"].sum() + found["explanation_base"][0]
    assert told == pytest.approx(found["predict_proba"][0, 1])
    assert reply.json["parameters"]["explanation_unit"] == "probability"
    assert reply.json["parameters"]["explanation_method"] == "sampled"


@pytest.mark.parametrize(
    ("model", "features"),
    [
        (packages.boosted, 4),
        (packages.forest, 4),
        (packages.tree, 4),
        (packages.texts_with_nan, 3),
        (packages.regression, 4),
    ],
)
def test_every_kind_adds_up(model: Any, features: int, tmp_path: Path) -> None:
    made: Model = model()
    names = [column["name"] for column in made.signature["inputs"]]
    whole = next(row for row in made.rows.tolist() if row == [v for v in row if v == v])  # noqa: PLR0124
    row = dict(zip(names, whole, strict=True))
    body = {"rows": [row], "explain": True}
    for server in running(made.files(), tmp_path, "one"):
        reply = server.request("POST", "/v1/predict", body)
        assert reply.status == 200, reply.body
        (found,), about = reply.json["predictions"], reply.json["explanation"]
        assert about["method"] == "exact"
        assert len(found["contributions"]) == features
        told = about["base"] + sum(found["contributions"].values())
        if about["unit"] == "prediction":
            assert told == pytest.approx(found["value"])
            continue
        chance = found["probabilities"][about["of"]]
        assert told == pytest.approx(
            chance if about["unit"] == "probability" else np.log(chance / (1 - chance))
        )


def test_of_onnx_alone_they_are_of_the_columns(tmp_path: Path) -> None:
    model = with_background(packages.logistic())
    files = onnx_packages.alone(onnx_packages.graph(model), onnx_packages.told(model))
    for server in running(files, tmp_path, "one"):
        reply = server.infer(asked())
        found = outputs(reply)
        told = found["explanation"].sum() + found["explanation_base"][0]
        assert told == pytest.approx(found["predict_proba"][0, 1])
        assert reply.json["parameters"]["explanation_method"] == "sampled"


def test_of_three_classes_each_has_its_own(tmp_path: Path) -> None:
    rows, _ = packages.numbers()
    target = np.digitize(rows[:, 0], [-0.5, 0.5])
    tree = packages.tree().estimator.fit(rows, target)
    told = packages.labels("INT64")
    told[1]["shape"] = [-1, 3]
    model = Model(tree, rows, {**packages.signature(told), "classes": [0, 1, 2]})
    for server in running(model.files(), tmp_path, "one"):
        found = outputs(server.infer(asked()))
        assert found["explanation"].shape == (1, 4, 3)
        sums = found["explanation"].sum(axis=1) + found["explanation_base"]
        assert sums == pytest.approx(found["predict_proba"])
        body = {"rows": [ROW], "explain": True}
        (row,) = server.request("POST", "/v1/predict", body).json["predictions"]
        assert list(row["contributions"]) == ["0", "1", "2"]
        assert list(row["contributions"]["0"]) == NAMES


def test_of_more_columns_than_can_be_told_it_says_so(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(50, 300))
    estimator = KNeighborsClassifier().fit(rows, (rows[:, 0] > 0).astype(int))
    inputs = [{"name": f"c{at}", "datatype": "FP64", "nullable": False} for at in range(300)]
    told = {**packages.signature(packages.labels("INT64")), "inputs": inputs}
    for server in running(Model(estimator, rows, told).files(), tmp_path, "one"):
        question = matrix([1, 300], [0.5] * 300)
        assert "256 at most" in refused(server.infer({**question, **ASKED}))
        assert server.infer(question).status == 200


def test_features_that_would_share_a_name_are_numbered() -> None:
    class Encoder:
        def get_feature_names_out(self, _: list[str]) -> list[str]:
            return ["a_b_c", "a_b_c"]

    model = SklearnModel((Encoder(),), None, None)
    assert _names(model, ("a", "a_b"), 2) == ("column 0", "column 1")


def test_by_bytes_and_over_grpc_they_are_the_same(line: Server) -> None:
    wanted = outputs(line.infer(asked()))
    with triton.InferenceServerClient(f"127.0.0.1:{line.grpc}") as client:
        tensor = triton.InferInput("x", [1, 4], "FP64")
        tensor.set_data_from_numpy(np.array([[0.5, 1.5, 2.0, 1.0]]))
        found = client.infer("power", [tensor], parameters={"explain": True})
    for name in ("explanation", "explanation_base"):
        assert (found.as_numpy(name) == wanted[name]).all()
    names = [name.decode() for name in found.as_numpy("explanation_features")]
    assert names == NAMES
    assert found.get_response().parameters["explanation_unit"].string_param == "score"
    binary = {**asked(), "parameters": {"explain": True, "binary_data_output": True}}
    reply = line.infer(binary)
    size = int(reply.headers["inference-header-content-length"])
    assert wanted["explanation"].tobytes() in reply.body[size:]


def test_who_does_not_ask_is_told_nothing_of_it(line: Server) -> None:
    plain = {**asked(), "parameters": {"explain": False}}
    assert set(outputs(line.infer(plain))) == {"predict", "predict_proba"}
    (row,) = line.request("POST", "/v1/predict", {"rows": [ROW], "explain": False}).json[
        "predictions"
    ]
    assert "contributions" not in row


def test_more_rows_than_are_explained_are_413(line: Server) -> None:
    assert "3 rows at a time" in refused(line.infer(asked(4)), 413)
    body = {"rows": [ROW] * 4, "explain": True}
    assert "3 rows at a time" in refused(line.request("POST", "/v1/predict", body), 413)


def test_where_it_is_not_enabled_it_is_400(logistic: Server) -> None:
    assert "spec.explain" in refused(logistic.infer(asked()))
    body = {"rows": [ROW], "explain": True}
    assert "spec.explain" in refused(logistic.request("POST", "/v1/predict", body))


@pytest.mark.parametrize("flag", ["true", 1, None, {}])
def test_a_flag_that_is_no_truth_is_400(line: Server, flag: Any) -> None:
    assert "'explain'" in refused(line.infer({**asked(), "parameters": {"explain": flag}}))
    body = {"rows": [ROW], "explain": flag}
    assert "'explain'" in refused(line.request("POST", "/v1/predict", body))


def test_of_labels_alone_nothing_is_taken_apart(tmp_path: Path) -> None:
    rows, target = packages.numbers()
    model = Model(
        LinearSVC().fit(rows, target), rows, packages.signature(packages.labels("INT64")[:1])
    )
    for server in running(model.files(), tmp_path, "one"):
        assert "no probabilities" in refused(server.infer(asked()))
        assert server.infer(matrix([1, 4], [0.5, 1.5, 2.0, 1.0])).status == 200
