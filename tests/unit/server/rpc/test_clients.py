"""Others' clients against the real process: tritonclient and gRPC's own, bounds, and the end."""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tests.oip.rpc_target import SERVICE, refusal
from tests.oip.target import STORED
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import Server, serve
from tests.unit.server.test_foreign_clients import ROWS, TYPES, expected
from tritonclient.grpc import service_pb2 as messages

from tidemill_server.exits import Exit

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
CHECK = "/grpc.health.v1.Health/Check"


@pytest.fixture(scope="module")
def package() -> dict[str, bytes]:
    return packages.logistic().files()


@pytest.fixture(scope="module")
def narrow(package: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes little."""
    bounds = {
        "TIDEMILL_GRPC_PORT": "0",
        "TIDEMILL_MAX_BODY_BYTES": "200000",
        "TIDEMILL_MAX_ROWS": "3000",
        "TIDEMILL_MAX_IN_FLIGHT": "2",
    }
    with Bucket() as bucket:
        digest = packages.publish(bucket, package)
        with serve(bucket, digest, tmp_path_factory.mktemp("narrow"), **bounds) as server:
            yield server.ready()


def address(server: Server) -> str:
    return f"127.0.0.1:{server.grpc}"


def inputs() -> list[triton.InferInput]:
    found = []
    for name, values in ROWS.items():
        one = triton.InferInput(name, [2], TYPES[name])
        one.set_data_from_numpy(np.array(values, STORED[TYPES[name]]))
        found.append(one)
    return found


def matrix(rows: int) -> triton.InferInput:
    found = triton.InferInput("rows", [rows, 4], "FP32")
    found.set_data_from_numpy(np.tile(np.float32([0.5, 1.5, 2, 1]), (rows, 1)))
    return found


def test_triton_gets_over_grpc_what_rest_says(logistic: Server) -> None:
    with triton.InferenceServerClient(address(logistic)) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("power")
        [version] = client.get_model_metadata("power").versions
        outputs = [triton.InferRequestedOutput(name) for name in ("predict_proba", "predict")]
        for how in (None, "gzip", "deflate"):
            result = client.infer(
                *("power", inputs(), version),
                outputs=outputs,
                request_id="a-7",
                compression_algorithm=how,
                client_timeout=20,
                priority=1,
            )
            for name, values in expected(logistic).items():
                assert result.as_numpy(name).ravel().tolist() == values
            assert result.get_response().id == "a-7"


def test_many_rows_go_through_the_windows_of_both_ends(logistic: Server) -> None:
    with triton.InferenceServerClient(address(logistic)) as client:
        for how in (None, "gzip"):
            result = client.infer("power", [matrix(9000)], compression_algorithm=how)
            assert result.as_numpy("predict_proba").shape == (9000, 2)
            assert result.as_numpy("predict").sum() == 9000


def test_triton_sends_and_reads_texts(texts: Server, boosted: Server) -> None:
    price, site = triton.InferInput("price", [2], "FP64"), triton.InferInput("site", [2], "BYTES")
    price.set_data_from_numpy(np.array([0.1, 0.1]))
    site.set_data_from_numpy(np.array(["north", "south"], dtype=np.object_))
    with triton.InferenceServerClient(address(texts)) as client:
        assert client.infer("power", [price, site]).as_numpy("predict").tolist() == [1, 0]
    with triton.InferenceServerClient(address(boosted)) as client:
        found = client.infer("power", inputs()).as_numpy("predict")
    assert found.tolist() == [b"UP", b"DOWN"]


def test_what_every_answer_carries_and_what_is_counted(logistic: Server) -> None:
    before = logistic.get("/v1/stats").json["requests"]
    request = messages.ModelInferRequest(model_name="power")
    request.inputs.add(name="rows", datatype="FP64", shape=[1, 4])
    request.raw_input_contents.append(bytes(32))
    with grpc.insecure_channel(address(logistic)) as channel:
        infer = channel.unary_unary(f"{SERVICE}ModelInfer")
        data, call = infer.with_call(request.SerializeToString(), timeout=30)
        refusal(grpc.StatusCode.INVALID_ARGUMENT, lambda: infer(b"\xff", timeout=30))
        check = channel.unary_unary(CHECK)
        assert check(b"", timeout=30) == b"\x08\x01"
        refusal(grpc.StatusCode.NOT_FOUND, lambda: check(b"\x0a\x01x", timeout=30))
    initial, trailing = dict(call.initial_metadata()), dict(call.trailing_metadata())
    digest = logistic.get("/v1/model").json["digest"]
    assert initial["x-tidemill-model-name"] == "power"
    assert initial["x-tidemill-model-digest"] == digest
    answer = messages.ModelInferResponse.FromString(data)
    told = answer.parameters
    assert told["model_digest"].string_param == digest
    assert told["prediction_id"].string_param == trailing["x-tidemill-prediction-id"]
    after = logistic.get("/v1/stats").json["requests"]
    assert after["ok"] == before["ok"] + 1
    assert after["client_error"] == before["client_error"] + 1


def test_beyond_the_bounds_is_resource_exhausted(narrow: Server) -> None:
    with triton.InferenceServerClient(address(narrow)) as client:
        with pytest.raises(triton.InferenceServerException, match="3001 rows, more than 3000"):
            client.infer("power", [matrix(3001)])
        with pytest.raises(triton.InferenceServerException, match="200000 bytes") as found:
            client.infer("power", [matrix(20_000)])
        assert found.value.status() == "StatusCode.RESOURCE_EXHAUSTED"
        assert client.infer("power", [matrix(3000)]).as_numpy("predict").sum() == 3000


def test_too_many_at_a_time_are_told_when_to_come_again(narrow: Server) -> None:
    """Compressed, so that each waits for a thread: enough of them are there at a time."""
    request = messages.ModelInferRequest(model_name="power")
    request.inputs.add(name="rows", datatype="FP64", shape=[2000, 4])
    request.raw_input_contents.append(bytes(64_000))
    data, zipped = request.SerializeToString(), grpc.Compression.Gzip
    # Else gRPC itself heeds the word and tries again.
    options = (("grpc.enable_retries", 0),)
    with grpc.insecure_channel(address(narrow), options) as channel:
        infer = channel.unary_unary(f"{SERVICE}ModelInfer")
        calls = [infer.future(data, timeout=60, compression=zipped) for _ in range(60)]
        codes = [call.code() for call in calls]
        refused: Any = next(call for call in calls if call.code() is EXHAUSTED)
        trailers = dict(refused.trailing_metadata())
    assert set(codes) == {grpc.StatusCode.OK, EXHAUSTED}
    assert trailers["retry-after"] == "1"
    assert trailers["grpc-retry-pushback-ms"] == "1000"
    assert "already" in refused.details()


def test_without_the_setting_there_is_no_port_and_no_import(
    bucket: Bucket, package: dict[str, bytes], tmp_path: Path
) -> None:
    digest = packages.publish(bucket, package)
    with serve(bucket, digest, tmp_path, PYTHONVERBOSE="1") as server:
        server.until(_has_said_ready)
        said = [str(line.get("text", "")) for line in server.lines]
    assert any("tidemill_server.inference" in text for text in said)
    assert not any("tidemill_server.rpc" in text or "hpack" in text for text in said)
    assert server.grpc == 0


def _has_said_ready(server: Server) -> bool:
    while not server._news.empty():
        line = server._news.get()
        if line is not None:
            server.lines.append(line)
    return any(line["message"] == "ready" for line in server.lines)


def test_no_call_fails_while_a_new_server_takes_over(
    bucket: Bucket, package: dict[str, bytes], tmp_path: Path
) -> None:
    """Clients are asked to connect anew and follow the endpoint, as they do behind a Service."""
    digest = packages.publish(bucket, package)
    on = {"TIDEMILL_GRPC_PORT": "0"}
    with (
        serve(bucket, digest, tmp_path / "a", TIDEMILL_DRAIN_SECONDS="1", **on) as old,
        serve(bucket, digest, tmp_path / "b", **on) as new,
    ):
        old.ready()
        new.ready()
        stopping = threading.Event()
        answered = {old.grpc: 0, new.grpc: 0}

        def ask() -> None:
            port = old.grpc
            while not stopping.is_set():
                with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
                    for _ in range(20):
                        assert client.infer("power", [matrix(1)]).as_numpy("predict")[0] == 1
                        answered[port] += 1
                port = new.grpc if drained.is_set() else old.grpc

        drained = threading.Event()
        with ThreadPoolExecutor(4) as pool:
            clients = [pool.submit(ask) for _ in range(4)]
            try:
                old.until(lambda _: answered[old.grpc] > 100)
                old.process.send_signal(signal.SIGTERM)
                old.wait_for_log("draining")
                before = answered[old.grpc]
                old.until(lambda _: answered[old.grpc] > before + 20)
                drained.set()
                assert old.end() == Exit.OK
                after = answered[new.grpc]
                new.until(lambda _: answered[new.grpc] > after + 50)
            finally:
                stopping.set()
        for client in clients:
            client.result()
