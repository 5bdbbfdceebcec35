"""TLS by a real server: who is answered, over what, with a certificate of the moment."""

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import grpc
import pytest
import uvloop
from tests.support.authority import Authority, mount
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import Reply, Server, read, serve
from tests.unit.server.test_open_inference_protocol import request

from tidemill_server import watched
from tidemill_server.access.tls import Tls
from tidemill_server.answers import Answer
from tidemill_server.exits import Exit
from tidemill_server.listening import GOODBYE_SECONDS
from tidemill_server.rest.front import Front
from tidemill_server.rest.request import Request
from tidemill_server.rest.terms import Patience

INFER = "/v2/models/power/infer"
LARGE_BYTES = 20_000_000
LIVE = "/inference.GRPCInferenceService/ServerLive"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@contextmanager
def secured(folder: Path, secret: Path, **env: str) -> Iterator[Server]:
    told = {"TIDEMILL_TLS": str(secret), "TIDEMILL_GRPC_PORT": "0", "TIDEMILL_HEALTH_PORT": "0"}
    with Bucket() as bucket:
        digest = packages.publish(bucket, packages.logistic().files())
        with serve(bucket, digest, folder / "server", **told, **env) as server:
            yield server.ready()


@pytest.fixture(scope="module")
def server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tls")
    secret = authority.secret(folder / "secret")
    with secured(folder, secret) as running:
        yield running


@pytest.fixture(scope="module")
def mutual(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("mutual")
    secret = authority.secret(folder / "secret")
    with secured(folder, secret, TIDEMILL_TLS_CLIENTS="Required") as running:
        yield running


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.certificate.decode())


def bearing(authority: Authority, by: Authority, folder: Path) -> ssl.SSLContext:
    """A client with a certificate signed by somebody."""
    context = trusting(authority)
    secret = by.secret(folder, "client")
    context.load_cert_chain(secret / "tls.crt", secret / "tls.key")
    return context


def ask(server: Server, context: ssl.SSLContext) -> Reply:
    connection = HTTPSConnection("127.0.0.1", server.port, timeout=60, context=context)
    try:
        connection.request("POST", INFER, json.dumps(request()))
        return read(connection.getresponse())
    finally:
        connection.close()


def health(server: Server, path: str) -> Reply:
    connection = HTTPConnection("127.0.0.1", server.health, timeout=60)
    try:
        connection.request("GET", path)
        return read(connection.getresponse())
    finally:
        connection.close()


def channel(server: Server, authority: Authority, *pair: bytes) -> grpc.Channel:
    told = pair[::-1] if pair else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.certificate, *told)
    return grpc.secure_channel(f"localhost:{server.grpc}", credentials)


def live(found: grpc.Channel) -> bytes:
    with found:
        answer: bytes = found.unary_unary(LIVE)(b"", timeout=60)
        return answer


def test_rest_and_grpc_are_answered_under_tls(server: Server, authority: Authority) -> None:
    assert ask(server, trusting(authority)).status == 200
    assert live(channel(server, authority)) == b"\x08\x01"


def test_a_stranger_is_not_taken_for_the_server(server: Server) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(server, trusting(Authority("other")))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_what_is_old_is_not_spoken(
    server: Server, authority: Authority, version: ssl.TLSVersion
) -> None:
    context = trusting(authority)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = version
    with pytest.raises(OSError):  # noqa: PT011 - by this side's library or by that
        ask(server, context)


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/metrics"])
def test_probes_are_answered_without_tls(server: Server, path: str) -> None:
    assert health(server, path).status == 200


@pytest.mark.parametrize("path", ["/", INFER, "/v2/models/power", "/openapi.json"])
def test_nothing_else_is_answered_without_tls(server: Server, path: str) -> None:
    answer = health(server, path)
    assert (answer.status, "over HTTPS" in answer.json["error"]) == (403, True)


def test_who_speaks_without_tls_is_cut(server: Server, authority: Authority) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"HTTP/1.1 200" not in _all(plain)
    assert ask(server, trusting(authority)).status == 200


def _all(connection: socket.socket) -> bytes:
    found = b""
    try:
        while piece := connection.recv(4096):
            found += piece
    except ConnectionError:
        pass
    return found


def test_when_the_certificate_ends_is_told(server: Server) -> None:
    lines = health(server, "/metrics").body.decode().splitlines()
    told = [line for line in lines if line.startswith("tidemill_server_tls_certificate_expiry")]
    assert 0 < float(told[0].split()[1]) - time.time() < 86_400


def test_only_clients_with_a_certificate_are_answered(
    mutual: Server, authority: Authority, tmp_path: Path
) -> None:
    assert ask(mutual, bearing(authority, authority, tmp_path / "good")).status == 200
    for context in (
        trusting(authority),
        bearing(authority, Authority("tests"), tmp_path / "false"),
    ):
        with pytest.raises(OSError):  # noqa: PT011 - at the handshake, or at the first bytes
            ask(mutual, context)
    assert health(mutual, "/v2/health/ready").status == 200


def test_a_session_of_old_is_no_way_round_the_authorities(
    mutual: Server, authority: Authority, tmp_path: Path
) -> None:
    """TLS 1.2 would take one up without asking for the certificate again."""
    context = bearing(authority, authority, tmp_path / "old")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(OSError):  # noqa: PT011 - by this side's library or by that
        ask(mutual, context)


class _Large:
    """Answers with more than the system's buffers hold."""

    async def answer(self, _: Request) -> Answer:
        return Answer(200, bytes(LARGE_BYTES))


def _asked_slowly(port: int, context: ssl.SSLContext) -> int:
    """Bytes of an answer of which nothing is taken for a while; in a thread."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as found,
    ):
        found.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        threading.Event().wait(GOODBYE_SECONDS + 1)
        got = 0
        while piece := found.recv(65_536):
            got += len(piece)
        return got


def test_an_answer_is_whole_however_slowly_it_is_taken(
    authority: Authority, tmp_path: Path
) -> None:
    """Under TLS the end of a connection must not overtake what is on its way."""
    tls = Tls(authority.secret(tmp_path / "secret"))

    async def served() -> int:
        front = Front(_Large(), [], Patience(30.0, 75.0))
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        await front.listen(listener, tls.context)
        got = await asyncio.to_thread(_asked_slowly, port, trusting(authority))
        await front.end(0.0)
        return got

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(served()) > LARGE_BYTES


def test_grpc_wants_the_clients_certificate_too(mutual: Server, authority: Authority) -> None:
    assert live(channel(mutual, authority, *authority.pair("client"))) == b"\x08\x01"
    with pytest.raises(grpc.RpcError) as caught:
        live(channel(mutual, authority))
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_a_renewed_certificate_is_shown_and_who_is_connected_stays(
    authority: Authority, tmp_path: Path
) -> None:
    secret = authority.secret(tmp_path / "secret", days=1)
    with secured(tmp_path, secret) as server:
        context = trusting(authority)
        kept = HTTPSConnection("127.0.0.1", server.port, timeout=60, context=context)
        kept.request("GET", "/v2/health/live")
        assert read(kept.getresponse()).status == 200
        before = _shown(server, context)
        authority.secret(secret, days=30)
        server.until(lambda _: _shown(server, context) != before)
        kept.request("GET", "/v2/health/live")
        assert read(kept.getresponse()).status == 200
        mount(secret, {"tls.crt": b"broken", "tls.key": b"broken"})
        shown = _shown(server, context)
        changed = "what has changed cannot be used"
        server.until(lambda _: _shown(server, context) == shown and server.has_logged(changed))
        kept.close()


def _shown(server: Server, context: ssl.SSLContext) -> object:
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as found,
    ):
        return found.getpeercert()


def test_a_client_that_says_no_goodbye_does_not_hold_the_end(
    authority: Authority, tmp_path: Path
) -> None:
    secret = authority.secret(tmp_path / "secret")
    with (
        secured(tmp_path, secret) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain,
        trusting(authority).wrap_socket(plain, server_hostname="localhost") as found,
    ):
        found.sendall(b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        assert found.recv(4096).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        server.process.terminate()
        assert server.end() == Exit.OK
        assert time.monotonic() - began < 15  # it has twenty seconds for what is in flight


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda files: files.pop("tls.key"), "tls.key is not there"),
        (lambda files: files.pop("tls.crt"), "tls.crt is not there"),
        (lambda files: files.pop("ca.crt"), "ca.crt is not there"),
        (lambda files: files.update({"tls.crt": b"none"}), "no certificate in PEM and its key"),
        (lambda files: files.update({"ca.crt": b"none"}), "ca.crt has no certificates"),
        (
            lambda files: files.update({"tls.key": Authority().pair()[1]}),
            "no certificate in PEM and its key",
        ),
    ],
)
def test_a_secret_that_cannot_be_used_is_refused_at_the_start(
    authority: Authority, tmp_path: Path, spoil: Callable[[dict[str, bytes]], None], word: str
) -> None:
    certificate, key = authority.pair()
    files = {"tls.crt": certificate, "tls.key": key, "ca.crt": authority.certificate}
    spoil(files)
    told = {"TIDEMILL_TLS": str(mount(tmp_path / "secret", files))}
    with (
        Bucket() as bucket,
        serve(
            bucket, f"sha256:{'0' * 64}", tmp_path, TIDEMILL_TLS_CLIENTS="Required", **told
        ) as it,
    ):
        assert it.end() == Exit.USER_ERROR
        assert it.refusal["reason"] == "SpecInvalid"
        assert word in it.refusal["message"]
        assert "TIDEMILL_TLS" in it.refusal["message"]


def test_an_authority_that_is_renewed_is_believed(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one process: what the handshake is told by the context of the moment."""
    monkeypatch.setattr(watched, "LOOK_SECONDS", 0.0)
    secret = authority.secret(tmp_path / "secret")
    tls = Tls(secret, clients=True)
    successor = Authority("successor")
    client = bearing(authority, successor, tmp_path / "client")
    with pytest.raises(ssl.SSLError):
        _shake_hands(client, tls.context)
    certificate, key = authority.pair()
    files = {"tls.crt": certificate, "tls.key": key, "ca.crt": successor.certificate}
    mount(secret, files)
    _shake_hands(client, tls.context)


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Both sides in memory, until both are done; raises SSLError."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        server.wrap_bio(there, back, server_side=True),
        client.wrap_bio(back, there, server_hostname="localhost"),
    ]
    for _ in range(10):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    sides[1].write(b"x")
    assert sides[0].read(1) == b"x"
