"""Bytes bent at random: a call ends in an answer or in words for its client, never in a fault.

TIDEMILL_FUZZ_CASES is how many cases each test makes: 600 here and in CI, so that all together
take some seconds; the long run gives it 10^6.
"""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.server.rpc.wire import Peer, framed, headers, message, peer

from tidemill_server.rpc import frames
from tidemill_server.rpc.calls import Call
from tidemill_server.rpc.frames import Kind
from tidemill_server.rpc.messages import CLASSES
from tidemill_server.rpc.service import INFER

CASES = int(os.environ.get("TIDEMILL_FUZZ_CASES", "600"))
fuzz = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
Run = Callable[[Awaitable[None]], None]
WELL = {b"0", b"3", b"5", b"8", b"12"}
KINDS = ("FP64", "FP32", "FP16", "INT8", "INT64", "UINT32", "UINT64", "BOOL", "BYTES", "BF16", "")
FIELDS = tuple(field.name for field in CLASSES["InferTensorContents"].DESCRIPTOR.fields)


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield lambda work: runner.run(_awaited(work))


async def _awaited(work: Awaitable[None]) -> None:
    await work


@pytest.fixture(scope="module")
def client() -> Iterator[Peer]:
    with ThreadPoolExecutor(1) as thread:
        yield peer(thread)


async def ends_well(client: Peer, data: bytes, path: bytes = INFER) -> None:
    """Understood or refused, and nothing is left behind."""
    with client.inference.budget.share() as share:
        call = Call(share, 0.0, path)
        call.add(framed(data), client.inference.limits.body_bytes)
        reply = await client.service.answer(call)
    told = dict(reply.trailers)
    assert told[b"grpc-status"] in WELL, (told, data)
    if told[b"grpc-status"] == b"0":
        assert reply.message is not None
    assert (client.inference.in_flight, client.inference.held_bytes) == (0, 0)


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    """A good request with bytes changed, cut out, doubled or put in."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data)))
        gone = draw(st.integers(0, 3))
        data[place : place + gone] = draw(st.binary(max_size=4))
    return bytes(data)


def _by_type() -> bytes:
    request = CLASSES["ModelInferRequest"](model_name="m", id="a")
    columns = (("a", "FP64", "fp64"), ("b", "INT64", "int64"), ("c", "BOOL", "bool"))
    for name, kind, field in columns:
        tensor = request.inputs.add(name=name, datatype=kind, shape=[2])
        getattr(tensor.contents, f"{field}_contents").extend([1, 0])
    request.outputs.add(name="predict")
    request.parameters["x"].int64_param = 1
    written: bytes = request.SerializeToString()
    return written


SEEDS = (message(1.0, 2.0)[5:], _by_type(), b"")


@fuzz
@given(data=bent())
def test_bent_messages(run: Run, client: Peer, data: bytes) -> None:
    run(ends_well(client, data))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Messages that are read, and mostly make no sense."""
    request = CLASSES["ModelInferRequest"](model_name="m")
    sizes = st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(0, 3)
    for _ in range(draw(st.integers(0, 4))):
        name = draw(st.sampled_from(("a", "b", "c", "rows", "")))
        kind = draw(st.sampled_from(KINDS))
        shape = draw(st.lists(sizes, max_size=3) | st.just([1]) | st.just([1, 3]))
        tensor = request.inputs.add(name=name, datatype=kind, shape=shape)
        for field in draw(st.lists(st.sampled_from(FIELDS), max_size=2)):
            values = [b"1", b"\xff"] if field == "bytes_contents" else [1, 0, 1]
            getattr(tensor.contents, field).extend(values[: draw(st.integers(0, 3))])
    if draw(st.booleans()):
        count = draw(st.just(len(request.inputs)) | st.integers(0, 4))
        raw = st.binary(max_size=24) | st.sampled_from((bytes(8), bytes(24), b"\xff" * 8))
        request.raw_input_contents.extend(draw(raw) for _ in range(count))
    for name in draw(st.lists(st.sampled_from(("predict", "other")), max_size=2)):
        request.outputs.add(name=name)
    written: bytes = request.SerializeToString()
    return written


@fuzz
@given(data=requests())
def test_messages_that_make_no_sense(run: Run, client: Peer, data: bytes) -> None:
    run(ends_well(client, data))


@settings(fuzz, max_examples=max(CASES // 10, 1))
@given(data=st.binary(max_size=40), name=st.integers(0, 6))
def test_bent_questions(run: Run, client: Peer, data: bytes, name: int) -> None:
    paths = (*client.service.paths, b"/no/such")
    run(ends_well(client, data, paths[name % len(paths)]))


def test_bent_connections(run: Run) -> None:
    """Frames in an order that makes no sense: GOAWAY or an answer, and nothing is held after it."""
    chance = random.Random(20261127)

    async def one(thread: ThreadPoolExecutor) -> bool:
        client = peer(thread)
        client.greet()
        for _ in range(chance.randint(1, 8)):
            stream = chance.choice((0, 1, 1, 1, 3, 5, 2, 1 << 30))
            payload = chance.choice(
                (b"", message(1.0), headers(), chance.randbytes(chance.randint(0, 60)), bytes(8))
            )
            kind = Kind(chance.randrange(10))
            client.send(frames.frame(kind, chance.choice((0, 1, 4, 5, 8, 255)), stream, payload))
            await asyncio.sleep(0)
        client.connection.connection_lost(None)
        await asyncio.sleep(0)
        assert (client.inference.in_flight, client.inference.held_bytes) == (0, 0)
        return client.wire.closing

    async def all_of_them() -> None:
        with ThreadPoolExecutor(1) as thread:
            cut = sum([await one(thread) for _ in range(max(CASES // 4, 1))])
        assert 0 < cut < max(CASES // 4, 1)

    run(all_of_them())
