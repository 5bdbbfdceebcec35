"""What a trace tells of its request, wherever that ends."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.unit.server.bodies import came
from tests.unit.server.features import table
from tests.unit.server.rpc.wire import message, peer, until
from tests.unit.server.traces.collectors import values

from tidemill_server.accounts import Accounts
from tidemill_server.app import Application
from tidemill_server.features.lookup import Lookup
from tidemill_server.features.request import Asked as Wanted
from tidemill_server.ids import PredictionIds
from tidemill_server.metrics.registry import Metrics, Outcome
from tidemill_server.protocol.infer import Stamp
from tidemill_server.rest.request import Request
from tidemill_server.rpc.frames import Header
from tidemill_server.traces.context import Parent, read_parent, read_state
from tidemill_server.traces.messages import Writer
from tidemill_server.traces.trace import Asked, Trace

STAMP = Stamp("m", "1", "sha256:0")


class Every:
    """Records every request, and keeps what has ended."""

    def __init__(self) -> None:
        self.ended: list[Trace] = []
        self.headers: list[Sequence[Header]] = []

    def begin(
        self, headers: Sequence[Header], path: str, prediction: str, *, rpc: bool = False
    ) -> Trace:
        self.headers.append(headers)
        return Trace(Asked(b"1" * 16, b"", "", path, prediction, rpc), self.ended.append)


def written(trace: Trace) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(Writer(STAMP, "http").write([trace]))
    return list(request.resource_spans[0].scope_spans[0].spans)


def told(trace: Trace) -> dict[str, Any]:
    found = values(written(trace)[0].attributes)
    return {name: value for name, value in found.items() if not name.startswith("tidemill.m")}


def ended(status: int | None, outcome: Outcome, *, rpc: bool = False) -> Trace:
    every = Every()
    every.begin((), "/p", "id", rpc=rpc).end(status, outcome)
    return every.ended[0]


@pytest.mark.parametrize(
    ("status", "outcome", "http", "code", "fault"),
    [
        (200, Outcome.OK, 200, "OK", False),
        (400, Outcome.CLIENT_ERROR, 400, "INVALID_ARGUMENT", False),
        (429, Outcome.OVERLOADED, 429, "RESOURCE_EXHAUSTED", False),
        (500, Outcome.ERROR, 500, "INTERNAL", True),
        (503, Outcome.NOT_READY, 503, "UNAVAILABLE", True),
        (503, Outcome.EXPIRED, 503, "DEADLINE_EXCEEDED", True),
        (None, Outcome.GONE, None, "CANCELLED", False),
    ],
)
def test_how_it_ended(
    status: int | None, outcome: Outcome, http: int | None, code: str, fault: bool
) -> None:
    for rpc, name, meant in (
        (False, "http.response.status_code", http),
        (True, "rpc.response.status_code", code),
    ):
        trace = ended(status, outcome, rpc=rpc)
        found = told(trace)
        assert found.get(name) == meant
        assert found["tidemill.outcome"] == outcome.value
        assert found.get("error.type") == (str(meant) if fault else None)
        [root, *stages] = written(trace)
        assert (root.status.code == root.status.STATUS_CODE_ERROR) is fault
        assert [one.name for one in stages] == (["encode"] if status == 200 else [])


def test_many_are_written_apart() -> None:
    traces = [ended(200, Outcome.OK) for _ in range(30)]
    request = ExportTraceServiceRequest.FromString(Writer(STAMP, "http").write(traces))
    spans = request.resource_spans[0].scope_spans[0].spans
    assert len({span.span_id for span in spans}) == len(spans) == 60


class Store:
    """Knows nobody."""

    async def connect(self, name: str) -> None:
        """Nothing is needed."""

    async def rows(self, names: Sequence[Sequence[str]]) -> list[list[bytes | None]]:
        return [[None for _ in each] for each in names]


def marks(trace: Trace) -> list[str]:
    return [stage.name for stage in trace.stages]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"site": "north", "region": 1, "day": "2026-01-01"}, ["read", "features"]),
        ({"site": "north", "load": 1.0, "units": 1, "open": True, "w_sky": "grey"}, []),
    ],
    ids=["looked up", "all sent"],
)
async def test_features_that_are_looked_up_are_a_stage(
    sent: dict[str, Any], expected: list[str]
) -> None:
    lookup = Lookup(table.reader(), Store(), "ns", False, Metrics())
    kinds = {"region": "INT64", "load": "FP64", "units": "INT64", "open": "BOOL"}
    inputs = [
        {"name": name, "datatype": kinds.get(name, "BYTES"), "shape": [1], "data": [value]}
        for name, value in sent.items()
    ]
    price = {"name": "price", "datatype": "FP64", "shape": [1], "data": [1.0]}
    asked = lookup.reader.read([price, *inputs])
    assert isinstance(asked, Wanted)
    trace = Every().begin((), "/p", "id")
    matrix, _ = await lookup.rows(asked, trace)
    assert (marks(trace), matrix.shape) == (expected, (1, 6))


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as found:
        yield found


async def test_a_call_whose_client_leaves_is_told(thread: ThreadPoolExecutor) -> None:
    client, every = peer(thread, pace=1.0), Every()
    client.service._traces = every  # type: ignore[assignment]
    client.greet()
    client.model.free.clear()
    client.ask(1, message(1.0, 2.0))
    await until(client.model.began.is_set)
    client.connection.connection_lost(None)
    client.model.free.set()
    await until(lambda: every.ended)
    [trace] = every.ended
    assert (trace.outcome, trace.status, trace.rows) == (Outcome.GONE, None, 2)
    assert marks(trace) == ["read", "queue"]
    assert told(trace)["rpc.response.status_code"] == "CANCELLED"


async def test_a_request_whose_client_leaves_is_told(thread: ThreadPoolExecutor) -> None:
    client, every, metrics = peer(thread, pace=1.0), Every(), Metrics()
    accounts = Accounts(metrics, traces=every)  # type: ignore[arg-type]
    app = Application(
        client.state, client.inference, metrics=metrics, ids=PredictionIds(), accounts=accounts
    )
    client.model.free.clear()
    rows = np.ones((1, 3)).tolist()
    body = (
        f'{{"inputs": [{{"name": "rows", "datatype": "FP64", "shape": [1, 3], "data": {rows}}}]}}'
    )
    request = Request("POST", "/v2/models/m/infer", [], came(body.encode()), kept=True)
    task = asyncio.ensure_future(app.answer(request))
    await until(client.model.began.is_set)
    task.cancel()
    client.model.free.set()
    await until(lambda: every.ended)
    [trace] = every.ended
    assert (trace.outcome, trace.status) == (Outcome.GONE, None)
    assert "http.response.status_code" not in told(trace)


PARENT = (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01")


@pytest.mark.parametrize(
    ("sent", "parent", "state"),
    [
        ([PARENT, (b"tracestate", b"a=1")], Parent(b"\xaa" * 16, b"\xbb" * 8), "a=1"),
        ([PARENT, PARENT], None, ""),
        ([(b"tracestate", b"k=" + b"v" * 200)] * 30, None, ""),
        ([], None, ""),
    ],
    ids=["one", "two", "a long state", "none"],
)
async def test_what_a_call_keeps_of_its_context(
    thread: ThreadPoolExecutor, sent: list[Header], parent: Parent | None, state: str
) -> None:
    client, every = peer(thread), Every()
    client.service._traces = every  # type: ignore[assignment]
    client.greet()
    client.ask(1, message(1.0), *sent)
    await client.answers()
    [headers] = every.headers
    assert (read_parent(headers), read_state(headers)) == (parent, state)
    assert sum(len(value) for _, value in headers) < 1500


async def test_a_batch_is_told_whole(thread: ThreadPoolExecutor) -> None:
    client, every = peer(thread), Every()
    client.service._traces = every  # type: ignore[assignment]
    client.greet()
    client.ask(1, message(1.0))
    client.ask(3, message(2.0, 3.0))
    await client.answers(2)
    assert [trace.rows for trace in every.ended] == [1, 2]
    for trace in every.ended:
        assert marks(trace) == ["read", "queue", "inference", "encode"]
        assert [stage.rows for stage in trace.stages] == [0, 0, 3, 0]
