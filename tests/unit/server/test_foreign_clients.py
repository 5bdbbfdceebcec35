"""Clients of others, unchanged: tritonclient, curl, and KServe's where its python is named.

KServe's client brings a web framework, pandas and pins of its own, so it is not among ours: make an
environment with `pip install kserve` and set TIDEMILL_KSERVE_PYTHON to its python.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tests.unit.server.servers import Server
from tests.unit.server.test_open_inference_protocol import request

KSERVE = Path(__file__).with_name("kserve_client.py")
TYPES = {"price": "FP32", "demand": "FP64", "day": "INT32", "peak": "BOOL"}
DTYPES = {"FP32": np.float32, "FP64": np.float64, "INT32": np.int32, "BOOL": np.bool_}
ROWS = {"price": [0.5, -0.5], "demand": [1.5, -1.5], "day": [2, 2], "peak": [True, False]}


def expected(server: Server) -> dict[str, Any]:
    both = request(**{name: {"shape": [2], "data": values} for name, values in ROWS.items()})
    return {output["name"]: output["data"] for output in server.infer(both).json["outputs"]}


@pytest.fixture
def client(logistic: Server) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"127.0.0.1:{logistic.port}") as found:
        yield found


def inputs(*, as_bytes: bool) -> list[triton.InferInput]:
    found = []
    for name, values in ROWS.items():
        one = triton.InferInput(name, [2], TYPES[name])
        one.set_data_from_numpy(np.array(values, DTYPES[TYPES[name]]), binary_data=as_bytes)
        found.append(one)
    return found


def test_triton_finds_server_and_model(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("power")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    (version,) = client.get_model_metadata("power")["versions"]
    assert client.is_model_ready("power", version)
    assert not client.is_model_ready("other")


@pytest.mark.parametrize("as_bytes", [True, False])
@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_triton_infers(
    logistic: Server, client: triton.InferenceServerClient, as_bytes: bool, packed: str | None
) -> None:
    outputs = [
        triton.InferRequestedOutput(name, binary_data=as_bytes)
        for name in ("predict_proba", "predict")
    ]
    result = client.infer(
        "power",
        inputs(as_bytes=as_bytes),
        outputs=outputs,
        request_id="a-7",
        request_compression_algorithm=packed,
        response_compression_algorithm=packed,
        timeout=5,
        priority=1,
    )
    for name, values in expected(logistic).items():
        assert result.as_numpy(name).ravel().tolist() == values
    assert result.get_response()["id"] == "a-7"
    assert result.get_response()["parameters"]["prediction_id"]


def test_triton_with_its_defaults_and_many_rows(client: triton.InferenceServerClient) -> None:
    matrix = triton.InferInput("rows", [3000, 4], "FP32")
    matrix.set_data_from_numpy(np.tile(np.float32([0.5, 1.5, 2, 1]), (3000, 1)))
    result = client.infer("power", [matrix], response_compression_algorithm="gzip")
    assert result.as_numpy("predict_proba").shape == (3000, 2)
    assert result.as_numpy("predict").sum() == 3000


def test_triton_sends_and_reads_texts(texts: Server) -> None:
    price, site = triton.InferInput("price", [2], "FP64"), triton.InferInput("site", [2], "BYTES")
    price.set_data_from_numpy(np.array([0.1, 0.1]))
    site.set_data_from_numpy(np.array(["north", "south"], dtype=np.object_))
    with triton.InferenceServerClient(f"127.0.0.1:{texts.port}") as client:
        assert client.infer("power", [price, site]).as_numpy("predict").tolist() == [1, 0]


def test_triton_reads_labels_that_are_texts(boosted: Server) -> None:
    with triton.InferenceServerClient(f"127.0.0.1:{boosted.port}") as client:
        found = client.infer("power", inputs(as_bytes=True)).as_numpy("predict")
    assert found.tolist() == [b"UP", b"DOWN"]


def test_triton_gets_the_words_of_a_refusal(client: triton.InferenceServerClient) -> None:
    with pytest.raises(triton.InferenceServerException, match="columns are missing: 'peak'"):
        client.infer("power", inputs(as_bytes=True)[:3])
    with pytest.raises(triton.InferenceServerException, match="no model 'other' here"):
        client.infer("other", inputs(as_bytes=True))


def curl(*arguments: str) -> Any:
    command = ["curl", "--silent", "--show-error", "--max-time", "60", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def test_curl(logistic: Server, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{logistic.port}"
    path = tmp_path / "request.json"
    path.write_text(json.dumps(request()))
    infer = f"{url}/v2/models/power/infer"
    outputs = logistic.infer(request()).json["outputs"]
    assert curl(infer, "-d", f"@{path}")["outputs"] == outputs
    assert curl("--compressed", infer, "-d", f"@{path}")["outputs"] == outputs
    assert curl("--http2", infer, "-d", f"@{path}")["outputs"] == outputs
    chunked = curl(infer, "-H", "transfer-encoding: chunked", "--data-binary", f"@{path}")
    assert chunked["outputs"] == outputs
    waited = curl(infer, "-H", "expect: 100-continue", "--data-binary", f"@{path}")
    assert waited["outputs"] == outputs
    row = '[{"price": 0.5, "demand": 1.5, "day": 2, "peak": true}]'
    assert curl(f"{url}/v1/predict", "-d", row)["predictions"][0]["label"] == outputs[0]["data"][0]


@pytest.mark.parametrize("as_bytes", ["binary", "json"])
def test_kserves_client(logistic: Server, as_bytes: str) -> None:
    python = os.environ.get("TIDEMILL_KSERVE_PYTHON")
    if not python:
        pytest.skip("TIDEMILL_KSERVE_PYTHON names no python with kserve")
    command = [python, str(KSERVE), f"http://127.0.0.1:{logistic.port}", "power", as_bytes]
    ended = subprocess.run(command, check=True, capture_output=True, timeout=120)
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found == {"live": True, "ready": True, "model": True, **expected(logistic)}
