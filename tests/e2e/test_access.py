"""Who may ask a deployed model: who bears a token, and under TLS who shows a certificate."""

import base64
import json
import socket
import ssl
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.e2e import specs
from tests.e2e.served import address, ask, ports
from tests.e2e.served import served as served  # noqa: PLC0414 - a fixture
from tests.e2e.world import World, summary
from tests.support.authority import Authority

TOKEN = "a-token-of-enough-characters"
LIVE = "/inference.GRPCInferenceService/ServerLive"
METADATA = "/inference.GRPCInferenceService/ServerMetadata"


def cluster(world: World, path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.kubectl("get", "--raw", path))
    return found


def token_of(world: World, audience: str) -> str:
    """A token of the namespace's own service account."""
    text = world.kubectl(
        "create", "token", "default", "-n", world.namespace, "--audience", audience
    )
    return str(text).strip()


def test_who_bears_a_token_of_the_secret_or_of_the_cluster_is_answered(served: World) -> None:
    keys = json.dumps(cluster(served, "/openid/v1/jwks"))
    issuer = cluster(served, "/.well-known/openid-configuration")["issuer"]
    oidc = {"issuer": issuer, "audiences": ["web"], "keysRef": {"name": "keys"}}
    access = {"tokensRef": {"name": "callers"}, "oidc": oidc}
    served.apply("ModelDeployment", "web", specs.model_deployment("one", access=access))
    served.wait_reason("ModelDeployment", "web", "SecretMissing")
    message = summary(served.read("ModelDeployment", "web"))["message"]
    assert "spec.access.tokensRef names the Secret callers" in message
    served.secret("callers", {"ana": TOKEN})
    served.secret("keys", {"jwks.json": keys})
    served.wait("ModelDeployment", "web", lambda _: ask(served, "GET", "/v2")[0] == 401)
    served.wait_ready("ModelDeployment", "web")
    rows = json.loads(ask(served, "GET", "/v1/model", token=TOKEN)[1])["examples"]
    for token, status in (
        (None, 401),
        ("another-token-of-characters", 401),
        (TOKEN, 200),
        (token_of(served, "web"), 200),
        (token_of(served, "else"), 401),
    ):
        assert ask(served, "POST", "/v1/predict", rows, token)[0] == status
    assert ask(served, "GET", "/metrics")[0] == 200
    # Taken away, a token counts no more, without a new pod.
    before = served.list("pods", "-l", "tidemill.dev/kind=ModelDeployment")
    served.patch("secret", "callers", {"data": {"ana": None, "bob": _base64(TOKEN[::-1])}})
    served.wait(
        "ModelDeployment", "web", lambda _: ask(served, "GET", "/v2", token=TOKEN)[0] == 401
    )
    assert ask(served, "GET", "/v2", token=TOKEN[::-1])[0] == 200
    after = served.list("pods", "-l", "tidemill.dev/kind=ModelDeployment")
    # Those of the version before may be on their way out.
    uids = [{pod["metadata"]["uid"] for pod in pods} for pods in (before, after)]
    assert uids[1] <= uids[0]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_under_tls_only_clients_with_a_certificate_are_answered(
    served: World, tmp_path: Path
) -> None:
    authority = Authority()
    name = f"web.{served.namespace}.svc"
    tls = {"secretRef": {"name": "web-tls"}, "clients": "Required"}
    _write(served, authority, name)
    changed = specs.model_deployment("one", tls=tls, grpc="Enabled")
    served.apply("ModelDeployment", "web", changed)
    served.wait("ModelDeployment", "web", lambda _: ports(served) == ["https", "grpc"])
    served.wait_ready("ModelDeployment", "web")
    assert served.read("ModelDeployment", "web")["status"]["url"] == f"https://{name}"

    stranger = ssl.create_default_context(cadata=authority.certificate.decode())
    client = ssl.create_default_context(cadata=authority.certificate.decode())
    pair = authority.secret(tmp_path / "client", "till")
    client.load_cert_chain(pair / "tls.crt", pair / "tls.key")
    assert _status(served, name, client) == 200
    with pytest.raises(OSError):  # noqa: PT011 - at the handshake, or at the first bytes
        _status(served, name, stranger)
    certificate, key = authority.pair("till")
    told = grpc.ssl_channel_credentials(authority.certificate, key, certificate)
    options = (("grpc.ssl_target_name_override", name),)
    with grpc.secure_channel(f"{address(served)}:9000", told, options) as channel:
        assert channel.unary_unary(LIVE)(b"", timeout=30) == b"\x08\x01"
        assert channel.unary_unary(METADATA)(b"", timeout=30)

    # A renewed certificate is shown without a new pod.
    shown = _shown(served, name, client)
    _write(served, authority, name)
    served.wait("ModelDeployment", "web", lambda _: _shown(served, name, client) != shown)
    assert _status(served, name, client) == 200


def _write(world: World, authority: Authority, name: str) -> None:
    certificate, key = authority.pair(name)
    files = {"tls.crt": certificate, "tls.key": key, "ca.crt": authority.certificate}
    world.secret("web-tls", {key: value.decode() for key, value in files.items()})


def _connected(world: World, name: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((address(world), 443), timeout=30)
    return context.wrap_socket(plain, server_hostname=name)


def _shown(world: World, name: str, context: ssl.SSLContext) -> object:
    with _connected(world, name, context) as found:
        return found.getpeercert()


def _status(world: World, name: str, context: ssl.SSLContext) -> int:
    connection = HTTPSConnection(name, timeout=30)
    connection.sock = _connected(world, name, context)
    try:
        connection.request("GET", "/v2/models/web")
        return connection.getresponse().status
    finally:
        connection.close()
