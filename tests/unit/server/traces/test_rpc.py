"""The same over gRPC: metadata for headers, its own codes for statuses."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.rpc.test_clients import address
from tests.unit.server.servers import Server, serve
from tests.unit.server.traces.collectors import Collecting, Told, collector
from tritonclient.grpc import service_pb2 as messages

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"
METHOD = "inference.GRPCInferenceService/ModelInfer"
Metadata = tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def collecting() -> Iterator[Collecting]:
    with collector() as found:
        yield found


@pytest.fixture(scope="module")
def traced(collecting: Collecting, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    env = {**collecting.environment, "TIDEMILL_GRPC_PORT": "0"}
    with Bucket() as bucket:
        digest = packages.publish(bucket, packages.logistic().files())
        with serve(bucket, digest, tmp_path_factory.mktemp("traced"), **env) as server:
            yield server.ready()


def asked(model: str = "power") -> bytes:
    request = messages.ModelInferRequest(model_name=model)
    request.inputs.add(name="rows", datatype="FP64", shape=[2, 4])
    request.raw_input_contents.append(bytes(64))
    data: bytes = request.SerializeToString()
    return data


def called(
    server: Server, data: bytes, metadata: Metadata = (), timeout: float = 30
) -> tuple[grpc.StatusCode, str]:
    """How the call ended, and the prediction's id."""
    with grpc.insecure_channel(address(server)) as channel:
        call: Any = channel.unary_unary(f"/{METHOD}").future(data, timeout, metadata)
        code = call.code()
        return code, dict(call.trailing_metadata()).get("x-tidemill-prediction-id", "")


def told(server: Server, collecting: Collecting, *metadata: tuple[str, str]) -> Told:
    code, prediction = called(server, asked(), metadata)
    assert code is grpc.StatusCode.OK
    return collecting.trace(prediction)


def test_a_trace_is_continued(traced: Server, collecting: Collecting) -> None:
    context = (("traceparent", SAMPLED), ("tracestate", "rojo=1"), ("tracestate", "congo=t61"))
    root = told(traced, collecting, *context).root
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, SPAN)
    assert root.trace_state == "rojo=1,congo=t61"


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("traceparent", "00-x"), ("tracestate", "rojo=1")),
        (("traceparent", SAMPLED + "-" + "x" * 500),),
    ],
    ids=["none", "malformed", "too long"],
)
def test_a_trace_is_begun(traced: Server, collecting: Collecting, metadata: Metadata) -> None:
    root = told(traced, collecting, *metadata).root
    assert root.trace_id.hex() != TRACE
    assert (root.parent_span_id, root.trace_state) == (b"", "")


def test_a_state_that_is_too_long_is_left_out(traced: Server, collecting: Collecting) -> None:
    state = ",".join(f"k{number}={'v' * 100}" for number in range(20))
    root = told(traced, collecting, ("traceparent", SAMPLED), ("tracestate", state)).root
    assert (root.trace_id.hex(), root.trace_state) == (TRACE, "")


def test_what_is_not_sampled_is_not_sent(traced: Server, collecting: Collecting) -> None:
    code, left_out = called(traced, asked(), (("traceparent", UNSAMPLED),))
    assert code is grpc.StatusCode.OK
    told(traced, collecting)  # a later one is there
    assert left_out not in str(collecting.spans)


def test_what_is_told_of_a_call(traced: Server, collecting: Collecting) -> None:
    found = told(traced, collecting)
    assert (found.root.name, found.root.kind) == ("infer", found.root.SPAN_KIND_SERVER)
    assert found.attributes["tidemill.rows"] == 2
    rpc = {key: value for key, value in found.attributes.items() if not key.startswith("tidemill.")}
    assert rpc == {
        "rpc.system.name": "grpc",
        "rpc.method": METHOD,
        "rpc.response.status_code": "OK",
    }
    assert list(found.stages) == ["read", "queue", "inference", "encode"]


def test_a_refusal_is_told_by_its_code(traced: Server, collecting: Collecting) -> None:
    code, prediction = called(traced, asked("another"))
    assert code is grpc.StatusCode.NOT_FOUND
    found = collecting.trace(prediction)
    assert found.attributes["rpc.response.status_code"] == "NOT_FOUND"
    assert "error.type" not in found.attributes
    assert found.root.status.code == found.root.status.STATUS_CODE_UNSET
