"""Tokens and origins by a real server: what anybody may ask, what not, over REST and gRPC."""

import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import grpc
import pytest
from tests.support.authority import Authority, Signer, document, mount
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import Reply, Server, serve
from tests.unit.server.test_open_inference_protocol import request

from tidemill_server.exits import Exit

GOOD = "abcdefghijklmnop"
INFER = "/v2/models/power/infer"
METADATA = "/inference.GRPCInferenceService/ServerMetadata"
PAGE = "https://shop.example"
SIGNER = Signer()


@pytest.fixture(scope="module")
def digest_and_bucket() -> Iterator[tuple[str, Bucket]]:
    with Bucket() as bucket:
        yield packages.publish(bucket, packages.named().files()), bucket


@pytest.fixture(scope="module")
def guarded(
    digest_and_bucket: tuple[str, Bucket], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    digest, bucket = digest_and_bucket
    folder = tmp_path_factory.mktemp("guarded")
    told = {
        "TIDEMILL_TOKENS": str(mount(folder / "tokens", {"ana": GOOD.encode()})),
        "TIDEMILL_OIDC_ISSUER": "https://issuer.example",
        "TIDEMILL_OIDC_AUDIENCES": '["power"]',
        "TIDEMILL_OIDC_SUBJECTS": '["ana"]',
        "TIDEMILL_OIDC_KEYS": str(
            mount(folder / "keys", {"jwks.json": document(SIGNER)}) / "jwks.json"
        ),
        "TIDEMILL_CORS_ORIGINS": json.dumps([PAGE]),
        "TIDEMILL_GRPC_PORT": "0",
    }
    with serve(bucket, digest, folder, **told) as server:
        yield server.ready()


def infer(server: Server, token: str | None, **more: str) -> Reply:
    bearing = {"authorization": f"Bearer {token}"} if token else {}
    return server.request("POST", INFER, request(), {**bearing, **more})


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/metrics", "/"])
def test_probes_and_the_page_itself_are_open(guarded: Server, path: str) -> None:
    assert guarded.get(path).status == 200


@pytest.mark.parametrize(
    "path", ["/v2", "/v2/models/power", "/v1/model", "/v1/stats", "/openapi.json", "/v1/none"]
)
def test_all_else_wants_a_token(guarded: Server, path: str) -> None:
    answer = guarded.get(path)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    known = guarded.request("GET", path, headers={"authorization": f"Bearer {GOOD}"})
    assert known.status == (404 if path == "/v1/none" else 200)


@pytest.mark.parametrize(
    ("token", "status"),
    [
        (None, 401),
        ("qrstuvwxyz012345", 401),
        (GOOD, 200),
        (SIGNER.token(), 200),
        (SIGNER.token(sub="bob"), 403),
        (SIGNER.token(aud="else"), 401),
    ],
)
def test_predictions_are_for_who_bears_a_token(
    guarded: Server, token: str | None, status: int
) -> None:
    assert guarded.get("/v1/stats").status == 401  # which is no request for a prediction
    before = _refused(guarded)
    assert infer(guarded, token).status == status
    assert _refused(guarded) == before + (status != 200)


def _refused(server: Server) -> float:
    name = 'tidemill_server_requests_total{outcome="client_error"}'
    lines = server.get("/metrics").body.decode().splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[1])


def test_who_is_refused_is_refused_before_its_body_is_read(guarded: Server) -> None:
    """A body that is too large is told to who may send one."""
    connection = guarded.connect()
    connection.putrequest("POST", INFER)
    connection.putheader("content-length", str(10**12))
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()


def call(server: Server, path: str, token: str | None) -> bytes:
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    with grpc.insecure_channel(f"localhost:{server.grpc}") as channel:
        answer: bytes = channel.unary_unary(path)(b"", timeout=60, metadata=metadata)
        return answer


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (None, grpc.StatusCode.UNAUTHENTICATED),
        ("qrstuvwxyz012345", grpc.StatusCode.UNAUTHENTICATED),
        (SIGNER.token(sub="bob"), grpc.StatusCode.PERMISSION_DENIED),
    ],
)
def test_grpc_refuses_the_same(guarded: Server, token: str | None, code: grpc.StatusCode) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(guarded, METADATA, token)
    assert caught.value.code() == code


@pytest.mark.parametrize("token", [GOOD, SIGNER.token()])
def test_grpc_answers_the_same(guarded: Server, token: str) -> None:
    assert call(guarded, METADATA, token)


def test_who_needs_no_token_may_not_send_much(guarded: Server) -> None:
    with grpc.insecure_channel(f"localhost:{guarded.grpc}") as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/grpc.health.v1.Health/Check")(bytes(5000), timeout=60)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    "path",
    [
        "/inference.GRPCInferenceService/ServerLive",
        "/inference.GRPCInferenceService/ServerReady",
        "/grpc.health.v1.Health/Check",
    ],
)
def test_probes_by_grpc_are_open(guarded: Server, path: str) -> None:
    assert call(guarded, path, None) == b"\x08\x01"


def beforehand(server: Server, origin: str) -> Reply:
    asked = {"origin": origin, "access-control-request-method": "POST"}
    return server.request("OPTIONS", INFER, headers=asked)


def test_a_page_that_is_known_may_ask(guarded: Server) -> None:
    told = beforehand(guarded, PAGE)
    assert told.status == 204
    assert told.headers["access-control-allow-origin"] == PAGE
    assert "POST" in told.headers["access-control-allow-methods"]
    assert "authorization" in told.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in told.headers
    answer = infer(guarded, GOOD, origin=PAGE)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, PAGE)
    assert "x-tidemill-prediction-id" in answer.headers["access-control-expose-headers"]
    assert answer.headers["vary"] == "origin"


def test_a_page_that_is_known_reads_why_it_is_refused(guarded: Server) -> None:
    answer = infer(guarded, None, origin=PAGE)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, PAGE)


@pytest.mark.parametrize(
    "origin", ["https://other.example", "http://shop.example", f"{PAGE}.evil.example", "null"]
)
def test_a_page_that_is_not_known_is_told_nothing(guarded: Server, origin: str) -> None:
    for answer in (beforehand(guarded, origin), infer(guarded, GOOD, origin=origin)):
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["vary"] == "origin"


def test_without_a_word_no_page_may_ask(logistic: Server) -> None:
    assert beforehand(logistic, PAGE).status == 405
    answer = infer(logistic, None, origin=PAGE)
    assert answer.status == 200
    assert "access-control-allow-origin" not in answer.headers


def test_all_pages_may_ask_where_that_is_said(
    digest_and_bucket: tuple[str, Bucket], tmp_path: Path
) -> None:
    digest, bucket = digest_and_bucket
    with serve(bucket, digest, tmp_path, TIDEMILL_CORS_ORIGINS='["*"]') as server:
        server.ready()
        assert beforehand(server, PAGE).headers["access-control-allow-origin"] == "*"
        assert server.get("/v2/health/live").status == 200


class _Issuer(BaseHTTPRequestHandler):
    """The documents of an issuer; `told` is set by the test."""

    told: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        body = self.told.get(self.path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: Any) -> None:
        pass


def test_an_issuer_is_asked_and_nobody_is_ready_before(
    digest_and_bucket: tuple[str, Bucket], tmp_path: Path
) -> None:
    digest, bucket = digest_and_bucket
    authority = Authority()
    secret = authority.secret(tmp_path / "secret")
    web = ThreadingHTTPServer(("127.0.0.1", 0), _Issuer)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(secret / "tls.crt", secret / "tls.key")
    web.socket = context.wrap_socket(web.socket, server_side=True)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    issuer = f"https://localhost:{web.server_port}"
    told = {
        "TIDEMILL_OIDC_ISSUER": issuer,
        "TIDEMILL_OIDC_AUDIENCES": '["power"]',
        "TIDEMILL_OIDC_AUTHORITIES": str(secret / "ca.crt"),
        "TIDEMILL_HTTP_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
    }
    with serve(bucket, digest, tmp_path, **told) as server:
        server.listen().wait_for_log("the issuer's keys cannot be read")
        server.until(lambda it: it.get("/v2/health/ready").json["reason"] == "IssuerUnavailable")
        place = {"issuer": issuer, "jwks_uri": f"{issuer}/jwks"}
        _Issuer.told = {
            "/.well-known/openid-configuration": json.dumps(place).encode(),
            "/jwks": document(SIGNER),
        }
        server.wait_for_log("ready")
        assert infer(server, SIGNER.token(iss=issuer)).status == 200
        assert infer(server, SIGNER.token()).status == 401
    web.shutdown()


def test_an_address_that_no_issuer_may_have_is_not_asked(
    digest_and_bucket: tuple[str, Bucket], tmp_path: Path
) -> None:
    digest, bucket = digest_and_bucket
    told = {
        "TIDEMILL_OIDC_ISSUER": "https://localhost:9",
        "TIDEMILL_OIDC_AUDIENCES": '["power"]',
    }
    with serve(bucket, digest, tmp_path, **told) as server:
        line = server.listen().wait_for_log("the issuer's keys cannot be read")
        assert "is not an address that an issuer may have" in line["detail"]


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"TIDEMILL_TOKENS": "/none"}, "TIDEMILL_TOKENS cannot be used"),
        ({"TIDEMILL_OIDC_ISSUER": "https://issuer.example"}, "TIDEMILL_OIDC_AUDIENCES"),
        (
            {"TIDEMILL_OIDC_ISSUER": "http://issuer.example", "TIDEMILL_OIDC_AUDIENCES": '["a"]'},
            "asked over https",
        ),
        (
            {
                "TIDEMILL_OIDC_ISSUER": "https://issuer.example",
                "TIDEMILL_OIDC_AUDIENCES": '["a"]',
                "TIDEMILL_OIDC_KEYS": "/none",
            },
            "TIDEMILL_OIDC_KEYS cannot be used",
        ),
        ({"TIDEMILL_CORS_ORIGINS": "https://a"}, "TIDEMILL_CORS_ORIGINS"),
        ({"TIDEMILL_OIDC_AUDIENCES": '["a"]'}, "TIDEMILL_OIDC_ISSUER"),
        ({"TIDEMILL_TLS_CLIENTS": "Required"}, "TIDEMILL_TLS_CLIENTS"),
    ],
)
def test_settings_that_let_in_nobody_knows_whom_end_the_start(
    digest_and_bucket: tuple[str, Bucket], tmp_path: Path, told: dict[str, str], word: str
) -> None:
    digest, bucket = digest_and_bucket
    with serve(bucket, digest, tmp_path, **told) as server:
        assert server.end() == Exit.USER_ERROR
        assert word in server.refusal["message"]
