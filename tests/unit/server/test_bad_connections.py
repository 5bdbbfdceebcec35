"""What breaks servers before they read a body: headers without end, two lengths, lies about them.

Each is refused in the protocol's words and cut; the process stays as small as it was.
"""

import json
import socket
from collections.abc import Iterator

import pytest
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.raw import exchange, head, peak_mib, refusal
from tests.unit.server.servers import Server, serve
from tests.unit.server.test_open_inference_protocol import request

FLAT_MIB = 24
SMUGGLED = b"GET /v2/models/smuggled HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of little patience."""
    bounds = {"TIDEMILL_BODY_SECONDS": "1", "TIDEMILL_MAX_BODY_BYTES": "1000000"}
    with Bucket() as bucket:
        digest = packages.publish(bucket, packages.logistic().files())
        with serve(bucket, digest, tmp_path_factory.mktemp("abused"), **bounds) as running:
            yield running.ready()


@pytest.fixture(autouse=True)
def goes_on(server: Server) -> Iterator[None]:
    """After each test the server answers, and has grown by next to nothing."""
    before = peak_mib(server)
    yield
    # On a busy machine a second may pass before a small body has been read.
    server.until(lambda s: s.infer(request()).status == 200)
    assert peak_mib(server) - before < FLAT_MIB


def test_a_hundred_thousand_headers_are_431(server: Server) -> None:
    lines = [f"x-{number}: {number}" for number in range(100_000)]
    assert refusal(exchange(server, head(*lines))).status == 431


def test_a_few_too_many_headers_in_one_piece_are_431(server: Server) -> None:
    lines = [f"x-{number}: y" for number in range(300)]
    assert "200 headers" in refusal(exchange(server, head(*lines))).error


def test_one_header_without_end_is_431(server: Server) -> None:
    begin = head()[:-2] + b"x-long: "
    assert refusal(exchange(server, begin, *[b"y" * 65536] * 100)).status == 431


def test_an_address_without_end_is_431(server: Server) -> None:
    assert refusal(exchange(server, b"GET /", *[b"y" * 65536] * 100)).status == 431


def test_trailers_without_end_are_cut(server: Server) -> None:
    begin = head("transfer-encoding: chunked") + b"2\r\n{}\r\n0\r\n"
    received = exchange(server, begin, *[b"x-trailer: y\r\n" * 5000] * 100)
    assert b" 200 " not in received
    assert received.count(b"HTTP/1.1 ") <= 1


def test_headers_that_never_end_are_408(server: Server) -> None:
    assert refusal(exchange(server, b"POST /v2 HTTP/1.1\r\nhost: x\r\n")).status == 408


def test_headers_that_never_end_on_a_kept_connection_are_408(server: Server) -> None:
    first = head(method="GET", path="/v2/health/live")
    received = exchange(server, first, b"GET /v2 HT")
    assert received.count(b"HTTP/1.1 200") == 1
    assert b"HTTP/1.1 408" in received


@pytest.mark.parametrize("length", ["-1", "+5", "0x10", "5, 6", "1e3", "", "9" * 30, "5 5"])
def test_a_length_that_is_no_number_is_refused(server: Server, length: str) -> None:
    received = exchange(server, head(f"content-length: {length}"), b"{}" + SMUGGLED)
    assert refusal(received).status in (400, 413)


def test_a_length_longer_than_the_body_is_408(server: Server) -> None:
    assert refusal(exchange(server, head("content-length: 100"), b"{}")).status == 408


def test_a_length_shorter_than_the_body_is_no_second_answer_of_the_model(server: Server) -> None:
    received = exchange(server, head("content-length: 2"), b"{}garbage\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 400")
    assert b" 200 " not in received


@pytest.mark.parametrize(
    "lines",
    [
        ("content-length: 2", "content-length: 80"),
        ("content-length: 80", "transfer-encoding: chunked"),
        ("transfer-encoding: chunked", "content-length: 80"),
        ("transfer-encoding: chunked, identity",),
        ("transfer-encoding: identity, chunked, x",),
        ("transfer-encoding: xchunked",),
        ("transfer-encoding : chunked",),
        ("content-length : 2",),
        ("x: y\rtransfer-encoding: chunked",),
        ("x: y\n transfer-encoding: chunked",),
        ("x: y\0z",),
        ("content-length: 2\0",),
    ],
)
def test_a_request_that_can_be_read_in_two_ways_is_400_and_the_end(
    server: Server, lines: tuple[str, ...]
) -> None:
    received = exchange(server, head(*lines), b"0\r\n\r\n" + SMUGGLED)
    found = refusal(received)
    assert found.status == 400
    assert "smuggled" not in found.error


@pytest.mark.parametrize("chunk", ["zz\r\n{}\r\n", "-2\r\n{}\r\n", "2\r\n{}", "f" * 20 + "\r\n{}"])
def test_a_chunk_of_a_wrong_size_is_refused(server: Server, chunk: str) -> None:
    received = exchange(server, head("transfer-encoding: chunked"), chunk.encode(), SMUGGLED)
    assert received.startswith((b"HTTP/1.1 400", b"HTTP/1.1 408"))
    assert b"smuggled" not in received


def test_chunks_without_end_are_413(server: Server) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    received = exchange(server, head("transfer-encoding: chunked"), *[chunk] * 200)
    assert refusal(received).status == 413


def test_chunks_that_trickle_are_408(server: Server) -> None:
    assert (
        refusal(exchange(server, head("transfer-encoding: chunked"), b"1\r\n{\r\n")).status == 408
    )


@pytest.mark.parametrize(
    "begin",
    [
        b"\0\1\2\3\r\n\r\n",
        b"HELLO\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\0\r\n\r\n",
    ],
)
def test_what_is_not_http_is_400(server: Server, begin: bytes) -> None:
    assert refusal(exchange(server, begin)).status == 400


def test_http2_without_asking_is_400(server: Server) -> None:
    assert refusal(exchange(server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")).status in (400, 404)


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
@pytest.mark.parametrize("cut", [0, 10, 1000])
def test_an_offer_of_another_protocol_is_declined_and_the_request_answered(
    server: Server, upgrade: str, cut: int
) -> None:
    body = json.dumps(request()).encode()
    offer = ("connection: upgrade, http2-settings", f"upgrade: {upgrade}", "http2-settings: AA")
    first = head(*offer, f"content-length: {len(body)}") + body
    last = head("connection: close, upgrade", f"upgrade: {upgrade}", f"content-length: {len(body)}")
    received = exchange(server, first[:cut], first[cut:] + last, body)
    assert received.count(b"HTTP/1.1 200") == 2, received


def test_an_offer_is_no_way_to_smuggle(server: Server) -> None:
    lines = ("connection: upgrade", "upgrade: h2c", "content-length: 2", "transfer-encoding: x")
    assert refusal(exchange(server, head(*lines), b"{}" + SMUGGLED)).status == 400


def test_connect_is_405(server: Server) -> None:
    assert refusal(exchange(server, b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n")).status == 405


def test_a_client_that_leaves_in_the_middle_is_counted_and_forgotten(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head("content-length: 100") + b"{")
    server.until(lambda s: s.get("/v1/stats").json["requests"]["gone"] >= 1)
    server.until(lambda s: s.get("/v1/stats").json["in_flight"] == 0)


def test_many_requests_in_one_piece_are_answered_in_order(server: Server) -> None:
    one = head("content-length: 2") + b"{}"
    last = head("content-length: 2", "connection: close") + b"{}"
    received = exchange(server, one * 20 + last)
    assert received.count(b"HTTP/1.1 400") == 21


def test_no_path_is_a_way_to_a_file(server: Server) -> None:
    for path in (
        "/../../etc/passwd",
        "/%2e%2e/page.js",
        "/page.js/",
        "/page.css%00",
        "/about/page.py",
    ):
        received = exchange(server, head("connection: close", method="GET", path=path))
        assert refusal(received).status == 404
