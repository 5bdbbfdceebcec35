"""A connection of HTTP/2: what clients may send, and how answers flow."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import hpack
import pytest
from tests.unit.server.rpc.wire import (
    headers,
    message,
    peer,
    read_block,
    status,
    until,
)

from tidemill_server.metrics.registry import Outcome
from tidemill_server.rpc import frames
from tidemill_server.rpc.frames import Code, Kind, Setting
from tidemill_server.rpc.messages import CLASSES
from tidemill_server.settings import Limits

MANY = tuple(float(value) for value in range(9000))  # an answer of 72 kB


def predicted(data: bytes) -> list[float]:
    answer = CLASSES["ModelInferResponse"].FromString(data[5:])
    assert int.from_bytes(data[1:5]) == len(data) - 5
    import numpy as np

    found: list[float] = np.frombuffer(answer.raw_output_contents[0], "<f8").tolist()
    return found


async def test_a_call_is_answered_with_what_rest_answers(thread: ThreadPoolExecutor) -> None:
    client = peer(thread)
    client.greet()
    assert client.ask(1, message(7, 8, id="a")) == []
    head, data, trailers = await client.answers()
    told = read_block(head.payload)
    assert told[b":status"] == b"200"
    assert told[b"content-type"] == b"application/grpc"
    assert told[b"x-tidemill-model-name"] == b"m"
    assert told[b"x-tidemill-model-digest"] == b"sha256:0"
    assert predicted(data.payload) == [7, 8]
    last = read_block(trailers.payload)
    assert last[b"grpc-status"] == b"0"
    answer = CLASSES["ModelInferResponse"].FromString(data.payload[5:])
    wanted = last[b"x-tidemill-prediction-id"].decode()
    assert answer.parameters["prediction_id"].string_param == wanted
    assert client.ended(Outcome.OK) == 1
    assert (client.inference.in_flight, client.inference.held_bytes) == (0, 0)


async def test_what_comes_in_pieces_is_put_together(thread: ThreadPoolExecutor) -> None:
    """Byte by byte, with padding, a priority, and headers in three frames."""
    client = peer(thread)
    encoded = hpack.Encoder().encode([(b":method", b"POST")]) + headers()
    block = bytes((3,)) + bytes(5) + encoded[:9] + bytes(3)
    flags = frames.PADDED | frames.PRIORITY_FIELDS
    body = message(5)
    sent = b"".join(
        (
            frames.PREFACE + frames.settings([(Setting.ENABLE_PUSH, 0)]),
            frames.frame(Kind.HEADERS, flags, 1, block),
            frames.frame(Kind.CONTINUATION, 0, 1, encoded[9:20]),
            frames.frame(Kind.CONTINUATION, frames.END_HEADERS, 1, encoded[20:]),
            frames.frame(Kind.DATA, frames.PADDED, 1, bytes((2,)) + body[:3] + bytes(2)),
            frames.frame(Kind.DATA, 0, 1, body[3:]),
            frames.header_frame(1, frames.block([(b"x", b"y")]), last=True),
        )
    )
    for place in range(len(sent)):
        client.send(sent[place : place + 1])
    answer = await client.answers()
    assert status(answer)[b"grpc-status"] == b"0"


async def test_pings_and_settings_are_acknowledged(thread: ThreadPoolExecutor) -> None:
    client = peer(thread)
    mine = client.greet()
    assert [frame.kind for frame in mine] == [Kind.SETTINGS, Kind.WINDOW_UPDATE, Kind.SETTINGS]
    assert mine[-1].flags == frames.ACK
    [pong] = client.send(frames.frame(Kind.PING, 0, 0, b"12345678"))
    assert (pong.flags, pong.payload) == (frames.ACK, b"12345678")
    assert client.send(frames.frame(Kind.PING, frames.ACK, 0, bytes(8))) == []


async def test_answers_wait_for_the_clients_window_and_share_it(thread: ThreadPoolExecutor) -> None:
    client = peer(thread)
    client.greet()
    for stream in (1, 3):
        body = message(*MANY)
        client.send(frames.header_frame(stream, headers()))
        for place in range(0, len(body), 16384):
            last = frames.END_STREAM if place + 16384 >= len(body) else 0
            client.send(frames.frame(Kind.DATA, last, stream, body[place : place + 16384]))
    await until(lambda: client.wire.written.count(b"x-tidemill-model-name") == 2)
    found = client.wire.take()
    sent = {1: b"", 3: b""}
    rounds = 0
    while not all(len(data) > 72_000 for data in sent.values()):
        for frame in found:
            if frame.kind == Kind.DATA:
                sent[frame.stream] += frame.payload
        total = sum(map(len, sent.values()))
        assert total <= frames.FIRST_WINDOW + 30_000 * rounds
        assert not all(frame.kind == Kind.HEADERS and frame.flags & 1 for frame in found)
        rounds += 1
        assert rounds < 20
        grants = (frames.window_update(stream, 30_000) for stream in (0, 1, 3))
        found = client.send(b"".join(grants))
    assert predicted(sent[1]) == predicted(sent[3]) == list(MANY)


async def test_a_window_that_shrinks_below_nothing_is_waited_for(
    thread: ThreadPoolExecutor,
) -> None:
    client = peer(thread)
    client.greet(frames.settings([(Setting.INITIAL_WINDOW_SIZE, 10)]))
    client.ask(1, message(1, 2))
    await until(lambda: client.wire.written and not client.inference.in_flight)
    assert [len(f.payload) for f in client.wire.take() if f.kind == Kind.DATA] == [10]
    client.send(frames.settings([(Setting.INITIAL_WINDOW_SIZE, 0)]))
    assert client.send(frames.window_update(1, 5)) == []
    assert client.send(frames.settings([(Setting.INITIAL_WINDOW_SIZE, 1 << 20)]))[-1].flags & 1


async def test_who_leaves_is_never_computed(thread: ThreadPoolExecutor) -> None:
    client = peer(thread, pace=1.0)
    client.model.free.clear()
    client.greet()
    client.ask(1, message(1))
    await asyncio.to_thread(client.model.began.wait, 60)
    client.ask(3, message(3))
    client.ask(5, message(5))
    await until(lambda: client.inference.in_flight == 3)
    client.send(frames.reset(3, Code.CANCEL))
    client.model.free.set()
    await client.answers(2)
    assert client.model.asked == [1, 5]
    assert (client.ended(Outcome.GONE), client.ended(Outcome.OK)) == (1, 2)
    client.model.free.clear()
    client.ask(7, message(7))
    half = frames.frame(Kind.DATA, 0, 9, message(9)[:20])
    client.send(frames.header_frame(9, headers()), half)
    await until(lambda: client.inference.in_flight == 1)
    assert client.inference.held_bytes == 20
    client.connection.connection_lost(None)
    client.model.free.set()
    assert client.inference.held_bytes == 0
    assert client.ended(Outcome.GONE) == 3


async def test_a_deadline_ends_what_waits(thread: ThreadPoolExecutor) -> None:
    client = peer(thread, pace=1.0)
    client.model.free.clear()
    client.greet()
    client.ask(1, message(1))
    await asyncio.to_thread(client.model.began.wait, 60)
    client.ask(3, message(3), (b"grpc-timeout", b"20m"))
    answer = status(await client.answers())
    assert answer[b"grpc-status"] == b"4"
    assert b"0.02 s" in answer[b"grpc-message"]
    client.model.free.set()
    await client.answers()
    assert client.model.asked == [1]
    assert client.ended(Outcome.EXPIRED) == 1


@pytest.mark.parametrize(
    "value", [b"", b"5", b"m", b"-1m", b"1.5S", b"123456789S", b"5s", b"\xb2S"]
)
async def test_a_timeout_that_is_none_is_refused(thread: ThreadPoolExecutor, value: bytes) -> None:
    client = peer(thread)
    client.greet()
    client.ask(1, message(1), (b"grpc-timeout", value))
    answer = status(await client.answers())
    assert answer[b"grpc-status"] == b"3"
    assert b"grpc-timeout" in answer[b"grpc-message"]


async def test_a_message_that_does_not_come_is_given_up(thread: ThreadPoolExecutor) -> None:
    client = peer(thread, Limits(body_seconds=0.05))
    client.greet()
    client.send(frames.header_frame(1, headers()), frames.frame(Kind.DATA, 0, 1, message(1)[:9]))
    assert client.inference.held_bytes == 9
    answer = await client.answers()
    assert status(answer)[b"grpc-status"] == b"4"
    assert client.inference.held_bytes == 0
    [end] = [frame for frame in answer + client.wire.take() if frame.kind == Kind.RST_STREAM]
    assert int.from_bytes(end.payload) == Code.NO_ERROR
    client.ask(3, message(1))
    assert status(await client.answers())[b"grpc-status"] == b"0"


async def test_answers_that_are_not_taken_are_thrown_away(thread: ThreadPoolExecutor) -> None:
    client = peer(thread, Limits(body_seconds=0.05))
    client.greet(frames.settings([(Setting.INITIAL_WINDOW_SIZE, 0)]))
    client.ask(1, message(1))
    found: list[int] = []
    async with asyncio.timeout(30):
        while Kind.RST_STREAM not in found:
            await asyncio.sleep(0.005)
            found += [frame.kind for frame in client.wire.take()]
    client.connection.pause_writing()
    assert not client.wire.reading
    await until(lambda: client.wire.aborted)


async def test_who_never_says_anything_is_cut(thread: ThreadPoolExecutor) -> None:
    client = peer(thread, Limits(body_seconds=0.05))
    client.send(frames.PREFACE[:5])
    await until(lambda: client.wire.closing)


async def test_who_asks_to_be_led_elsewhere_is_answered_first(thread: ThreadPoolExecutor) -> None:
    client = peer(thread, pace=1.0)
    client.greet()
    client.connection.retire()
    [soft] = client.wire.take()
    assert int.from_bytes(soft.payload[:4]) == frames.MAX_WINDOW
    client.model.free.clear()
    client.ask(1, message(1))
    await asyncio.to_thread(client.model.began.wait, 60)
    client.connection.finish()
    [hard] = client.wire.take()
    assert (hard.kind, int.from_bytes(hard.payload[:4])) == (Kind.GOAWAY, 1)
    assert client.ask(3, message(3)) == []
    assert not client.wire.closing
    client.model.free.set()
    assert status(await client.answers())[b"grpc-status"] == b"0"
    assert client.wire.closing
    assert client.model.asked == [1]
