"""Models in ONNX, of scripts and of programs that know nothing of Python."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from tests.unit.runner.packages import unpack
from tests.unit.runner.user_code.conftest import MakePod
from tests.unit.runner.user_code.pod import Pod, container, script
from tests.unit.runner.workshop import Workshop
from tests.unit.store import onnx_graphs

from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.store import package
from tidemill_runner.failures import Failure
from tidemill_server.formats import onnx_format
from tidemill_server.package.signature import read_signature
from tidemill_server.probe.examine import examine

SAMPLES = Path(__file__).parents[4] / "manifests" / "samples" / "scripts"
RETURNS = """
import os

def train(data, params, context):
    path = os.environ["TIDEMILL_IN"] + "/code/model"
    data = open(os.environ["MODEL"], "rb").read()
    {}
"""


def logistic(*, labels: bool = True, width: int = 2) -> bytes:
    """y is 1 where a is above 30: labels, and the probability of the second class."""
    weights = np.zeros((width, 1))
    weights[0, 0] = 1.0
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["q"]),
        helper.make_node("Sigmoid", ["q"], ["second"]),
        helper.make_node("Greater", ["q", "zero"], ["over"]),
        helper.make_node("Cast", ["over"], ["label"], to=TensorProto.INT64),
    ]
    outputs = [helper.make_tensor_value_info("second", TensorProto.DOUBLE, [None, 1])]
    if labels:
        outputs.append(helper.make_tensor_value_info("label", TensorProto.INT64, [None, 1]))
    made = onnx_graphs.model(
        nodes if labels else nodes[:3],
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, width])],
        outputs,
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.array([-30.0]), "b"),
            numpy_helper.from_array(np.array([0.0]), "zero"),
        ],
    )
    return bytes(made.SerializeToString())


def judged(pod: Pod, **files: bytes) -> dict[str, Any]:
    """What is made of what a container has written."""
    pod.provide()
    for name, data in files.items():
        (pod.rooms.output / name.replace("_", ".")).write_bytes(data)
    return pod.judge()


def assert_served(pod: Pod, result: dict[str, Any]) -> dict[str, Any]:
    """The server takes the package, and answers as the run measured; gives the signature."""
    folder = unpack(pod.workshop, result)
    examine(folder, "Onnx")
    assert not (folder / package.MODEL).exists()
    document: dict[str, Any] = json.loads((folder / "signature.json").read_text())
    signature = read_signature(folder / "signature.json")
    assert signature.onnx is not None
    model = onnx_format.load(folder, signature, signature.onnx)
    rows = np.array(document["examples"], dtype=np.float64)
    onnx_format.check_answers(signature.onnx, model.predict(rows, signature.output_names))
    return document


@pytest.mark.parametrize("labels", [True, False], ids=["labels", "probabilities alone"])
def test_a_container_may_write_it(pods: MakePod, labels: bool) -> None:
    pod = pods(estimator=container())
    result = judged(pod, model_onnx=logistic(labels=labels))
    signature = assert_served(pod, result)
    assert [one["name"] for one in signature["outputs"]] == ["predict", "predict_proba"]
    assert signature["classes"] == [0, 1]
    assert result["metrics"][0]["value"] > 0.9


@pytest.mark.parametrize(
    "way", ["return data", "open(params['to'], 'wb').write(data)\n    return params['to']"]
)
def test_a_script_may_return_it(pods: MakePod, tmp_path: Path, way: str) -> None:
    (tmp_path / "model").write_bytes(logistic())
    pod = pods(estimator=script(params={"to": str(tmp_path / "to.onnx")}))
    pod.mount(RETURNS.format(way))
    pod.provide()
    ended = pod.run({"MODEL": str(tmp_path / "model")})
    assert ended.code == 0, ended.words
    assert_served(pod, pod.judge())


def test_a_path_to_nothing_is_told(pods: MakePod) -> None:
    pod = pods()
    pod.mount("def train(data, params, context):\n    return '/nowhere/model.onnx'\n")
    pod.provide()
    ended = pod.run()
    assert ended.code == 1
    assert "train returned the path /nowhere/model.onnx, where there is no file" in ended.words


@pytest.fixture
def heating(workshop: Workshop, tmp_path: Path) -> Pod:
    """The sample of a container, on the data of the samples."""
    data = yaml.safe_load((SAMPLES / "dataset.yaml").read_text())
    workshop.deliver(data_csv=data["spec"]["source"]["inline"]["data"])
    return Pod(workshop, workshop.ingest(), sample("container"), tmp_path / "pod")


def sample(name: str) -> dict[str, Any]:
    body = yaml.safe_load((SAMPLES / f"{name}.yaml").read_text())
    spec = TrainingRunSpec.model_validate(body["spec"])
    return spec.model_dump(mode="json", by_alias=True, exclude_none=True)


def test_the_sample_in_another_language_is_least_squares(heating: Pod) -> None:
    asked = heating.spec["estimator"]["container"]
    heating.provide()
    environ = {"PATH": os.environ["PATH"], **heating.rooms.environment()}
    subprocess.run([*asked["command"], *asked["args"]], env=environ, check=True, timeout=60)
    onnx.checker.check_model(str(heating.rooms.output / "model.onnx"), full_check=True)
    result = heating.judge()
    assert_served(heating, result)
    steps = {
        "sklearn": {"steps": [{"name": "m", "class": "sklearn.linear_model.LinearRegression"}]}
    }
    own = heating.workshop.train(heating.ingested, {**heating.spec, "estimator": steps})
    for mine, theirs in zip(result["metrics"], own["metrics"], strict=True):
        assert mine["value"] == pytest.approx(theirs["value"], rel=1e-6)


def test_the_sample_of_a_script_trains(workshop: Workshop, tmp_path: Path) -> None:
    data = yaml.safe_load((SAMPLES / "dataset.yaml").read_text())
    code = yaml.safe_load((SAMPLES / "code.yaml").read_text())["data"]["train.py"]
    workshop.deliver(data_csv=data["spec"]["source"]["inline"]["data"])
    pod = Pod(workshop, workshop.ingest(), sample("script"), tmp_path / "pod")
    result = pod.train(code)
    assert result["metrics"][0]["value"] > 0.7
    assert len(result["code"]["logged"]["accuracy"]) == 20
    assert json.loads((pod.rooms.checkpoint / "epoch.json").read_text()) == {"epoch": 19}
    assert "progress=100" in (pod.rooms.output / "progress").read_text()


def test_every_sample_is_a_run() -> None:
    assert sample("git")["estimator"]["script"]["git"]["path"] == "training/train.py"


def skops(data: bytes) -> dict[str, bytes]:
    return {"model_onnx": data, "model_skops": b"x"}


WRONG: dict[str, tuple[dict[str, bytes], str, tuple[str, ...]]] = {
    "garbage": ({"model_onnx": b"garbage"}, "ModelNotPackable", ("is refused",)),
    "nothing in it": ({"model_onnx": b""}, "ModelNotPackable", ("is refused",)),
    "a bomb": ({"model_onnx": onnx_graphs.bomb()}, "ModelNotPackable", ("ConstantOfShape",)),
    "files elsewhere": (
        {"model_onnx": onnx_graphs.external("/etc/passwd")},
        "ModelNotPackable",
        ("external data",),
    ),
    "operators of its own": ({"model_onnx": onnx_graphs.custom()}, "ModelNotPackable", ("domain",)),
    "other features": (
        {"model_onnx": logistic(width=3)},
        "ModelNotPackable",
        ("3 columns, not 2",),
    ),
    "numbers for classes": (
        {"model_onnx": onnx_graphs.line([1.0, 1.0]).SerializeToString()},
        "FitFailed",
        ("gives as probabilities are none",),
    ),
    "two models": (skops(logistic()), "FitFailed", ("model.skops and model.onnx", "one that is")),
    "other classes": (
        {"model_onnx": logistic(), "onnx_json": b'{"classes": ["a", "b"]}'},
        "FitFailed",
        ("knows the classes 'a', 'b', the target has 0, 1",),
    ),
    "an output that is not there": (
        {"model_onnx": logistic(), "onnx_json": b'{"predict": "nope"}'},
        "ModelNotPackable",
        ("no output 'nope'",),
    ),
    "a column that is not there": (
        {"model_onnx": logistic(), "onnx_json": b'{"missing": ["nope"]}'},
        "FitFailed",
        ("'nope', which is no feature",),
    ),
    "no JSON beside it": (
        {"model_onnx": logistic(), "onnx_json": b"["},
        "FitFailed",
        ("onnx.json is no JSON",),
    ),
    "a list beside it": (
        {"model_onnx": logistic(), "onnx_json": b"[1]"},
        "FitFailed",
        ("onnx.json is no object",),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_taken_is_told(pods: MakePod, case: str) -> None:
    files, reason, tells = WRONG[case]
    pod = pods(estimator=container())
    with pytest.raises(Failure) as caught:
        judged(pod, **files)
    failure = caught.value
    assert failure.reason == reason
    assert failure.message.startswith("spec.estimator.container: ")
    for words in tells:
        assert words in failure.message
    assert not [key for key in pod.workshop.store.objects if key.startswith("models/")]


@pytest.mark.parametrize(("form", "name"), [("CSV", "train.csv"), ("Parquet", "train.parquet")])
def test_a_container_is_given_a_table_and_what_it_is(pods: MakePod, form: str, name: str) -> None:
    pod = pods(estimator=container(format=form, params={"deep": [1]}), weights={"column": "b"})
    pod.provide()
    files = {path.name for path in pod.rooms.input.iterdir()}
    assert files == {name, "columns.json", "params.json"}
    told = json.loads((pod.rooms.input / "columns.json").read_text())
    assert told["file"] == name
    assert (told["rows"], told["task"], told["weights"]) == (42, "Classification", "b")
    assert told["features"] == [{"name": "a", "type": "Integer", "nullable": False}]
    assert json.loads((pod.rooms.input / "params.json").read_text()) == {"deep": [1]}
    if form == "CSV":
        head, *lines = (pod.rooms.input / name).read_text().splitlines()
        assert head == '"a","y","b"'
        assert len(lines) == 42


@pytest.mark.parametrize("tolerance", ["1e30", "NaN", "-1", "0.02", '"0"', "true", "null"])
def test_a_tolerance_that_tells_nothing_is_refused(pods: MakePod, tolerance: str) -> None:
    pod = pods(estimator=container())
    told = f'{{"tolerance": {tolerance}}}'.encode()
    with pytest.raises(Failure, match=r"tolerance is a number from 0 to 0\.01"):
        judged(pod, model_onnx=logistic(), onnx_json=told)


def test_probabilities_of_numbers_are_refused(pods: MakePod) -> None:
    pod = pods(estimator=container(), task="Regression")
    told = b'{"predict": "second", "predict_proba": "second"}'
    with pytest.raises(Failure, match="predict_proba is of classes"):
        judged(pod, model_onnx=logistic(labels=False), onnx_json=told)
