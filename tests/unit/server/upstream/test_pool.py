"""What is asked of a container, over real connections: over which, how often, and how it ends."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from tests.unit.server.upstream.stub import Heard, Last, Stub, ok

from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.upstream import pool as pools
from tidemill_server.upstream.pool import Pool
from tidemill_server.upstream.question import Question
from tidemill_server.upstream.told import Upstream

MOST = 1000
POST = Question("POST", b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n", b"ab")
ONCE = Question(POST.method, POST.head, POST.body, repeatable=False)
HEAD = Question("HEAD", b"HEAD /a HTTP/1.1\r\nhost: x\r\n\r\n")


def pool_of(stub: Stub) -> Pool:
    return Pool(Upstream("127.0.0.1", stub.port))


async def fault(pool: Pool, question: Question = POST) -> tuple[int, str]:
    with pytest.raises(ProtocolError) as raised:
        await asyncio.wait_for(pool.ask(question, MOST), 30)
    return raised.value.status, raised.value.message


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)


async def test_a_connection_is_used_again() -> None:
    with Stub(lambda heard: ok(heard.body)) as stub:
        pool = pool_of(stub)
        for _ in range(5):
            assert (await pool.ask(POST, MOST)).body == b"ab"
        assert (await pool.ask(HEAD, MOST)).body == b""
        assert (stub.connections, pool.idle) == (1, 1)


async def test_as_many_connections_as_there_are_questions_at_a_time() -> None:
    together = threading.Barrier(4, timeout=30)

    def say(_: Heard) -> bytes:
        together.wait()
        return ok()

    with Stub(say) as stub:
        pool = pool_of(stub)
        for _ in range(3):
            await asyncio.gather(*(pool.ask(POST, MOST) for _ in range(4)))
        assert stub.connections == 4


NOT_KEPT = {
    "it says so": ok(b"ab", "connection: close"),
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab",
    "more than was asked": ok(b"ab") + b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "until its end": Last(b"HTTP/1.1 200 OK\r\n\r\nab"),
}


@pytest.mark.parametrize("said", NOT_KEPT.values(), ids=NOT_KEPT)
async def test_a_connection_that_is_of_no_use_any_more(said: bytes | Last) -> None:
    with Stub(lambda _: said) as stub:
        pool = pool_of(stub)
        for _ in range(2):
            assert (await pool.ask(POST, MOST)).body == b"ab"
        assert (stub.connections, pool.idle) == (2, 0)


async def test_what_is_said_unasked_is_no_answer_to_the_next() -> None:
    late = threading.Event()

    def say(heard: Heard) -> bytes:
        if heard.connection == 1:
            threading.Thread(target=_later, args=(heard, late)).start()
        return ok(b"the right one")

    with Stub(say) as stub:
        pool = pool_of(stub)
        await pool.ask(POST, MOST)
        late.set()
        await until(lambda: not pool._idle[0].usable)
        assert (await pool.ask(POST, MOST)).body == b"the right one"
        assert stub.connections == 2


def _later(heard: Heard, when: threading.Event) -> None:
    when.wait(30)
    heard.wire.sendall(ok(b"nobody asked"))


def dies_when_used_again(heard: Heard) -> bytes | Last:
    """Keeps the connection, and closes it when it is asked over it."""
    asked = sum(one.connection == heard.connection for one in DIES.heard)
    return ok(str(heard.connection).encode()) if asked == 1 else Last()


DIES: Stub


@pytest.fixture
def dies() -> Stub:
    global DIES  # noqa: PLW0603 - what it says depends on what it has heard
    DIES = Stub(dies_when_used_again)
    return DIES


async def test_what_was_not_answered_on_a_used_connection_is_asked_once_more(dies: Stub) -> None:
    with dies:
        pool = pool_of(dies)
        said = [(await pool.ask(POST, MOST)).body for _ in range(3)]
        assert said == [b"1", b"2", b"3"]
        assert [one.connection for one in dies.heard] == [1, 1, 2, 2, 3]


async def test_what_may_do_harm_twice_is_not(dies: Stub) -> None:
    with dies:
        pool = pool_of(dies)
        await pool.ask(ONCE, MOST)
        status, message = await fault(pool, ONCE)
        assert (status, "without an answer" in message) == (502, True)
        assert len(dies.heard) == 2


async def test_a_new_connection_is_not_tried_twice() -> None:
    with Stub(lambda _: Last()) as stub:
        status, message = await fault(pool_of(stub))
        assert (status, message) == (
            502,
            "the model's container closed the connection without an answer",
        )
        assert len(stub.heard) == 1


async def test_an_answer_that_had_begun_is_not_asked_for_again() -> None:
    said: list[bytes | Last] = [ok(), Last(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na")]
    with Stub(lambda _: said.pop(0)) as stub:
        pool = pool_of(stub)
        await pool.ask(POST, MOST)
        status, message = await fault(pool)
        assert (status, "in the middle of its answer" in message) == (502, True)
        assert len(stub.heard) == 2


async def test_connections_that_were_closed_meanwhile_are_passed_over() -> None:
    with Stub() as stub:
        pool = pool_of(stub)
        await pool.ask(ONCE, MOST)
        stub.hang_up()
        await until(lambda: not pool._idle[0].usable)
        await pool.ask(ONCE, MOST)
        assert [one.connection for one in stub.heard] == [1, 2]


async def test_connections_that_nobody_uses_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "IDLE_SECONDS", 0.05)
    with Stub() as stub:
        pool = pool_of(stub)
        await pool.ask(POST, MOST)
        assert pool.idle == 1
        await until(lambda: pool.idle == 0)
        await pool.ask(POST, MOST)
        assert stub.connections == 2


@pytest.mark.parametrize(
    ("said", "tells"),
    [
        (b"hello\r\n\r\n", "the model's container did not answer in HTTP"),
        (ok(b"x" * 1001), "answered with more than 1000 bytes"),
        (ok(b"", "x: " + "y" * 70_000), "bytes of headers"),
    ],
)
async def test_what_is_of_no_use_ends_the_connection(said: bytes, tells: str) -> None:
    with Stub(lambda _: said) as stub:
        pool = pool_of(stub)
        status, message = await fault(pool)
        assert (status, pool.idle) == (502, 0)
        assert tells in message


async def test_nobody_listens() -> None:
    with pytest.raises(ProtocolError) as raised:
        await Pool(Upstream("127.0.0.1", 1)).ask(POST, MOST)
    assert (raised.value.status, raised.value.retry_after) == (503, 1)
    assert raised.value.message == "the model's container takes no connection on port 1"


async def test_who_does_not_wait_any_more_is_known_to_the_container() -> None:
    heard_by, left = threading.Event(), threading.Event()

    def say(heard: Heard) -> bytes:
        heard_by.set()
        if heard.until_left():
            left.set()
        return ok()

    with Stub(say) as stub:
        pool = pool_of(stub)
        asking = asyncio.create_task(pool.ask(POST, MOST))
        assert await asyncio.to_thread(heard_by.wait, 30)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await asyncio.to_thread(left.wait, 30)
        assert pool.idle == 0


async def test_who_may_not_take_the_answer_ends_it() -> None:
    def full(_: int) -> None:
        raise ProtocolError(429, "full", retry_after=1)

    with Stub(lambda _: ok(b"x" * 900)) as stub:
        pool = pool_of(stub)
        with pytest.raises(ProtocolError, match="no room for the answer") as caught:
            await pool.ask(POST, MOST, full)
        # What was asked is done: nobody is told to ask again.
        assert (caught.value.status, caught.value.retry_after) == (503, None)
        assert pool.idle == 0
        taken: list[int] = []
        await pool.ask(POST, MOST, taken.append)
        assert sum(taken) == 900


async def test_a_large_question_that_is_answered_before_it_is_heard() -> None:
    large = 8_000_000
    question = Question(
        "POST",
        f"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: {large}\r\n\r\n".encode(),
        bytes(large),
    )
    server = await asyncio.start_server(_says_at_once, "127.0.0.1", 0)
    async with server:
        pool = Pool(Upstream("127.0.0.1", server.sockets[0].getsockname()[1]))
        reply = await asyncio.wait_for(pool.ask(question, MOST), 30)
    assert (reply.status, pool.idle) == (413, 0)


async def _says_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ok(b"no", status="413 Too Large"))
    await writer.drain()
    await asyncio.sleep(30)


async def test_a_large_question_arrives() -> None:
    large = bytes(range(256)) * 4096
    head = f"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: {len(large)}\r\n\r\n".encode()
    with Stub(lambda heard: ok(str(heard.body == large).encode())) as stub:
        began = time.monotonic()
        assert (await pool_of(stub).ask(Question("POST", head, large), MOST)).body == b"True"
        assert time.monotonic() - began < 10
