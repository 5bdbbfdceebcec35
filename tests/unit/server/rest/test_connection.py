"""A connection of REST's, over a transport that is none: order, ends, bodies, times."""

import asyncio

import pytest
from tests.unit.server.raw import head
from tests.unit.server.rest.wire import answers, line

GET = head(method="GET", path="/one")

pytestmark = pytest.mark.looptime


async def test_an_answer_is_whole() -> None:
    found = line()
    found.say(GET)
    await answers(found, 1)
    begin, _, body = found.wire.sent.partition(b"\r\n\r\n")
    first, *lines = begin.split(b"\r\n")
    headers = dict(one.split(b": ", 1) for one in lines)
    assert first == b"HTTP/1.1 200 OK"
    assert headers.pop(b"date").endswith(b" GMT")
    assert headers == {
        b"x-every": b"1",
        b"content-type": b"application/json",
        b"content-length": b"5",
    }
    assert body == b"/one="


async def test_to_head_the_body_is_not_sent_but_its_length() -> None:
    found = line()
    found.say(head(method="HEAD", path="/one"))
    await answers(found, 1)
    assert b"content-length: 5\r\n" in found.wire.sent
    assert found.wire.sent.endswith(b"\r\n\r\n")


async def test_requests_in_one_piece_are_answered_one_by_one() -> None:
    found = line()
    found.answerer.go.clear()
    found.say(b"".join(head(method="GET", path=f"/{number}") for number in range(5)))
    await asyncio.sleep(0)
    assert len(found.answerer.asked) == 1
    assert found.wire.paused, "no more is read than is being answered"
    found.answerer.go.set()
    await answers(found, 5)
    assert [request.path for request in found.answerer.asked] == [f"/{n}" for n in range(5)]
    assert not found.wire.paused


async def test_a_body_in_pieces_is_read_as_it_comes() -> None:
    found = line()
    whole = head("content-length: 6", path="/one") + b"abcdef"
    for place in range(0, len(whole), 7):
        found.say(whole[place : place + 7])
        await asyncio.sleep(0)
    await answers(found, 1)
    assert found.wire.sent.endswith(b"/one=abcdef")


async def test_no_more_of_a_body_is_taken_than_is_read() -> None:
    found = line(reads=False)
    found.answerer.go.clear()
    found.say(head("content-length: 200000", path="/one"))
    for _ in range(2):
        found.say(b"x" * 50_000)
    assert found.wire.paused


async def test_who_asks_to_go_on_is_told_so_when_the_body_is_wanted() -> None:
    found = line()
    found.say(head("content-length: 2", "expect: 100-continue", path="/one"))
    await answers(found, 1)
    assert found.wire.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
    found.say(b"ab")
    await answers(found, 2)
    assert found.wire.statuses() == [100, 200]


async def test_who_is_answered_before_it_is_told_to_go_on_is_asked_to_go() -> None:
    found = line(reads=False)
    found.say(head("content-length: 2", "expect: 100-continue", path="/one"))
    await answers(found, 1)
    assert found.wire.statuses() == [200]
    assert b"connection: close\r\n" in found.wire.sent
    assert found.wire.closing


@pytest.mark.parametrize("behind", [b"\0\1\r\n\r\n", head("content-length: x"), b"G" * 70_000])
async def test_what_is_wrong_behind_a_request_is_told_after_its_answer(behind: bytes) -> None:
    found = line()
    found.answerer.go.clear()
    found.say(GET + GET)
    await asyncio.sleep(0)
    found.say(behind)
    found.say(GET)
    assert found.wire.sent == b""
    found.answerer.go.set()
    await answers(found, 3)
    assert found.wire.statuses()[:2] == [200, 200]
    assert found.wire.statuses()[2] in (400, 431)
    assert found.wire.closing


async def test_many_offers_in_one_piece_are_declined_and_too_many_refused() -> None:
    offer = head("connection: upgrade", "upgrade: h2c", method="GET", path="/one")
    found = line()
    found.say(offer * 20)
    await answers(found, 20)
    assert found.wire.statuses() == [200] * 20
    found = line()
    found.say(offer * 3000)
    await answers(found, 101)
    assert found.wire.statuses() == [200] * 100 + [400]
    assert found.wire.closing


async def test_trailers_are_no_headers() -> None:
    found = line()
    found.say(head("transfer-encoding: chunked", path="/one"))
    found.say(b"2\r\nab\r\n0\r\nx-tidemill-timeout-ms: 1\r\n\r\n")
    await answers(found, 1)
    assert found.wire.sent.endswith(b"/one=ab")
    names = [name for name, _ in found.answerer.asked[0].headers]
    assert names == [b"host", b"transfer-encoding"]


async def test_a_client_that_leaves_after_a_large_body_cancels_its_work() -> None:
    found = line()
    found.answerer.go.clear()
    found.say(head("content-length: 200000", path="/one") + b"x" * 200_000)
    await asyncio.sleep(0)
    assert not found.wire.paused, "else nobody would see it leave"


async def test_a_body_that_is_let_go_has_its_time_however_it_trickles() -> None:
    found = line(head_seconds=0.2, reads=False)
    found.say(head("transfer-encoding: chunked", path="/one"))
    await answers(found, 1)
    async with asyncio.timeout(5):
        while not found.wire.closing:
            for piece in (b"1", b"\r\nx\r\n"):
                found.say(piece)
                await asyncio.sleep(0.01)


async def test_a_broken_body_is_told_of_its_own_request() -> None:
    found = line()
    found.say(head("transfer-encoding: chunked", path="/one") + b"2\r\nab\r\n")
    await asyncio.sleep(0)
    found.say(b"zz\r\n")
    await asyncio.sleep(0)
    assert found.wire.statuses() == [400]
    assert found.answerer.cancelled == 1


async def test_a_broken_body_behind_a_request_waits_for_its_answer() -> None:
    found = line()
    found.answerer.go.clear()
    found.say(GET + head("transfer-encoding: chunked") + b"2\r\nab\r\nzz\r\n")
    found.answerer.go.set()
    await answers(found, 2)
    assert found.wire.statuses() == [200, 400]


async def test_what_comes_of_a_body_after_the_answer_is_let_go() -> None:
    found = line(reads=False)
    found.say(head("content-length: 9", path="/one") + b"abc")
    await answers(found, 1)
    found.say(b"def")
    found.say(b"ghi" + GET)
    await answers(found, 2)
    assert [request.path for request in found.answerer.asked] == ["/one", "/one"]
    assert not found.wire.closing


async def test_a_body_that_nobody_reads_does_not_go_on_for_ever() -> None:
    found = line(head_seconds=0.1, reads=False)
    found.say(head("transfer-encoding: chunked", path="/one"))
    await answers(found, 1)
    async with asyncio.timeout(30):
        while not found.wire.closing:
            found.say(b"1\r\nx\r\n")
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("version", "lines", "ends", "told"),
    [
        ("1.1", (), False, b""),
        ("1.1", ("connection: close",), True, b"connection: close"),
        ("1.0", (), True, b"connection: close"),
        ("1.0", ("connection: keep-alive",), False, b"connection: keep-alive"),
    ],
)
async def test_the_connection_is_kept_as_its_client_says(
    version: str, lines: tuple[str, ...], ends: bool, told: bytes
) -> None:
    found = line()
    found.say(head(*lines, method="GET").replace(b"HTTP/1.1", f"HTTP/{version}".encode()))
    await answers(found, 1)
    assert found.wire.closing == ends
    assert told in found.wire.sent


async def test_while_it_retires_every_client_is_asked_to_go() -> None:
    found = line()
    found.terms.retiring = True
    found.say(GET)
    await answers(found, 1)
    assert b"connection: close\r\n" in found.wire.sent
    assert found.wire.closing


async def test_the_end_waits_for_what_is_asked() -> None:
    found = line()
    found.answerer.go.clear()
    found.say(GET)
    await asyncio.sleep(0)
    found.connection.finish()
    assert not found.wire.closing
    found.answerer.go.set()
    await found.wire.until(lambda wire: wire.closing)
    assert found.wire.statuses() == [200]


async def test_the_end_of_an_idle_connection_is_at_once() -> None:
    found = line()
    found.connection.finish()
    assert found.wire.closing


async def test_a_client_that_leaves_cancels_its_work() -> None:
    found = line()
    found.answerer.go.clear()
    found.say(GET)
    await asyncio.sleep(0)
    found.connection.connection_lost(None)
    await asyncio.sleep(0)
    assert found.answerer.cancelled == 1
    assert found.connection.closed.is_set()
    assert not found.terms.connections


async def test_who_says_nothing_is_cut_without_a_word() -> None:
    found = line(silent_seconds=0.05)
    await found.wire.until(lambda wire: wire.closing)
    assert found.wire.sent == b""


async def test_who_asks_no_more_is_cut_and_who_does_is_not() -> None:
    found = line(silent_seconds=0.2)
    for count in range(1, 4):
        found.say(GET)
        await answers(found, count)
        await asyncio.sleep(0.1)
        assert not found.wire.closing
    await found.wire.until(lambda wire: wire.closing)
    assert found.wire.statuses() == [200] * 3


async def test_a_head_half_sent_behind_a_request_waits_for_its_answer() -> None:
    found = line(head_seconds=0.05)
    found.answerer.go.clear()
    found.say(GET + b"GET /tw")
    await asyncio.sleep(0.2)
    assert found.wire.sent == b""
    found.answerer.go.set()
    await answers(found, 2)
    assert found.wire.statuses() == [200, 408]
    assert found.wire.closing


async def test_who_does_not_take_answers_is_asked_no_more_and_cut() -> None:
    found = line(head_seconds=0.05)
    found.connection.pause_writing()
    found.say(GET)
    await found.wire.until(lambda wire: wire.aborted)
    assert not found.answerer.asked


async def test_who_takes_them_again_is_answered() -> None:
    found = line()
    found.connection.pause_writing()
    found.say(GET)
    found.connection.resume_writing()
    await answers(found, 1)


@pytest.mark.parametrize(
    ("address", "path"),
    [("/a/b?c=/d", "/a/b"), ("/a%20b%2Fc", "/a b/c"), ("http://x:80/a?b", "/a"), ("*", "*")],
)
async def test_the_path_is_what_was_asked_for(address: str, path: str) -> None:
    found = line()
    found.say(head(method="OPTIONS", path=address))
    await answers(found, 1)
    assert found.answerer.asked[0].path == path
