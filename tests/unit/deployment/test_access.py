"""What a ModelDeployment's pods are told of who may ask, and what of their Secrets is told."""

import base64
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.children.world import NAMESPACE, SERVER, World, once, summary, until_quiet
from tests.unit.deployment.scene import KIND, come_up, package, process

from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.deployment.decide import STALLED_CHECK
from tidemill.deployment.manifests import deployment_manifest, revision_of, service_manifest
from tidemill.deployment.observed import Target
from tidemill.kube.resources import DEPLOYMENTS, SERVICES

TARGET = Target(**package("a"))
TOKENS = {"access": {"tokensRef": {"name": "callers"}}}
ISSUER = {"issuer": "https://login.example", "audiences": ["m"]}
ASKED = {"access": {"oidc": {**ISSUER, "authoritiesRef": {"name": "ca"}, "subjects": ["ana"]}}}
TOLD = {"access": {"oidc": {**ISSUER, "keysRef": {"name": "keys"}}}}
TLS = {"tls": {"secretRef": {"name": "web"}}}
MUTUAL = {"tls": {"secretRef": {"name": "web"}, "clients": "Required"}}
PARENT = {"metadata": {"name": "m", "namespace": NAMESPACE, "uid": "u1"}}
PLAIN = {"store", "scratch", "tmp"}


def spec(asked: dict[str, Any]) -> ModelDeploymentSpec:
    return ModelDeploymentSpec.model_validate({"model": package("a"), **asked})


def template(asked: dict[str, Any], networks: tuple[str, ...] = ()) -> dict[str, Any]:
    manifest = deployment_manifest(PARENT, spec(asked), TARGET, SERVER, networks)
    found: dict[str, Any] = manifest["spec"]["template"]
    return found


def container(asked: dict[str, Any]) -> dict[str, Any]:
    [found] = template(asked)["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def told(asked: dict[str, Any], networks: tuple[str, ...] = ()) -> dict[str, str]:
    [found] = template(asked, networks)["spec"]["containers"]
    words = ("TOKENS", "OIDC", "CORS", "TLS", "HEALTH", "HTTP_ALLOWED")
    return {
        one["name"].removeprefix("TIDEMILL_"): one["value"]
        for one in found["env"]
        if one["name"].removeprefix("TIDEMILL_").startswith(words)
    }


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {}),
        (TOKENS, {"TOKENS": "/etc/tidemill/tokens"}),
        ({"access": {"origins": ["https://a"]}}, {"CORS_ORIGINS": '["https://a"]'}),
        (
            TOLD,
            {
                "OIDC_ISSUER": "https://login.example",
                "OIDC_AUDIENCES": '["m"]',
                "OIDC_KEYS": "/etc/tidemill/issuer-keys/jwks.json",
            },
        ),
        (
            ASKED,
            {
                "OIDC_ISSUER": "https://login.example",
                "OIDC_AUDIENCES": '["m"]',
                "OIDC_SUBJECTS": '["ana"]',
                "OIDC_AUTHORITIES": "/etc/tidemill/issuer-authorities/ca.crt",
                "HTTP_ALLOWED_NETWORKS": "10.0.0.0/8",
            },
        ),
        (TLS, {"TLS": "/etc/tidemill/tls", "TLS_CLIENTS": "Any", "HEALTH_PORT": "8082"}),
        (MUTUAL, {"TLS": "/etc/tidemill/tls", "TLS_CLIENTS": "Required", "HEALTH_PORT": "8082"}),
    ],
    ids=["nothing", "tokens", "origins", "keys", "an issuer", "TLS", "clients"],
)
def test_the_server_is_told_what_is_asked(asked: dict[str, Any], expected: dict[str, str]) -> None:
    assert told(asked, ("10.0.0.0/8",)) == expected
    folders = [value for value in expected.values() if value.startswith("/etc")]
    mounted = {one["mountPath"]: one for one in container(asked)["volumeMounts"]}
    for folder in folders:
        path = folder.removesuffix("/jwks.json").removesuffix("/ca.crt")
        assert mounted[path]["readOnly"] is True
    volumes = {one["name"]: one for one in template(asked)["spec"]["volumes"]}
    assert len(volumes) == len(PLAIN) + len(folders)
    for name in volumes.keys() - PLAIN:
        assert "secretName" in volumes[name]["secret"]


@pytest.mark.parametrize(("asked", "outside"), [(TOLD, False), (ASKED, True), (TLS, False)])
def test_only_who_asks_an_issuer_reaches_outside(asked: dict[str, Any], outside: bool) -> None:
    assert ("tidemill.dev/egress" in template(asked)["metadata"]["labels"]) is outside


def test_under_tls_probes_ask_a_port_of_their_own() -> None:
    found = container({**TLS, "grpc": "Enabled"})
    ports = {port["name"]: port["containerPort"] for port in found["ports"]}
    assert ports == {"https": 8080, "health": 8082, "grpc": 9000}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert found[probe]["httpGet"]["port"] == "health"
        assert container({})[probe]["httpGet"]["port"] == "http"
    [https, grpc] = service_manifest(PARENT, "r", grpc=True, tls=True)["spec"]["ports"]
    assert (https["port"], https["targetPort"], https["appProtocol"]) == (443, "https", "https")
    assert (grpc["port"], grpc["appProtocol"]) == (9000, "https")


@pytest.mark.parametrize("asked", [TOKENS, TOLD, TLS, MUTUAL, {"access": {"origins": ["*"]}}])
def test_a_change_of_access_comes_up_as_a_version_does(asked: dict[str, Any]) -> None:
    assert revision_of(TARGET, SERVER, spec(asked)) != revision_of(TARGET, SERVER, spec({}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"access": {"oidc": {"issuer": "http://login.example", "audiences": ["m"]}}},
        {"access": {"oidc": {"issuer": "https://login.example?x", "audiences": ["m"]}}},
        {"access": {"oidc": {"issuer": "https://login.example", "audiences": []}}},
        {"access": {"oidc": {**ISSUER, "subjects": []}}},
        {"access": {"origins": ["shop.example"]}},
        {"access": {"origins": ["https://shop.example/"]}},
        {"access": {"tokens": {"name": "a"}}},
        {"tls": {}},
        {"tls": {"secretRef": {"name": "web"}, "clients": "Maybe"}},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        spec(wrong)


def secret(name: str, **values: str) -> dict[str, Any]:
    data = {
        key.replace("_", "."): base64.b64encode(v.encode()).decode() for key, v in values.items()
    }
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


@pytest.mark.parametrize(
    ("asked", "there", "reason", "words"),
    [
        (TOKENS, None, "SecretMissing", "spec.access.tokensRef names the Secret callers"),
        (
            TOKENS,
            secret("callers"),
            "SecretInvalid",
            "spec.access.tokensRef: the Secret callers is",
        ),
        (TOLD, None, "SecretMissing", "with the keys jwks.json"),
        (TOLD, secret("keys", other="{}"), "SecretInvalid", "lacks the key jwks.json"),
        (ASKED, None, "SecretMissing", "spec.access.oidc.authoritiesRef names the Secret ca"),
        (TLS, None, "SecretMissing", "with the keys tls.crt and tls.key"),
        (TLS, secret("web", tls_crt="x"), "SecretInvalid", "lacks the key tls.key"),
        (MUTUAL, secret("web", tls_crt="x", tls_key="y"), "SecretInvalid", "lacks the key ca.crt"),
    ],
)
async def test_a_secret_that_pods_would_wait_for_is_told_and_looked_for(
    world: World, asked: dict[str, Any], there: dict[str, Any] | None, reason: str, words: str
) -> None:
    body = world.put(KIND, "m", {"model": package("a"), **asked})
    if there is not None:
        world.api.put(there)
    result = await once(process(world)(), KIND, "m")
    assert result is not None
    assert result.requeue_after == STALLED_CHECK
    assert summary(body)["reason"] == reason
    assert words in summary(body)["message"]
    assert not world.api.all(DEPLOYMENTS)


async def test_the_address_says_how_what_serves_is_asked(world: World) -> None:
    body = world.put(KIND, "m", {"model": package("a"), "replicas": 1})
    await _come_up(world)
    assert body["status"]["url"].startswith("http://")
    world.api.put(secret("web", tls_crt="x", tls_key="y"))
    world.edit(body, **TLS)
    await until_quiet(world, process(world)(), KIND, "m")
    assert body["status"]["url"].startswith("http://"), "the old one serves on"
    await _come_up(world)
    assert body["status"]["url"].startswith("https://")
    [service] = world.api.all(SERVICES)
    assert [port["name"] for port in service["spec"]["ports"]] == ["https"]


async def _come_up(world: World) -> None:
    for _ in range(4):
        for one in world.api.all(DEPLOYMENTS):
            come_up(one)
        await until_quiet(world, process(world)(), KIND, "m")
