"""What requests hold together: bodies on their way, places in flight, answers nobody takes."""

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from tests.unit.server.bodies import Slow, came
from tests.unit.server.protocol.test_fuzz import SIGNATURE
from tests.unit.server.raw import head
from tests.unit.server.test_deadline import Busy, call

from tidemill_server.answers import Answer
from tidemill_server.batching.batcher import Batcher, Pace
from tidemill_server.inference import Call, Inference
from tidemill_server.lifecycle.state import Served
from tidemill_server.package.signature import parse_signature
from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.protocol.infer import Stamp
from tidemill_server.rest.connection import Connection
from tidemill_server.rest.heads import Heads
from tidemill_server.rest.request import Request
from tidemill_server.rest.terms import Patience, Terms
from tidemill_server.settings import Limits

GZIP = (b"content-encoding", b"gzip")
ONE = parse_signature({**SIGNATURE, "inputs": SIGNATURE["inputs"][:1]})


class Prompt:
    """A model that answers at once."""

    def predict(self, matrix: np.ndarray, wanted: Iterable[str]) -> dict[str, np.ndarray]:
        return dict.fromkeys(wanted, matrix[:, 0])


def inference(limits: Limits) -> Inference:
    return Inference(Stamp("m", "1", "sha256:0"), limits)


async def test_bodies_of_all_requests_are_bounded_together() -> None:
    asked = inference(Limits(body_bytes=1000, bodies_bytes=2500))
    with ThreadPoolExecutor(1) as thread:
        served = Served(ONE, Batcher(Prompt(), Pace(1, 1), max_rows=10, thread=thread))
        slow = [Slow(b" " * 900) for _ in range(2)]
        tasks = [
            asyncio.create_task(asked.tensors(Call(served, (), one.body, "id"))) for one in slow
        ]
        for one in slow:
            await one.source.waits.wait()
        for way in (asked.tensors, asked.plain):
            with pytest.raises(ProtocolError) as refused:
                await way(Call(served, (), Slow(b" " * 900).body, "id"))
            assert (refused.value.status, refused.value.retry_after) == (429, 1)
            assert refused.value.close
        assert (await asked.tensors(call(served, 1.0))).status == 200, "a small one has room"
        with pytest.raises(ProtocolError, match="received already"):
            await asked.tensors(padded(served, 900))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (await asked.tensors(padded(served, 900))).status == 200, "what has gone is free"


async def test_a_body_counts_as_it_is_when_it_is_decompressed() -> None:
    asked = inference(Limits(body_bytes=100_000, bodies_bytes=1))
    with ThreadPoolExecutor(1) as thread:
        served = Served(ONE, Batcher(Prompt(), Pace(1, 1), max_rows=10, thread=thread))
        slow = Slow(b" " * 60_000)
        task = asyncio.create_task(asked.tensors(Call(served, (), slow.body, "id")))
        await slow.source.waits.wait()
        with pytest.raises(ProtocolError) as refused:
            await asked.tensors(padded(served, 60_000, GZIP))
        assert refused.value.status == 429
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await asked.tensors(padded(served, 60_000, GZIP))).status == 200


async def test_while_the_model_computes_no_body_is_held() -> None:
    asked = inference(Limits(body_bytes=1000, bodies_bytes=1000))
    model = Busy()
    with ThreadPoolExecutor(1) as thread:
        served = Served(ONE, Batcher(model, Pace(1, 1), max_rows=10, thread=thread))
        tasks = [asyncio.create_task(asked.tensors(padded(served, 900)))]
        await asyncio.to_thread(model.began.wait, 60)
        tasks.append(asyncio.create_task(asked.tensors(padded(served, 900))))
        model.free.set()
        assert [answer.status for answer in await asyncio.gather(*tasks)] == [200, 200]


@pytest.mark.parametrize("way", ["tensors", "plain"])
async def test_too_many_at_a_time_is_429_with_retry_after(way: str) -> None:
    asked = inference(Limits(in_flight=1))
    model = Busy()
    with ThreadPoolExecutor(1) as thread:
        served = Served(ONE, Batcher(model, Pace(1, 1), max_rows=10, thread=thread))
        first = asyncio.create_task(asked.tensors(call(served, 1.0)))
        await asyncio.to_thread(model.began.wait, 60)
        ask: Callable[[Call], Awaitable[Answer]] = getattr(asked, way)
        try:
            with pytest.raises(ProtocolError, match="answered already") as refused:
                await ask(call(served, 2.0))
            assert (refused.value.status, refused.value.retry_after) == (429, 1)
        finally:
            model.free.set()
        assert (await first).status == 200
    assert asked.in_flight == 0


async def test_a_long_body_is_read_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = inference(Limits())
    readers: list[str] = []
    read = json.loads

    def noted(body: bytes) -> Any:
        readers.append(threading.current_thread().name)
        return read(body)

    monkeypatch.setattr("tidemill_server.protocol.infer.orjson.loads", noted)
    with ThreadPoolExecutor(1) as thread:
        served = Served(ONE, Batcher(Prompt(), Pace(1, 1), max_rows=10, thread=thread))
        await asked.tensors(call(served, 1.0))
        await asked.tensors(padded(served, 100_000))
    here = threading.current_thread().name
    assert readers[0] == here
    assert readers[1] != here


def padded(served: Served, size: int, *headers: tuple[bytes, bytes]) -> Call:
    """A request of one row in so many bytes."""
    tensor = {"name": "a", "shape": [1], "datatype": "FP64", "data": [1.0]}
    body = json.dumps({"inputs": [tensor]}).encode().ljust(size)
    if GZIP in headers:
        body = gzip.compress(body)

    return Call(served, headers, came(body), "id")


class Large:
    """Answers whatever is asked with more than a client's buffers hold."""

    async def answer(self, _: Request) -> Answer:
        return Answer(200, bytes(8_000_000))


def terms(head_seconds: float) -> Terms:
    return Terms(Large(), Heads([]), Patience(head_seconds, 60))


@pytest.mark.parametrize(
    "request_head",
    [
        pytest.param(head(method="GET"), id="kept"),
        pytest.param(head("connection: close", method="GET"), id="closed"),
    ],
)
async def test_who_does_not_take_the_answer_is_cut(request_head: bytes) -> None:
    loop = asyncio.get_running_loop()
    made: asyncio.Queue[Connection] = asyncio.Queue()
    common = terms(0.2)

    def connection() -> Connection:
        made.put_nowait(found := Connection(common))
        return found

    server = await loop.create_server(connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setblocking(False)
        await loop.sock_sendall(client, request_head)
        await asyncio.wait_for((await made.get()).closed.wait(), 30)
    server.close()


class Held(asyncio.Transport):
    """A transport whose other end takes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.closing, self.aborted = False, asyncio.Event()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ARG002
        return default

    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.aborted.set()


async def test_a_refusal_that_nobody_takes_is_thrown_away() -> None:
    connection = Connection(terms(0.05))
    transport = Held()
    connection.connection_made(transport)
    connection.data_received(b"\0\1\r\n\r\n")
    assert transport.closing
    await asyncio.wait_for(transport.aborted.wait(), 30)
