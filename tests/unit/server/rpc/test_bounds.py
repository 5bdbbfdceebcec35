"""What a client may cost: frames that ask for nothing, answers not taken, headers."""

import asyncio
import gzip
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import hpack
import pytest
from tests.unit.server.rpc.wire import (
    Frame,
    Peer,
    framed,
    headers,
    message,
    peer,
    read_block,
    status,
    until,
)

from tidemill_server.rpc import frames
from tidemill_server.rpc.calls import Call, Reply, good
from tidemill_server.rpc.calm import MAX_IDLE_FRAMES, Calm
from tidemill_server.rpc.frames import Code, Kind, Setting
from tidemill_server.rpc.heads import _SHORT, MAX_HEADER_BYTES, MOST_HEADER_BYTES, Block, Heads
from tidemill_server.rpc.outbox import Outbox
from tidemill_server.rpc.service import HEALTH_SERVICE, INFER
from tidemill_server.settings import Limits

CHECK = f"/{HEALTH_SERVICE}/Check".encode()
PING = frames.frame(Kind.PING, 0, 0, bytes(8))
SHUT = frames.settings([(Setting.INITIAL_WINDOW_SIZE, 0)])


class Told:
    """Answers everything with the same, at once."""

    def __init__(self, reply: Callable[[], Reply]) -> None:
        self.reply = reply

    async def answer(self, call: Call) -> Reply:  # noqa: ARG002 - always the same
        return self.reply()

    def refused(self, call: Call, error: Exception) -> Reply:
        raise NotImplementedError

    def gone(self, call: Call) -> None:
        """Nobody counts."""


def telling(thread: ThreadPoolExecutor, size: int, limits: Limits | None = None) -> Peer:
    client = peer(thread, limits)
    client.front.terms = replace(client.front.terms, answerer=Told(lambda: good(bytes(size))))
    return client


def ended(found: list[Frame]) -> Code | None:
    """Why the connection ended, if it did."""
    [*_, last] = found or [Frame(0, 0, 0, b"")]
    return Code(int.from_bytes(last.payload[4:8])) if last.kind == Kind.GOAWAY else None


async def test_a_busy_client_may_measure_its_line(thread: ThreadPoolExecutor) -> None:
    """As gRPC's own do: a ping and small windows for each answer, without end."""
    client = peer(thread)
    client.greet()
    for place in range(1200):
        found = client.ask(2 * place + 1, framed(b""), path=CHECK)
        found += await client.answers()
        assert status(found)[b"grpc-status"] == b"0"
        pong, *more = client.send(PING, frames.window_update(0, 7))
        assert (pong.kind, more) == (Kind.PING, [])


async def test_a_long_answer_makes_good_for_its_acknowledgements(
    thread: ThreadPoolExecutor,
) -> None:
    client = telling(thread, 50 << 20, Limits(bodies_bytes=1 << 30))
    client.greet()
    client.ask(1, framed(b""))
    found = await _first_data(client)
    for _ in range(2 * MAX_IDLE_FRAMES):
        grants = (frames.window_update(stream, frames.MAX_FRAME_BYTES) for stream in (0, 1))
        found = client.send(*grants, PING)
        assert ended(found) is None
        if any(frame.flags & frames.END_STREAM for frame in found if frame.kind == Kind.HEADERS):
            break


async def _first_data(client: Peer) -> list[Frame]:
    found: list[Frame] = []

    def came() -> bool:
        found.extend(client.wire.take())
        return any(frame.kind == Kind.DATA for frame in found)

    await until(came)
    return found


IDLE = {
    "windows opened by little": frames.window_update(0, 1),
    "data for a stream that has ended": frames.frame(Kind.DATA, 0, 1, b"x"),
    "headers of a stream that has ended": frames.header_frame(1, headers(), last=True),
}


@pytest.mark.parametrize("name", IDLE)
async def test_what_asks_for_nothing_is_counted(thread: ThreadPoolExecutor, name: str) -> None:
    client = peer(thread)
    client.greet()
    client.ask(1, framed(b""), path=CHECK)
    await client.answers()
    assert ended(client.send(IDLE[name] * MAX_IDLE_FRAMES)) is None
    assert ended(client.send(IDLE[name] * 20)) is Code.ENHANCE_YOUR_CALM


async def test_what_is_no_call_is_counted(thread: ThreadPoolExecutor) -> None:
    client = peer(thread)
    client.greet()
    block = headers(b"/", (b"content-type", b"text/html"))
    for place in range(MAX_IDLE_FRAMES - 1):  # its settings are one
        client.send(frames.header_frame(2 * place + 1, block, last=True))
    found = client.send(frames.header_frame(2 * MAX_IDLE_FRAMES + 1, block, last=True))
    assert ended(found) is Code.ENHANCE_YOUR_CALM


class Post:
    """An outbox with 1000 answers that wait, and what it looks at."""

    def __init__(self, window: int) -> None:
        self.written: list[bytes] = []
        self.sent: list[int] = []
        self.full = 0
        self.outbox = Outbox(self.written.append, self._sent, self._full)
        self.outbox.resize(window, 0.0)
        for stream in range(1, 2001, 2):
            self.outbox.open(stream)
            self.outbox.send(stream, (b"", b"x" * 20_000, b""), 0.0)
        self.written.clear()

    def _sent(self, stream: int) -> None:
        self.sent.append(stream)
        self.outbox.close(stream)

    def _full(self) -> None:
        self.full += 1


def test_a_window_opened_by_little_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever waits: no more answers are looked at than can move."""
    post, looked = Post(0), 0
    move = Outbox._move

    def counted(self: Outbox, stream: int, now: float) -> None:
        nonlocal looked
        looked += 1
        move(self, stream, now)

    monkeypatch.setattr(Outbox, "_move", counted)
    for _ in range(100):
        post.outbox.grant(0, 1000, 0.0)
    assert looked == 0
    for _ in range(100):
        post.outbox.grant(7, 10, 0.0)
    assert (looked, len(b"".join(post.written))) == (100, 100 * (10 + frames.HEAD_BYTES))


def test_answers_share_the_window_in_turns() -> None:
    post = Post(60_000)
    first = len(post.sent)
    for _ in range(900):
        post.outbox.grant(0, frames.MAX_FRAME_BYTES, 0.0)
    assert post.full > 890
    assert len(post.sent) <= first + 1  # each has a frame before any has its second
    post.outbox.grant(0, 30 << 20, 0.0)
    assert sorted(post.sent) == list(range(1, 2001, 2))


def test_byte_by_byte_an_answer_is_not_taken() -> None:
    post = Post(0)
    post.outbox.grant(1, 16_383, 50.0)
    post.outbox.grant(3, 16_384, 50.0)
    late = post.outbox.waiting_since(10.0)
    assert 1 in late
    assert 3 not in late


async def test_of_settings_the_last_value_counts_in_one_round(
    thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = peer(thread)
    client.greet()
    sizes: list[int] = []
    resize = Outbox.resize

    def counted(self: Outbox, first: int, now: float) -> None:
        sizes.append(first)
        resize(self, first, now)

    monkeypatch.setattr(Outbox, "resize", counted)
    client.send(frames.settings([(Setting.INITIAL_WINDOW_SIZE, size) for size in range(2000)]))
    client.send(frames.settings([(Setting.MAX_FRAME_SIZE, 20_000)]))
    assert sizes == [1999]


async def test_answers_that_wait_are_held_within_the_bound(thread: ThreadPoolExecutor) -> None:
    client = telling(thread, 995, Limits(body_bytes=1500, bodies_bytes=2500))
    client.greet(SHUT)
    for stream in (1, 3, 5):
        client.ask(stream, framed(b""))
    refused = status(await client.answers())
    assert refused[b"grpc-status"] == b"8"
    assert b"no room" in refused[b"grpc-message"]
    assert client.inference.held_bytes == 2010  # with the questions
    client.send(frames.window_update(1, 1000))
    assert client.inference.held_bytes == 1005
    client.send(frames.reset(3, Code.CANCEL))
    assert client.inference.held_bytes == 0


async def test_a_client_that_does_not_read_its_end_is_cut(thread: ThreadPoolExecutor) -> None:
    """Closing waits for what was written to be taken, which is not for ever."""
    client = peer(thread, Limits(body_seconds=0.05))
    client.greet()
    client.connection.finish()
    assert client.wire.closing
    client.connection.resume_writing()
    await until(lambda: client.wire.aborted)
    other = peer(thread, Limits(body_seconds=0.05))
    other.greet()
    other.connection.eof_received()
    await until(lambda: other.wire.aborted)


@pytest.mark.parametrize("update", [b"\x20", b"\x3f\x00", b"\x3f\x80\x80\x00"])
@pytest.mark.parametrize("size", [0, _SHORT])
def test_changes_of_the_table_without_end_are_cut(update: bytes, size: int) -> None:
    more = frames.block([(b"x", b"y" * size)])
    assert Heads(Calm()).read(Block(1, 4, bytearray(update * 2 + more))).headers[0][0] == b"x"
    with pytest.raises(frames.Broken) as found:
        Heads(Calm()).read(Block(1, 4, bytearray(update * 3 + more)))
    assert found.value.code is Code.COMPRESSION_ERROR


def test_a_long_block_is_read_as_a_short_one() -> None:
    """Field by field: with and without the table, Huffman's code, names that are known."""
    told = [(b":method", b"POST"), (b"x-" + b"n" * 300, b"v" * 300), (b"cookie", b"c" * 130)]
    many = [*told, *[(b"x%d" % place, b"y" * place) for place in range(100)]]
    encoder, heads = hpack.Encoder(), Heads(Calm())
    for _ in range(3):
        for huffman in (True, False):
            block = encoder.encode(many, huffman=huffman) + frames.block(many)
            assert len(block) > _SHORT
            assert heads.read(Block(1, 4, bytearray(block))).headers == many * 2


@pytest.mark.parametrize(
    "tail", [b"\x00", b"\x40\x7f", b"\x7f\xff\xff\xff\xff\xff\xff", b"\x00\x05x"]
)
def test_a_long_block_that_ends_too_early_cannot_be_read(tail: bytes) -> None:
    block = frames.block([(b"x", b"y" * _SHORT)]) + tail
    with pytest.raises(frames.Broken) as found:
        Heads(Calm()).read(Block(1, 4, bytearray(block)))
    assert found.value.code is Code.COMPRESSION_ERROR


async def test_headers_too_large_for_a_call_leave_the_others_alone(
    thread: ThreadPoolExecutor,
) -> None:
    client = peer(thread)
    client.greet()
    block = headers(CHECK, (b"x", b"y" * MAX_HEADER_BYTES))
    cut = [block[place : place + 16_384] for place in range(0, len(block), 16_384)]
    found = client.send(
        frames.frame(Kind.HEADERS, 0, 1, cut[0]),
        *(frames.frame(Kind.CONTINUATION, 0, 1, piece) for piece in cut[1:]),
        frames.frame(Kind.CONTINUATION, frames.END_HEADERS, 1),
    )
    assert [frame.kind for frame in found] == [Kind.HEADERS, Kind.RST_STREAM]
    assert read_block(found[0].payload)[b"grpc-status"] == b"8"
    client.ask(3, framed(b""), path=CHECK)
    assert status(await client.answers())[b"grpc-status"] == b"0"
    assert len(block) < MOST_HEADER_BYTES


async def test_what_a_call_keeps_of_its_headers_is_short(thread: ThreadPoolExecutor) -> None:
    call = Call(peer(thread).inference.budget.share(), 0.0)
    kind = (b"content-type", b"application/grpc")
    call.read(
        [(b":method", b"POST"), (b":path", b"/" * 60_000), kind, (b"grpc-encoding", b"z" * 60_000)]
    )
    assert len(call.path) + len(call.encoding) <= 512


async def test_a_client_that_keeps_no_table_hears_it_once(thread: ThreadPoolExecutor) -> None:
    """As others' decoders demand, of the first block and of none after it."""
    client = peer(thread)
    client.greet(frames.settings([(Setting.HEADER_TABLE_SIZE, 0)]))
    decoder = hpack.Decoder()
    decoder.max_allowed_table_size = 0
    for stream, path in ((1, CHECK), (3, b"/no/such"), (5, CHECK)):
        client.ask(stream, framed(b""), path=path)
        blocks = [f.payload for f in await client.answers() if f.kind == Kind.HEADERS]
        assert [block[:1] == b"\x20" for block in blocks] == [
            stream == 1,
            *[False] * (path == CHECK),
        ]
        for block in blocks:
            decoder.decode(block)


async def test_an_answer_is_compressed_by_the_name_that_all_know(
    thread: ThreadPoolExecutor,
) -> None:
    client = peer(thread)
    client.greet()
    body = message(*[1.0] * 4000)[5:]
    client.ask(1, framed(gzip.compress(body), flag=1), (b"grpc-encoding", b"x-gzip"))
    head, *data, trailers = await client.answers()
    assert read_block(trailers.payload)[b"grpc-status"] == b"0"
    assert read_block(head.payload)[b"grpc-encoding"] == b"gzip"
    whole = b"".join(frame.payload for frame in data)
    assert whole[0] == 1
    assert len(gzip.decompress(whole[5:])) > 32_000


async def test_who_comes_after_the_others_were_told_is_told_as_well(
    thread: ThreadPoolExecutor,
) -> None:
    client = peer(thread)
    client.front.retire()
    client.greet()
    [soft] = client.ask(1, framed(b""), path=CHECK)
    assert (soft.kind, int.from_bytes(soft.payload[:4])) == (Kind.GOAWAY, frames.MAX_WINDOW)
    assert status(await client.answers())[b"grpc-status"] == b"0"
    assert client.ask(3, framed(b""), path=CHECK) == []


async def test_padding_counts_for_the_window(thread: ThreadPoolExecutor) -> None:
    client = peer(thread)
    client.greet()
    client.send(frames.header_frame(1, headers(INFER)))
    padding = frames.frame(Kind.DATA, frames.PADDED, 1, b"\xff" + bytes(255))
    body = framed(bytes(100_000))
    rest = (
        frames.frame(Kind.DATA, 0, 1, body[place : place + 16_000])
        for place in range(0, 64_000, 16_000)
    )
    found = client.send(padding * 1900, *rest)
    [given] = [int.from_bytes(f.payload) for f in found if f.stream]
    assert given >= 1900 * 256


async def test_a_fault_while_an_answer_is_written_ends_its_stream(
    thread: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    client = telling(thread, 1)
    broken: Any = None
    client.front.terms.answerer.reply = lambda: good(b"x", broken)  # type: ignore[attr-defined]
    client.greet()
    with caplog.at_level(logging.CRITICAL):
        client.ask(1, framed(b""))
        await until(lambda: client.wire.written)
        await asyncio.sleep(0)
    [end] = client.wire.take()
    assert (end.kind, int.from_bytes(end.payload)) == (Kind.RST_STREAM, Code.INTERNAL_ERROR)
    client.connection.finish()
    assert client.wire.closing  # nothing is left of it
