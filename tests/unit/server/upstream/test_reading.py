"""One answer of a container, read from its bytes: what is taken, what is refused, what is left."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill_server.upstream.reading import MAX_INTERIM, Broken, Reading, Reply

MOST = 1000
OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = OK + b"content-length: 2\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HINT = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
# Bytes, status, body, and whether the connection is of use afterwards.
WHOLE: dict[str, tuple[bytes, int, bytes, bool]] = {
    "with a length": (LENGTH + b"ab", 200, b"ab", True),
    "in chunks": (CHUNKED + b"1\r\na\r\n1;x=y\r\nb\r\n0\r\n\r\n", 200, b"ab", True),
    "with trailers": (CHUNKED + b"2\r\nab\r\n0\r\nsum: 9\r\n\r\n", 200, b"ab", True),
    "without a body": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "not modified": (b"HTTP/1.1 304 Same\r\ncontent-length: 5\r\n\r\n", 304, b"", True),
    "empty": (OK + b"content-length: 0\r\n\r\n", 200, b"", True),
    "a fault of its own": (b"HTTP/1.1 500 \r\ncontent-length: 1\r\n\r\nx", 500, b"x", True),
    "a status that nobody knows": (b"HTTP/1.1 799 \r\ncontent-length: 0\r\n\r\n", 799, b"", True),
    "after others": (HINT * MAX_INTERIM + LENGTH + b"ab", 200, b"ab", True),
    "the last": (OK + b"connection: close\r\ncontent-length: 1\r\n\r\na", 200, b"a", False),
    "of HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na", 200, b"a", False),
    "with more than was asked": (LENGTH + b"abHTTP/1.1 200 OK\r\n", 200, b"ab", False),
    "with another behind": (
        LENGTH + b"abHTTP/1.1 500 \r\nx: y\r\ncontent-length: 1\r\n\r\nz",
        200,
        b"ab",
        False,
    ),
    "with garbage behind": (LENGTH + b"ab\0\0", 200, b"ab", False),
    "the last, and more": (
        OK + b"connection: close\r\ncontent-length: 1\r\n\r\naXX",
        200,
        b"a",
        False,
    ),
    "as large as may be": (
        OK + b"content-length: 1000\r\n\r\n" + b"x" * MOST,
        200,
        b"x" * MOST,
        True,
    ),
    "until the end": (OK + b"\r\nab", 200, b"ab", False),
}


def read(data: bytes, step: int, **terms: bool) -> Reading:
    """All of it, in pieces, until the answer has ended; then the connection ends."""
    reading = Reading(MOST, **terms)
    brought = 0
    for place in range(0, len(data), step):
        brought += reading.feed(data[place : place + step])
    if not reading.ended:
        reading.end()
    assert brought >= len(reading.reply.body)
    return reading


@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize("case", WHOLE)
def test_an_answer_that_is_whole(case: str, step: int) -> None:
    data, status, body, kept = WHOLE[case]
    reading = read(data, step)
    assert (reading.reply.status, reading.reply.body, reading.kept) == (status, body, kept)


def test_only_the_headers_of_the_last_answer_count() -> None:
    reading = read(HINT + OK + b"X-A: 1\r\ncontent-length: 0\r\n\r\n", 1)
    assert reading.reply == Reply(200, [(b"x-a", b"1"), (b"content-length", b"0")], b"")


@pytest.mark.parametrize("step", [1, 100_000])
def test_the_answer_to_head_has_a_length_and_no_body(step: int) -> None:
    reading = read(OK + b"content-length: 99999\r\n\r\n", step, wants_body=False)
    assert (reading.ended, reading.kept, reading.reply.body) == (True, True, b"")
    assert reading.reply.headers == [(b"content-length", b"99999")]
    reading = read(LENGTH + b"ab", step, wants_body=False)
    assert (reading.kept, reading.reply.body) == (False, b""), "a body that nobody asked for"


HEADERS = "more than 65536 bytes of headers"
LARGE = "more than 1000 bytes"
BROKEN: dict[str, tuple[bytes, str]] = {
    "no HTTP": (b"hello\r\n", "did not answer in HTTP"),
    "HTTP of another kind": (b"HTTP/2 200\r\n\r\n", "did not answer in HTTP"),
    "a request": (b"GET / HTTP/1.1\r\n\r\n", "did not answer in HTTP"),
    "two lengths": (OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\n", "in HTTP"),
    "length and chunks": (
        OK + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "in HTTP",
    ),
    "a header of two lines": (OK + b"x: a\r\n b\r\ncontent-length: 0\r\n\r\n", "in HTTP"),
    "a length that is none": (OK + b"content-length: x\r\n\r\n", "in HTTP"),
    "a chunk that is none": (CHUNKED + b"zz\r\n", "in HTTP"),
    "another protocol": (b"HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", "101"),
    "another, unsaid": (b"HTTP/1.1 101 Go\r\n\r\n", "101"),
    "a status below all": (b"HTTP/1.1 099 \r\n\r\n", "99"),
    "no end of the others": (HINT * (MAX_INTERIM + 1), "103"),
    "a coding": (OK + b"transfer-encoding: gzip\r\n\r\nx", "transfer encoding"),
    "codings": (OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "transfer encoding"),
    "codings apart": (
        OK + b"transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer encoding",
    ),
    "too large": (OK + b"content-length: 1001\r\n\r\n", LARGE),
    "too large in chunks": (CHUNKED + b"200\r\n" + b"x" * 512 + b"\r\n200\r\n" + b"x" * 512, LARGE),
    "too large until the end": (OK + b"\r\n" + b"x" * 1001, LARGE),
    "one endless header": (OK + b"x: " + b"y" * 200_000, HEADERS),
    "endless headers": (OK + b"x: y\r\n" * 33_000, HEADERS),
    "endless headers of others": (b"HTTP/1.1 103 \r\n" + b"x: y\r\n" * 33_000, HEADERS),
    "an endless trailer": (CHUNKED + b"0\r\nx: " + b"y" * 200_000, HEADERS),
    "endless trailers": (CHUNKED + b"0\r\n" + b"x: y\r\n" * 33_000, HEADERS),
    "an endless chunk's line": (CHUNKED + b"1;" + b"x" * 200_000, HEADERS),
    "cut off in the head": (OK + b"content-le", "closed the connection in the middle"),
    "cut off in the body": (LENGTH + b"a", "closed the connection in the middle"),
    "cut off in a chunk": (CHUNKED + b"5\r\nab", "closed the connection in the middle"),
    "cut off before the last chunk": (CHUNKED + b"2\r\nab\r\n", "closed the connection in the"),
    "nothing but hints": (HINT, "closed the connection in the middle"),
}


@pytest.mark.parametrize("step", [1, 4096, 60_000])
@pytest.mark.parametrize("case", BROKEN)
def test_an_answer_that_is_of_no_use(case: str, step: int) -> None:
    data, why = BROKEN[case]
    with pytest.raises(Broken, match=why):
        read(data, step)


EVERY = st.sampled_from([*(one[0] for one in WHOLE.values()), *(one[0] for one in BROKEN.values())])


@given(EVERY, st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=3)), max_size=4))
def test_whatever_comes_is_an_answer_or_of_no_use(
    data: bytes, bends: list[tuple[int, bytes]]
) -> None:
    bent = data[:2000]
    for place, piece in bends:
        bent = bent[:place] + piece + bent[place + 1 :]
    results = []
    for step in (3, 100_000):
        try:
            results.append(read(bent, step).reply)
        except Broken:
            results.append(None)
    assert results[0] == results[1], "the pieces that it comes in change nothing"


def test_an_answer_in_the_smallest_chunks_takes_no_more_than_its_bytes() -> None:
    count = 200_000
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    data = head + b"1\r\nx\r\n" * count + b"0\r\n\r\n"
    reading = Reading(count)
    tracemalloc.start()
    for at in range(0, len(data), 65_536):
        reading.feed(data[at : at + 65_536])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reading.reply.body == b"x" * count
    assert peak < 8 * count
