"""A package with ONNX is served by ONNX Runtime, without scikit-learn; it can be told not to.

Hostile files are refused before any request, each with what is wrong with it.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.server import onnx_packages, packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.packages import PREFIX, Model, publish
from tests.unit.server.servers import Server, serve
from tests.unit.server.test_exactness import by_columns
from tests.unit.store import onnx_graphs

from tidemill_server.exits import Exit

Refusal = Callable[..., dict[str, str]]
ONE_OUTPUT = [{"name": "predict", "datatype": "FP64", "shape": [-1]}]
LINE = {
    **packages.signature(ONE_OUTPUT),
    "onnx": {"predict": "variable", "predict_proba": None},
}


@pytest.fixture
def refusal(bucket: Bucket, tmp_path: Path) -> Refusal:
    """Start a server for the files, wait for its end; what it left for the operator."""

    def refuse(files: dict[str, bytes], **env: str) -> dict[str, str]:
        with serve(bucket, publish(bucket, files), tmp_path, **env) as server:
            assert server.end() == Exit.DATA_ERROR
            return server.refusal

    return refuse


def libraries(server: Server) -> set[str]:
    """Which of the heavy libraries the process has loaded, by the files that it has mapped."""
    mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    names = ("sklearn", "scipy", "pandas", "pyarrow", "onnxruntime")
    return {name for name in names if f"/site-packages/{name}/" in mapped}


def assert_close(reply: Any, model: Model) -> None:
    assert reply.status == 200, reply.body
    for output in reply.json["outputs"]:
        expected = getattr(model.estimator, output["name"])(model.rows)
        assert output["shape"] == list(expected.shape)
        if expected.dtype.kind == "f":
            assert np.allclose(output["data"], expected.ravel(), atol=1e-4)
        else:
            assert output["data"] == expected.ravel().tolist()


@pytest.mark.parametrize(
    ("make", "double"),
    [
        (packages.logistic, True),
        (packages.regression, True),
        (packages.forest, False),
        (packages.boosted, False),
    ],
    ids=["logistic", "regression", "forest", "boosted"],
)
def test_answers_are_the_pipelines(make: Any, double: bool, bucket: Bucket, tmp_path: Path) -> None:
    model = make()
    digest = publish(bucket, onnx_packages.beside(model, double=double))
    with serve(bucket, digest, tmp_path, TIDEMILL_RUNTIME="Onnx") as server:
        server.ready()
        assert_close(server.infer(by_columns(model, model.rows)), model)
        one = by_columns(model, model.rows[:1])
        assert server.infer(one).json["outputs"][0]["shape"] == [1]


def test_nothing_of_scikit_learn_is_loaded(bucket: Bucket, tmp_path: Path) -> None:
    digest = publish(bucket, onnx_packages.beside(packages.logistic()))
    with serve(bucket, digest, tmp_path, TIDEMILL_RUNTIME="Onnx") as server:
        server.ready()
        assert libraries(server) == {"onnxruntime"}


def test_told_to_be_native_it_is_scikit_learn_to_the_last_bit(
    bucket: Bucket, tmp_path: Path
) -> None:
    model = packages.forest()
    digest = publish(bucket, onnx_packages.beside(model, double=False))
    with serve(bucket, digest, tmp_path, TIDEMILL_RUNTIME="Native") as server:
        server.ready()
        reply = server.infer(by_columns(model, model.rows))
        shares = next(one for one in reply.json["outputs"] if one["name"] == "predict_proba")
        assert shares["data"] == model.estimator.predict_proba(model.rows).ravel().tolist()
        assert "onnxruntime" not in libraries(server)


def test_told_nothing_it_answers_from_what_there_is(bucket: Bucket, tmp_path: Path) -> None:
    model = packages.regression()
    files = onnx_packages.alone(onnx_packages.graph(model), onnx_packages.told(model))
    with serve(bucket, publish(bucket, files), tmp_path) as server:
        server.ready()
        assert_close(server.infer(by_columns(model, model.rows)), model)


def test_onnx_alone_cannot_be_native(refusal: Refusal) -> None:
    files = onnx_packages.alone(onnx_graphs.line([1.0] * 4).SerializeToString(), LINE)
    found = refusal(files, TIDEMILL_RUNTIME="Native")
    assert found["reason"] == "SpecInvalid"
    assert "set spec.runtime to Auto" in found["message"]


def test_rows_that_the_model_does_not_take_are_the_clients(bucket: Bucket, tmp_path: Path) -> None:
    model = packages.logistic()
    model.signature["inputs"][1]["nullable"] = True
    digest = publish(bucket, onnx_packages.beside(model, missing=["demand"]))
    with serve(bucket, digest, tmp_path, TIDEMILL_RUNTIME="Onnx") as server:
        server.ready()
        body = by_columns(model, model.rows[:1])
        body["inputs"][1]["data"] = [None]
        reply = server.infer(body)
        assert reply.status == 400
        assert "column 'demand' has no value" in reply.json["error"]
        assert server.infer(by_columns(model, model.rows[:1])).status == 200


def test_another_models_graph_is_refused_by_the_recorded_answers(refusal: Refusal) -> None:
    found = refusal(onnx_packages.disagreeing(), TIDEMILL_RUNTIME="Onnx")
    assert found["reason"] == "ModelUnloadable"
    assert "otherwise than recorded" in found["message"]


def test_a_signature_that_does_not_say_how_is_refused(refusal: Refusal) -> None:
    signature = packages.signature(ONE_OUTPUT)
    files = onnx_packages.alone(onnx_graphs.line([1.0] * 4).SerializeToString(), signature)
    found = refusal(files)
    assert found["reason"] == "MalformedPackage"
    assert "does not say how model.onnx is asked" in found["message"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (onnx_graphs.bomb(), "makes a tensor of 1073741824 elements"),
        (onnx_graphs.external("weights.bin"), "external data"),
        (onnx_graphs.external("../../../etc/passwd"), "external data"),
        (onnx_graphs.custom(), "evil.example"),
        (onnx_graphs.looping(), "graph within an operator"),
        (onnx_graphs.lying(), "says that it has"),
        (onnx_graphs.line([1.0] * 4).SerializeToString()[:-40], "cut short"),
    ],
    ids=[
        *("a-few-bytes-that-ask-for-gigabytes", "external-data", "external-data-outside"),
        *("custom-operator", "graph-within", "lying-tensor", "truncated"),
    ],
)
def test_hostile_files(data: bytes, said: str, refusal: Refusal) -> None:
    found = refusal(onnx_packages.alone(data, LINE))
    assert found["reason"] == "MalformedPackage"
    assert said in found["message"]


def test_what_only_running_shows_ends_the_child_and_not_the_server(refusal: Refusal) -> None:
    """Each operator is harmless; together they make 2^40 elements of one row."""
    found = refusal(
        onnx_packages.alone(onnx_graphs.growing(), LINE),
        TIDEMILL_LOAD_MEMORY_BYTES=str(512 << 20),
    )
    assert found["reason"] == "ModelUnloadable"


def test_a_hard_link_as_external_data(bucket: Bucket, tmp_path: Path, refusal: Refusal) -> None:
    """ONNX Runtime would follow one; here no file may lie beside the model, nor be named by it."""
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(8))
    os.link(secret, tmp_path / "weights.bin")
    files = onnx_packages.alone(onnx_graphs.external("weights.bin"), LINE)
    bucket.objects[PREFIX + "weights.bin"] = secret.read_bytes()
    found = refusal(files)
    assert found["reason"] == "UnexpectedFile"
    named = refusal({**files, "weights.bin": secret.read_bytes()})
    assert named["reason"] == "UnexpectedFile"
