"""How the collector is asked over HTTP, and what its answers mean."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate

import pytest
from tests.unit.server.traces.collectors import LOOPBACK, Collecting, Said, collector

from tidemill.store.addresses import AllowedNetworks
from tidemill.store.database_addresses import DatabaseAddresses
from tidemill_server.settings import Tracing
from tidemill_server.traces.collector import MAX_ANSWER_BYTES, Collector, Verdict

ALLOWED = DatabaseAddresses(AllowedNetworks.parse([LOOPBACK]))
NONE = DatabaseAddresses(AllowedNetworks())


def client(endpoint: str, addresses: DatabaseAddresses = ALLOWED) -> Collector:
    settings = Tracing.from_env({"TIDEMILL_TRACES_ENDPOINT": endpoint})
    assert settings is not None
    return Collector(settings, addresses)


@contextmanager
def asked(*answers: Said) -> Iterator[tuple[Collector, Collecting]]:
    with collector(*answers) as collecting:
        found = client(collecting.endpoint)
        yield found, collecting
        found.close()


def test_a_message_is_posted_as_otlp_has_it() -> None:
    with asked() as (found, collecting):
        assert found.post(b"", 10) == Verdict()
        [(path, headers)] = collecting.posts
        assert path == "/v1/traces"
        assert headers["content-type"] == "application/x-protobuf"
        assert headers["user-agent"].startswith("tidemill-server/")


@pytest.mark.parametrize("ending", ["/otlp", "/otlp/"])
def test_an_endpoint_may_have_a_path(ending: str) -> None:
    with collector() as collecting:
        assert client(collecting.endpoint + ending).post(b"", 10) == Verdict()
        assert collecting.posts[0][0] == "/otlp/v1/traces"


def test_the_connection_is_kept() -> None:
    with asked() as (found, collecting):
        for _ in range(3):
            assert found.post(b"", 10) == Verdict()
        assert collecting.connections == 1


def test_a_kept_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    with asked(Said(last=True)) as (found, collecting):
        assert found.post(b"", 10) == Verdict()
        assert found.post(b"", 10) == Verdict()
        assert collecting.connections == 2


@pytest.mark.parametrize(
    ("status", "again"),
    [
        *((429, True), (502, True), (503, True), (504, True)),
        *((301, False), (400, False), (401, False), (404, False), (413, False), (500, False)),
    ],
)
def test_what_is_worth_another_try(status: int, again: bool) -> None:
    with asked(Said(status)) as (found, _):
        verdict = found.post(b"", 10)
        assert (verdict.why, verdict.again) == (f"it answers with HTTP {status}", again)
        assert found.post(b"", 10) == Verdict()


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), (" 7 ", 7)])
def test_how_long_to_wait(text: str, seconds: float) -> None:
    with asked(Said(503, {"retry-after": text})) as (found, _):
        assert found.post(b"", 10).after == seconds


@pytest.mark.parametrize(("ahead", "least", "most"), [(100, 50, 101), (-100, 0, 0)])
def test_when_to_come_again(ahead: float, least: float, most: float) -> None:
    moment = formatdate(time.time() + ahead, usegmt=True)
    with asked(Said(503, {"retry-after": moment})) as (found, _):
        after = found.post(b"", 10).after
        assert after is not None
        assert least <= after <= most


@pytest.mark.parametrize("text", ["soon", "-1", "1.5", "9" * 5000, "Mon, 99 Foo 9999"])
def test_what_cannot_be_read_says_nothing(text: str) -> None:
    with asked(Said(503, {"retry-after": text})) as (found, _):
        assert found.post(b"", 10).after is None


def test_a_long_answer_is_not_read_to_its_end() -> None:
    with asked(Said(body=b"x" * (MAX_ANSWER_BYTES + 1))) as (found, _):
        assert len(found.post(b"", 10).answer) == MAX_ANSWER_BYTES
        assert found.post(b"", 10) == Verdict()


def test_nobody_there_is_worth_another_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    verdict = client(f"http://127.0.0.1:{port}").post(b"", 10)
    assert verdict == Verdict("it cannot be connected to", again=True)


def test_who_answers_byte_by_byte_does_not_hold_it_for_ever() -> None:
    """Each byte comes in time, and all of them never would."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
                while not over.wait(0.05):
                    connection.sendall(b"x")

        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        client(f"http://127.0.0.1:{listener.getsockname()[1]}").post(b"", 0.5)
        assert time.monotonic() - began < 10
        over.set()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "it does not answer in time"),
        (b"SSH-2.0-OpenSSH\r\n", "it does not speak HTTP"),
    ],
)
def test_who_speaks_something_else_is_told(said: bytes, why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            held.append(connection)
            connection.sendall(said)

        held: list[socket.socket] = []
        threading.Thread(target=answer, daemon=True).start()
        verdict = client(f"http://127.0.0.1:{listener.getsockname()[1]}").post(b"", 0.3)
        assert verdict == Verdict(why, again=True)
        for one in held:
            one.close()


def test_tls_is_demanded_of_https() -> None:
    with collector() as collecting:
        verdict = client(collecting.endpoint.replace("http", "https")).post(b"", 10)
        assert verdict == Verdict("it does not speak TLS", again=True)
        assert not collecting.posts


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]"])
def test_addresses_that_no_collector_has_are_not_connected_to(host: str) -> None:
    verdict = client(f"http://{host}:1", NONE).post(b"", 10)
    assert "its address is loopback, link-local" in verdict.why
    assert "TIDEMILL_HTTP_ALLOWED_NETWORKS" in verdict.why


@pytest.mark.parametrize("host", ["collector.invalid", "a..b", "x" * 64])
def test_a_name_that_is_none_is_told(host: str) -> None:
    verdict = client(f"http://{host}:4318").post(b"", 10)
    assert verdict.again
    assert "name of its host" in verdict.why
