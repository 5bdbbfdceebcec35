"""The server before a container: its limits, what goes wrong behind it, its readiness, its end."""

import json
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.unit.server.raw import exchange, head, refusal
from tests.unit.server.servers import Reply, Server
from tests.unit.server.upstream.conftest import Pair, standing
from tests.unit.server.upstream.stub import Heard, Last, Stub, ok

from tidemill_server.exits import Exit

INFER = "/v2/models/peaks/infer"


class Held:
    """A container that answers when it is let, or when who asked has left."""

    def __init__(self) -> None:
        self.began, self.left, self.go = (threading.Event() for _ in range(3))

    def wait(self, _: Heard) -> bytes:
        self.began.set()
        assert self.go.wait(60)
        return ok()

    def watch(self, heard: Heard) -> bytes:
        self.began.set()
        if heard.until_left():
            self.left.set()
        return ok()


def ask(pair: Pair, **headers: str) -> Reply:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return pair.server.request("POST", INFER, b"{}", fields)


@pytest.mark.parametrize(
    "data",
    [
        head("content-length: 1001", path=INFER),
        head("transfer-encoding: chunked", path=INFER) + b"3e9\r\n" + b"x" * 1001,
    ],
    ids=["declared", "in chunks"],
)
def test_a_body_that_is_too_large(inference: Pair, data: bytes) -> None:
    inference.says(lambda _: ok())
    found = refusal(exchange(inference.server, data))
    assert (found.status, inference.heard) == (413, [])
    assert "1000 bytes" in found.error


def test_too_many_at_a_time(inference: Pair) -> None:
    held = Held()
    inference.says(held.wait)
    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(ask, inference) for _ in range(2)]
        inference.server.until(lambda _: len(inference.heard) == 2)
        reply = ask(inference)
        held.go.set()
        assert [one.result().status for one in running] == [200, 200]
    assert (reply.status, reply.headers["retry-after"]) == (429, "1")
    assert list(reply.json) == ["error"]
    assert inference.outcome("overloaded") == 1
    assert ask(inference).status == 200, "there is room again"


def test_a_client_that_waits_no_longer_is_told_so_and_the_container_as_well(
    inference: Pair,
) -> None:
    held = Held()
    inference.says(held.watch)
    before = inference.outcome("expired")
    reply = ask(inference, X_Tidemill_Timeout_Ms="100")
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert "0.1 s" in reply.json["error"]
    assert held.left.wait(60), "the call is cancelled"
    assert inference.outcome("expired") == before + 1
    assert ask(inference, X_Tidemill_Timeout_Ms="soon").status == 400


def test_a_client_that_leaves(inference: Pair) -> None:
    held = Held()
    inference.says(held.watch)
    before = inference.outcome("gone")
    with socket.create_connection(("127.0.0.1", inference.server.port), timeout=60) as client:
        client.sendall(head("content-length: 2", path=INFER) + b"{}")
        assert held.began.wait(60)
    assert held.left.wait(60)
    inference.server.until(lambda _: inference.outcome("gone") == before + 1)
    inference.server.until(lambda s: b"tidemill_server_in_flight 0.0" in s.get("/metrics").body)


WRONG: dict[str, tuple[bytes | Last, str]] = {
    "no HTTP": (b"hello\r\n\r\n", "did not answer in HTTP"),
    "no answer": (Last(), "closed the connection without an answer"),
    "half an answer": (Last(ok(b"abc")[:-1]), "in the middle of its answer"),
    "too large an answer": (ok(b"x" * 2001), "more than 2000 bytes"),
    "too large a head": (ok(b"", "x: " + "y" * 70_000), "bytes of headers"),
    "another protocol": (b"HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: a\r\n\r\n", "101"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_container_that_does_wrong_is_502(inference: Pair, case: str) -> None:
    said, tells = WRONG[case]
    before = inference.outcome("error")
    inference.says(lambda _: said)
    reply = ask(inference)
    assert (reply.status, list(reply.json)) == (502, ["error"])
    assert reply.json["error"].startswith("the model's container ")
    assert tells in reply.json["error"]
    assert inference.outcome("error") == before + 1


def test_all_are_counted_by_how_they_end_and_how_long_they_took(inference: Pair) -> None:
    text = inference.server.get("/metrics").body.decode()
    seconds = "tidemill_server_request_seconds_count "
    [took] = [float(line[len(seconds) :]) for line in text.splitlines() if seconds in line]
    counts = {name: inference.outcome(name) for name in ("ok", "client_error", "not_ready")}
    statuses = {"client_error": "404 No", "not_ready": "503 Later", "ok": "201 Made"}
    for name, status in statuses.items():
        inference.says(lambda _, status=status: ok(status=status))
        ask(inference)
        assert inference.outcome(name) == counts[name] + 1
    text = inference.server.get("/metrics").body.decode()
    assert f"{seconds}{took + 1}" in text
    assert 'tidemill_server_model_info{digest="sha256:abab' in text


def test_a_container_that_closes_connections_loses_no_request(inference: Pair) -> None:
    """As servers do that end a worker after so many requests, and do not say so."""

    def say(heard: Heard) -> bytes | Last:
        asked = sum(one.connection == heard.connection for one in inference.stub.heard)
        return Last() if asked == 4 else ok()

    inference.says(say)
    assert {ask(inference).status for _ in range(40)} == {200}


def test_a_container_that_takes_too_long_is_504(tmp_path: Path) -> None:
    held = Held()
    with (
        Stub() as stub,
        standing(stub, "OpenInference", tmp_path, TIDEMILL_UPSTREAM_SECONDS="0.1") as server,
    ):
        pair = Pair(server.ready(), stub, "/v2/health/ready")
        pair.says(held.watch)
        reply = ask(pair)
        assert reply.status == 504
        assert reply.json["error"] == "the model's container did not answer within 0.1 s"
        assert held.left.wait(60)
        assert pair.outcome("error") == 1


def test_it_is_ready_when_the_container_is(tmp_path: Path) -> None:
    stub = Stub()
    stub.stop()
    with standing(stub, "OpenInference", tmp_path) as server:
        server.listen()
        _waits(server, "takes no connection on port")
        assert server.get("/v2/health/live").status == 200
        reply = server.request("POST", INFER, b"{}")
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert "takes no connection on port" in reply.json["error"]
        again = Stub(lambda _: ok(status="503 Loading"), port=stub.port)
        with again:
            _waits(server, "answers GET /v2/health/ready with 503")
            again.say = lambda _: ok(status="204 Ready")
            server.wait_for_log("ready")
            assert server.get("/v2/health/ready").json == {"ready": True}
        assert "takes no connection" in server.wait_for_log("not ready")["why"]
        assert server.get("/v2/health/ready").status == 503


def _waits(server: Server, tells: str) -> None:
    def told(server: Server) -> bool:
        reply = server.get("/v2/health/ready")
        assert (reply.status, reply.json["reason"]) != (503, "Draining")
        return tells in reply.json.get("message", "")

    server.until(told)


def test_at_its_end_it_is_not_ready_and_answers_on(tmp_path: Path) -> None:
    held = Held()
    drains = {"TIDEMILL_DRAIN_SECONDS": "600", "TIDEMILL_ACCESS_LOG_EVERY": "1"}
    with Stub() as stub, standing(stub, "Http", tmp_path, **drains) as server:
        server.ready()
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("draining")
        looks = len(stub.asked("/"))
        server.until(lambda _: len(stub.asked("/")) > looks + 1)
        assert server.get("/v2/health/ready").json["reason"] == "Draining"
        reply = server.request("POST", "/a?secret=1", b"{}")
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        line = server.wait_for_log("request")
        assert (line["path"], line["status"]) == ("/a", 200)
        stub.say = held.wait
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(server.request, "POST", "/b", b"{}")
            assert held.began.wait(60)
            server.process.send_signal(signal.SIGTERM)  # impatient: the drain is cut short
            held.go.set()
            assert running.result().status == 200, "what runs is finished"
        assert server.end() == Exit.OK


def test_the_wrong_words_end_it_with_the_variables_name(tmp_path: Path) -> None:
    stub = Stub()
    with standing(stub, "SOAP", tmp_path) as server:
        assert server.end() == Exit.USER_ERROR
        assert "TIDEMILL_UPSTREAM_PROTOCOL" in json.dumps(server.refusal)
    stub.stop()
