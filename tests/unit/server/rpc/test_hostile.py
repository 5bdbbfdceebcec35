"""Who breaks the rules of HTTP/2 or of gRPC, or asks for too much: told in words, and cut off."""

import gzip
from concurrent.futures import ThreadPoolExecutor

import hpack
import pytest
from tests.unit.server.rpc.wire import Peer, framed, headers, message, peer, read_block, status

from tidemill_server.metrics.registry import Outcome
from tidemill_server.rpc import connection, frames
from tidemill_server.rpc.frames import Code, Kind, Setting
from tidemill_server.settings import Limits


def refusal(client: Peer, *sent: bytes) -> tuple[Code, str]:
    """The connection must end with GOAWAY; why."""
    client.greet()
    last = client.send(*sent)[-1]
    assert last.kind == Kind.GOAWAY
    assert client.wire.closing
    assert client.inference.held_bytes == 0
    return Code(int.from_bytes(last.payload[4:8])), last.payload[8:].decode()


PING = frames.frame(Kind.PING, 0, 0, bytes(8))
BOMB = hpack.Encoder().encode([(b"x", b"y" * 4000)]) + b"\xbe" * 100
WRONG = {
    "a frame too large": ((1 << 15).to_bytes(3) + bytes(6), Code.FRAME_SIZE_ERROR),
    "data on no stream": (frames.frame(Kind.DATA, 0, 0, b"x"), Code.PROTOCOL_ERROR),
    "data on a stream not opened": (frames.frame(Kind.DATA, 0, 7, b"x"), Code.PROTOCOL_ERROR),
    "headers on an even stream": (frames.header_frame(2, headers()), Code.PROTOCOL_ERROR),
    "a continuation of nothing": (frames.frame(Kind.CONTINUATION, 4, 1), Code.PROTOCOL_ERROR),
    "headers interrupted": (
        frames.frame(Kind.HEADERS, 0, 1, headers()) + PING,
        Code.PROTOCOL_ERROR,
    ),
    "a push": (frames.frame(Kind.PUSH_PROMISE, 4, 1, bytes(4)), Code.PROTOCOL_ERROR),
    "a short ping": (frames.frame(Kind.PING, 0, 0, b"x"), Code.FRAME_SIZE_ERROR),
    "odd settings": (frames.frame(Kind.SETTINGS, 0, 0, b"x"), Code.FRAME_SIZE_ERROR),
    "padding beyond the frame": (
        frames.frame(Kind.HEADERS, 12, 1, bytes((9,)) + b"x"),
        Code.PROTOCOL_ERROR,
    ),
    "headers that are none": (frames.header_frame(1, b"\xff\xff\xff"), Code.COMPRESSION_ERROR),
    "a window without end": (frames.window_update(0, frames.MAX_WINDOW), Code.FLOW_CONTROL_ERROR),
    "a window of nothing more": (frames.window_update(0, 0), Code.FLOW_CONTROL_ERROR),
    "a first window too large": (
        frames.settings([(Setting.INITIAL_WINDOW_SIZE, 1 << 31)]),
        Code.FLOW_CONTROL_ERROR,
    ),
    "headers that grow when they are read": (frames.header_frame(1, BOMB), Code.ENHANCE_YOUR_CALM),
    "headers without end": (
        frames.frame(Kind.HEADERS, 0, 1) + frames.frame(Kind.CONTINUATION, 0, 1, bytes(16384)) * 17,
        Code.ENHANCE_YOUR_CALM,
    ),
    "continuations of nothing": (
        frames.frame(Kind.HEADERS, 0, 1) + frames.frame(Kind.CONTINUATION, 0, 1) * 3000,
        Code.ENHANCE_YOUR_CALM,
    ),
    "pings without end": (PING * 3000, Code.ENHANCE_YOUR_CALM),
    "settings without end": (frames.settings([]) * 3000, Code.ENHANCE_YOUR_CALM),
    "empty data without end": (
        frames.header_frame(1, headers()) + frames.frame(Kind.DATA, 0, 1) * 3000,
        Code.ENHANCE_YOUR_CALM,
    ),
}


@pytest.mark.parametrize("name", WRONG)
async def test_who_breaks_the_rules_is_told_and_cut(thread: ThreadPoolExecutor, name: str) -> None:
    sent, code = WRONG[name]
    found, words = refusal(peer(thread), sent)
    assert (found, bool(words)) == (code, True)


async def test_who_speaks_something_else_is_told(thread: ThreadPoolExecutor) -> None:
    client = peer(thread)
    last = client.send(b"GET / HTTP/1.1\r\n\r\n")[-1]
    assert last.kind == Kind.GOAWAY
    assert b"speaks gRPC" in last.payload
    assert client.wire.closing


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ([(b"content-type", b"text/html")], b"415"),
        ([(b"content-type", b"application/grpc-web")], b"415"),
        ([(b":method", b"GET")], b"405"),
        ([(b"x", b"y")] * 300, b"431"),
    ],
    ids=["a page", "gRPC for browsers", "another method", "too many headers"],
)
async def test_what_is_not_grpc_is_answered_in_http(
    thread: ThreadPoolExecutor, changed: list[tuple[bytes, bytes]], wanted: bytes
) -> None:
    client = peer(thread)
    client.greet()
    [answer] = client.send(frames.header_frame(1, headers(b"/", *changed), last=True))
    assert read_block(answer.payload) == {b":status": wanted}


async def test_streams_at_a_time_are_bounded(thread: ThreadPoolExecutor) -> None:
    client = peer(thread)
    client.greet()
    block = headers()
    for place in range(connection.MAX_STREAMS):
        assert client.send(frames.header_frame(2 * place + 1, block)) == []
    number = 2 * connection.MAX_STREAMS + 1
    [refused] = client.send(frames.header_frame(number, block))
    assert refused.kind == Kind.RST_STREAM
    assert int.from_bytes(refused.payload) == Code.REFUSED_STREAM
    client.send(frames.reset(1, Code.CANCEL))
    assert client.send(frames.header_frame(number + 2, block)) == []


MESSAGES = {
    "no message": (b"", b"3", "ends before"),
    "half a message": (message(1)[:-1], b"3", "ends before"),
    "two messages": (message(1) * 2, b"3", "one message"),
    "a flag that is none": (b"\2" + message(1)[1:], b"3", "first byte"),
    "compressed, and nobody says how": (b"\1" + message(1)[1:], b"3", "grpc-encoding"),
    "too large by its own words": (b"\0\xff\xff\xff\xff", b"8", "20000 bytes"),
    "too large": (framed(bytes(20_001)), b"8", "20000 bytes"),
}


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_wrong_message_is_refused_in_words(thread: ThreadPoolExecutor, name: str) -> None:
    data, code, words = MESSAGES[name]
    client = peer(thread, Limits(body_bytes=20_000, bodies_bytes=30_000))
    client.greet()
    client.send(frames.header_frame(1, headers()))
    for place in range(0, len(data), 16_384):
        client.connection.data_received(frames.frame(Kind.DATA, 0, 1, data[place : place + 16_384]))
    client.connection.data_received(frames.frame(Kind.DATA, frames.END_STREAM, 1))
    answer = status(await client.answers())
    assert answer[b"grpc-status"] == code
    assert words in answer[b"grpc-message"].decode()
    assert client.inference.held_bytes == 0


@pytest.mark.parametrize(
    ("encoding", "data", "code", "words"),
    [
        (b"gzip", gzip.compress(bytes(1 << 20)), b"8", "20000 bytes when"),
        (b"gzip", b"nonsense", b"3", "cannot be read"),
        (b"zstd", b"x", b"12", "zstd"),
    ],
    ids=["a bomb", "nonsense", "an encoding that is not known"],
)
async def test_compressed_messages_are_bounded(
    thread: ThreadPoolExecutor, encoding: bytes, data: bytes, code: bytes, words: str
) -> None:
    client = peer(thread, Limits(body_bytes=20_000))
    client.greet()
    client.ask(1, framed(data, flag=1), (b"grpc-encoding", encoding))
    answer = status(await client.answers())
    assert answer[b"grpc-status"] == code
    assert words in answer[b"grpc-message"].decode()


async def test_all_messages_together_are_bounded(thread: ThreadPoolExecutor) -> None:
    client = peer(thread, Limits(body_bytes=1000, bodies_bytes=1500))
    client.greet()
    part = framed(bytes(990))[:900]
    for stream in (1, 3):
        client.send(frames.header_frame(stream, headers()))
        client.connection.data_received(frames.frame(Kind.DATA, 0, stream, part))
    answer = status(client.wire.take())
    assert answer[b"grpc-status"] == b"8"
    assert answer[b"grpc-retry-pushback-ms"] == b"1000"
    assert client.inference.held_bytes == 900
    assert client.ended(Outcome.OVERLOADED) == 1
