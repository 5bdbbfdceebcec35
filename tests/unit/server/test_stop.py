"""SIGTERM: not ready, still answering, then finish what is in flight and end with 0."""

import json
import signal
import socket
import threading
from pathlib import Path

import pytest
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import Server, serve
from tests.unit.server.test_open_inference_protocol import request

from tidemill_server.exits import Exit

PATH = "/v2/models/power/infer"
LONG_AFTER = 300  # requests; a server that only winds up is gone before


@pytest.fixture(scope="module")
def package() -> dict[str, bytes]:
    return packages.logistic().files()


def test_while_draining_it_is_not_ready_and_answers(
    bucket: Bucket, package: dict[str, bytes], tmp_path: Path
) -> None:
    digest = packages.publish(bucket, package)
    with serve(bucket, digest, tmp_path, TIDEMILL_DRAIN_SECONDS="600") as server:
        server.ready()
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("draining")
        ready = server.get("/v2/health/ready")
        assert (ready.status, ready.json["reason"]) == (503, "Draining")
        assert server.get("/v2/health/live").status == 200
        for _ in range(LONG_AFTER):
            answer = server.infer(request())
            assert answer.status == 200
            assert answer.headers["connection"] == "close"
        server.process.send_signal(signal.SIGTERM)  # impatient: the drain is cut short
        assert server.end() == Exit.OK


def test_a_request_that_is_half_sent_is_finished(
    bucket: Bucket, package: dict[str, bytes], tmp_path: Path
) -> None:
    digest = packages.publish(bucket, package)
    body = json.dumps(request()).encode()
    with serve(bucket, digest, tmp_path) as server:
        server.ready()
        head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as half:
            half.sendall(head + body[:10])
            server.until(_holds_ten_bytes)
            server.process.send_signal(signal.SIGTERM)
            server.until(_refuses_connections)
            half.sendall(body[10:])
            answer = half.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in answer
        assert server.end() == Exit.OK


def test_a_client_that_never_finishes_does_not_hold_it(
    bucket: Bucket, package: dict[str, bytes], tmp_path: Path
) -> None:
    digest = packages.publish(bucket, package)
    with serve(bucket, digest, tmp_path, TIDEMILL_FINISH_SECONDS="1") as server:
        server.ready()
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as half:
            half.sendall(
                f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\n".encode()
                + bytes(10)
            )
            server.until(_holds_ten_bytes)
            server.process.send_signal(signal.SIGTERM)
            assert server.end() == Exit.OK


def test_no_request_fails_while_a_new_server_takes_over(
    bucket: Bucket, package: dict[str, bytes], tmp_path: Path
) -> None:
    """Clients keep their connections and follow the endpoint, as they do behind a Service."""
    digest = packages.publish(bucket, package)
    with (
        serve(bucket, digest, tmp_path / "a", TIDEMILL_DRAIN_SECONDS="4") as old,
        serve(bucket, digest, tmp_path / "b") as new,
    ):
        old.ready()
        clients = [_Client(old) for _ in range(8)]
        for client in clients:
            client.start()
        old.until(lambda _: all(client.answered > 20 for client in clients))
        new.ready()
        old.process.send_signal(signal.SIGTERM)
        old.wait_for_log("draining")
        before = sum(client.answered for client in clients)
        old.until(lambda _: sum(client.answered for client in clients) > before + LONG_AFTER)
        for client in clients:
            client.server = new  # the endpoint of the old one is removed
        assert old.end() == Exit.OK
        counts = [client.answered for client in clients]
        pairs = list(zip(clients, counts, strict=True))
        new.until(lambda _: all(client.answered > count + 20 for client, count in pairs))
        for client in clients:
            client.stop()
    assert [client.failed for client in clients] == [[]] * len(clients)


class _Client(threading.Thread):
    """Asks without pause on one connection; opens a new one where it is told to."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.answered = 0
        self.failed: list[str] = []
        self._stopping = False

    def run(self) -> None:
        body = json.dumps(request()).encode()
        connection = self.server.connect()
        while not self._stopping:
            try:
                connection.request("POST", PATH, body)
                response = connection.getresponse()
                response.read()
            except OSError as error:
                self.failed.append(repr(error))
                return
            if response.status != 200:
                self.failed.append(str(response.status))
            self.answered += 1
            if response.getheader("connection") == "close":
                connection.close()
                connection = self.server.connect()

    def stop(self) -> None:
        self._stopping = True
        self.join(60)


def _holds_ten_bytes(server: Server) -> bool:
    return b"tidemill_server_held_bytes 10.0" in server.get("/metrics").body


def _refuses_connections(server: Server) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False
