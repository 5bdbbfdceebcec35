"""What goes through the server to a container and back: paths, methods, headers, bodies."""

import re
import socket

import pytest
from tests.unit.server.raw import exchange, head, refusal
from tests.unit.server.upstream.conftest import DIGEST, Pair
from tests.unit.server.upstream.stub import ok

INFER = "/v2/models/peaks/infer"
STAMP = {
    "x-tidemill-model-name": "power",
    "x-tidemill-model-version": "ab" * 6,
    "x-tidemill-model-digest": DIGEST,
}
ID = "x-tidemill-prediction-id"
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_a_prediction_goes_there_and_back(inference: Pair) -> None:
    inference.says(lambda heard: ok(heard.body[::-1], "Content-Type: text/x-reversed"))
    reply = inference.server.request("POST", f"{INFER}?a=b", b"abc", {"X-Mine": "1"})
    assert (reply.status, reply.body) == (200, b"cba")
    assert reply.headers["content-type"] == "text/x-reversed"
    assert STAMP.items() <= reply.headers.items()
    [heard] = inference.heard
    assert (heard.method, heard.target, heard.body) == ("POST", f"{INFER}?a=b", b"abc")
    assert heard.header("x-mine") == ["1"]
    assert heard.header(ID) == [reply.headers[ID]], "the container can log what the client has"
    assert UUID7.fullmatch(reply.headers[ID])


def test_an_upload_in_chunks_arrives_with_its_length(inference: Pair) -> None:
    inference.says(lambda heard: ok(heard.body))
    chunks = b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"
    lines = ("transfer-encoding: chunked", "connection: close")
    received = exchange(inference.server, head(*lines, path=INFER) + chunks)
    assert received.endswith(b"\r\n\r\nabcdef")
    [heard] = inference.heard
    assert (heard.header("content-length"), heard.header("transfer-encoding")) == (["6"], [])


def test_every_answer_has_an_id_and_names_the_model(inference: Pair) -> None:
    inference.says(lambda _: ok(status="418 Teapot"))
    replies = [
        inference.server.request("POST", INFER, b"{}"),
        inference.server.request("POST", INFER, b"x" * 2000),
        inference.server.get("/v2/models/peaks"),
        inference.server.get("/elsewhere"),
    ]
    assert [reply.status for reply in replies] == [418, 413, 418, 404]
    assert len({reply.headers[ID] for reply in replies}) == 4
    assert all(STAMP.items() <= reply.headers.items() for reply in replies)


PASSED = ["/v2", "/v2/", "/v2/models/peaks", "/v2/models/a/versions/1/ready", "/v2/models/a%20b"]
KEPT_BACK = {
    "/": 404,
    "/v1/predict": 404,
    "/v2/repository/models/a/unload": 404,
    "/v2/models/../repository/index": 400,
    "/v2/models/%2e%2e/repository/index": 400,
    "/v2/models/a%2f..%2f..%2frepository/index": 400,
    "/v2/models/..;/repository/index": 400,
    "/v2/models/..%5crepository/index": 400,
    "/v2/health/other": 404,
    "/v2x": 404,
}


@pytest.mark.parametrize("path", PASSED)
def test_of_the_protocol_what_is_of_models_is_passed_on(inference: Pair, path: str) -> None:
    inference.says(lambda heard: ok(heard.target.encode()))
    reply = inference.server.get(path)
    assert (reply.status, reply.body) == (200, path.encode())


@pytest.mark.parametrize("path", KEPT_BACK)
def test_of_the_protocol_nothing_else_is(inference: Pair, path: str) -> None:
    inference.says(lambda _: ok())
    reply = inference.server.get(path)
    assert (reply.status, list(reply.json), inference.heard) == (KEPT_BACK[path], ["error"], [])


@pytest.mark.parametrize("path", [*PASSED, *list(KEPT_BACK)[1:], "/a?b=/v2/health/ready"])
def test_of_plain_http_any_path_is_passed_on(plain: Pair, path: str) -> None:
    plain.says(lambda heard: ok(f"{heard.method} {heard.target}".encode()))
    for method in ("GET", "POST", "DELETE", "PATCH", "OPTIONS"):
        reply = plain.server.request(method, path, b"x")
        assert (reply.status, reply.body.decode()) == (200, f"{method} {path}")


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/metrics"])
def test_a_few_paths_are_the_servers_own(plain: Pair, path: str) -> None:
    plain.says(lambda _: ok(status="500 Mine"))
    assert plain.server.get(path).status == 200
    reply = plain.server.request("POST", path, b"x")
    assert (reply.status, reply.headers["allow"], plain.heard) == (405, "GET, HEAD", [])


def test_headers_of_the_answer(plain: Pair) -> None:
    plain.says(
        lambda _: ok(
            b"zipped",
            *("Content-Encoding: gzip", "Set-Cookie: a", "Set-Cookie: b", "Server: theirs"),
            *("Connection: X-Hop, keep-alive", "X-Hop: 1", "Keep-Alive: timeout=5"),
            *("X-Tidemill-Model-Version: forged", "X-Tidemill-Prediction-Id: forged"),
            *("Date: yesterday", "Upgrade: h2c"),
        )
    )
    received = exchange(plain.server, head("connection: close", method="GET", path="/a"))
    begin, _, body = received.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0] for line in begin.split(b"\r\n")[1:]]
    assert body == b"zipped"
    assert sorted(names) == sorted(
        [
            *(name.encode() for name in (*STAMP, ID)),
            *(b"date", b"content-length", b"content-encoding", b"set-cookie", b"set-cookie"),
            *(b"server", b"connection"),
        ]
    )
    assert b"forged" not in received
    assert b"yesterday" not in received


def answer_to(plain: Pair, method: str, said: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Status line, the headers that frame it, and what comes behind them."""
    plain.says(lambda _: said)
    received = exchange(plain.server, head("connection: close", method=method, path="/a"))
    begin, _, rest = received.partition(b"\r\n\r\n")
    first, *lines = begin.split(b"\r\n")
    return first, [one for one in lines if one.startswith((b"content-", b"transfer-"))], rest


def test_answers_without_a_body_are_framed_as_such(plain: Pair) -> None:
    for lines in (b"", b"content-length: 0\r\n"):
        nothing = b"HTTP/1.1 204 No Content\r\n" + lines + b"\r\n"
        assert answer_to(plain, "GET", nothing) == (b"HTTP/1.1 204 No Content", [], b"")
    same = b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"
    assert answer_to(plain, "GET", same) == (
        b"HTTP/1.1 304 Not Modified",
        [b"content-length: 9"],
        b"",
    )
    large = b"HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ncontent-length: 99999\r\n\r\n"
    assert answer_to(plain, "HEAD", large)[1:] == (
        [b"content-type: a/b", b"content-length: 99999"],
        b"",
    )
    unsaid = b"HTTP/1.1 200 OK\r\n\r\n"
    assert answer_to(plain, "HEAD", unsaid)[1:] == ([], b"")


def test_an_answer_in_chunks_is_whole(plain: Pair) -> None:
    said = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    assert answer_to(plain, "GET", said)[1:] == ([b"content-length: 3"], b"abc")


def test_a_status_that_nobody_knows_is_passed_on(plain: Pair) -> None:
    said = b"HTTP/1.1 599 Their Own\r\ncontent-length: 0\r\n\r\n"
    assert answer_to(plain, "GET", said)[0] == b"HTTP/1.1 599 "


SMUGGLED = b"GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        ("content-length: 4", "transfer-encoding: chunked"),
        ("content-length: 4", "content-length: 9"),
        ("transfer-encoding: chunked, identity",),
        ("x: a\r\n b",),
        ("host: y",),
    ],
)
def test_what_the_container_might_read_otherwise_is_refused(
    plain: Pair, lines: tuple[str, ...]
) -> None:
    plain.says(lambda _: ok())
    received = exchange(plain.server, head(*lines, "connection: close", path="/a"), SMUGGLED)
    assert refusal(received).status == 400
    assert plain.heard == []


def test_a_body_is_no_second_request(plain: Pair) -> None:
    plain.says(lambda heard: ok(heard.body))
    lines = (f"content-length: {len(SMUGGLED)}", "connection: close, content-length")
    received = exchange(plain.server, head(*lines, path="/a"), SMUGGLED)
    assert received.endswith(SMUGGLED)
    assert [one.target for one in plain.heard] == ["/a"]


def test_what_is_the_containers_to_read_is_left_to_it(plain: Pair) -> None:
    plain.says(lambda _: ok())
    headers = {"inference-header-content-length": "0", "content-encoding": "br"}
    assert plain.server.request("POST", "/x", b"abc", headers).status == 200
    [heard] = plain.heard
    assert heard.header("inference-header-content-length") == ["0"]
    assert heard.header("content-encoding") == ["br"]


def test_a_transfer_encoding_that_is_not_read_is_501(plain: Pair) -> None:
    plain.says(lambda _: ok())
    with socket.create_connection(("127.0.0.1", plain.server.port), timeout=60) as wire:
        wire.sendall(
            b"POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
        )
        assert wire.recv(4096).startswith(b"HTTP/1.1 501")
    assert plain.heard == []


def test_what_connection_names_is_not_passed_on_with_an_offer_either(plain: Pair) -> None:
    plain.says(lambda _: ok())
    headers = {"connection": "Upgrade, X-Hop", "upgrade": "h2c", "x-hop": "1", "x-own": "2"}
    assert plain.server.request("GET", "/x", headers=headers).status == 200
    [heard] = plain.heard
    assert (heard.header("x-hop"), heard.header("x-own")) == ([], ["2"])
