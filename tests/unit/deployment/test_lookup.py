"""What a ModelDeployment's pods are told of an online store, and what of its Secret is told."""

import base64
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.children.world import NAMESPACE, SERVER, World, once, summary, until_quiet
from tests.unit.deployment.scene import KIND, answering, come_up, package, process

from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.deployment.decide import STALLED_CHECK
from tidemill.deployment.manifests import deployment_manifest, revision_of
from tidemill.deployment.observed import Target
from tidemill.kube.resources import DEPLOYMENTS, SECRETS

TARGET = Target(**package("a"))
ADDRESS = "redis.example.org:6379"
OPEN = {"online": {"address": ADDRESS}}
LOCKED = {"online": {"address": ADDRESS, "credentialsRef": {"name": "redis"}}}


def spec(features: dict[str, Any] | None) -> ModelDeploymentSpec:
    asked = {"features": features} if features else {}
    return ModelDeploymentSpec.model_validate({"model": package("a"), **asked})


def pod(features: dict[str, Any] | None, networks: tuple[str, ...] = ()) -> dict[str, Any]:
    parent = {"metadata": {"name": "m", "namespace": NAMESPACE, "uid": "u1"}}
    manifest = deployment_manifest(parent, spec(features), TARGET, SERVER, networks)
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return found


def told(found: dict[str, Any]) -> dict[str, str]:
    [container] = found["containers"]
    return {one["name"]: one["value"] for one in container["env"] if one["name"] in VARIABLES}


VARIABLES = (
    *("TIDEMILL_ONLINE_ADDRESS", "TIDEMILL_ONLINE_TLS", "TIDEMILL_ONLINE_NAMESPACE"),
    *("TIDEMILL_ONLINE_SECONDS", "TIDEMILL_ONLINE_UNAVAILABLE", "TIDEMILL_ONLINE_SECRET"),
    "TIDEMILL_HTTP_ALLOWED_NETWORKS",
)


def test_without_features_nothing_is_told() -> None:
    found = pod(None, ("10.0.0.0/8",))
    assert told(found) == {}
    assert [one["name"] for one in found["volumes"]] == ["store", "scratch", "tmp"]


def test_the_server_is_told_where_to_look() -> None:
    assert told(pod(OPEN)) == {
        "TIDEMILL_ONLINE_ADDRESS": ADDRESS,
        "TIDEMILL_ONLINE_TLS": "VerifyFull",
        "TIDEMILL_ONLINE_NAMESPACE": NAMESPACE,
        "TIDEMILL_ONLINE_SECONDS": "0.05",
        "TIDEMILL_ONLINE_UNAVAILABLE": "Fail",
    }
    features = {**LOCKED, "timeout": "1s200ms", "onUnavailable": "Missing"}
    found = told(pod(features, ("10.0.0.0/8", "fd12::/16")))
    assert found["TIDEMILL_ONLINE_SECONDS"] == "1.2"
    assert found["TIDEMILL_ONLINE_UNAVAILABLE"] == "Missing"
    assert found["TIDEMILL_HTTP_ALLOWED_NETWORKS"] == "10.0.0.0/8,fd12::/16"


def test_the_secret_is_mounted_for_reading_and_nowhere_else() -> None:
    found = pod(LOCKED)
    [container] = found["containers"]
    [volume] = [one for one in found["volumes"] if one["name"] == "online"]
    [mount] = [one for one in container["volumeMounts"] if one["name"] == "online"]
    assert volume["secret"] == {"secretName": "redis"}
    assert mount["readOnly"] is True
    assert told(found)["TIDEMILL_ONLINE_SECRET"] == mount["mountPath"]
    assert "online" not in [one["name"] for one in pod(OPEN)["volumes"]]


@pytest.mark.parametrize(
    ("features", "other"),
    [
        (None, OPEN),
        (OPEN, LOCKED),
        (OPEN, {"online": {"address": "redis:6380"}}),
        (OPEN, {"online": {**OPEN["online"], "tls": "Disable"}}),
        (OPEN, {**OPEN, "timeout": "60ms"}),
        (OPEN, {**OPEN, "onUnavailable": "Missing"}),
    ],
)
def test_other_features_are_another_revision(features: Any, other: Any) -> None:
    revisions = {revision_of(TARGET, SERVER, spec(one)) for one in (features, other)}
    assert len(revisions) == 2


def test_defaults_that_are_written_out_are_the_same_revision() -> None:
    written = {
        "online": {"address": ADDRESS, "tls": "VerifyFull"},
        "timeout": "50ms",
        "onUnavailable": "Fail",
    }
    revisions = {revision_of(TARGET, SERVER, spec(one)) for one in (OPEN, written)}
    assert len(revisions) == 1


def test_no_features_are_the_revision_that_there_was() -> None:
    # As it was before there were features: a new operator moves no traffic.
    assert revision_of(TARGET, SERVER, spec(None)) == "b4f4b90ab4"


@pytest.mark.parametrize(
    "features",
    [
        {},
        {"online": {"address": ADDRESS}, "timeout": "0.05"},
        {"online": {"address": ADDRESS}, "timeout": "1m"},
        {"online": {"address": ADDRESS}, "onUnavailable": "Guess"},
        {"online": {"address": ADDRESS, "tls": "On"}},
        {"online": {"address": ADDRESS, "ttl": "1d"}},
    ],
    ids=["no store", "timeout a number", "timeout in minutes", "unavailable", "tls", "ttl"],
)
def test_features_that_cannot_be_are_refused(features: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        spec({"onUnavailable": "Fail", **features})


def put_secret(world: World, **values: str) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"name": "redis", "namespace": NAMESPACE}
    world.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


@pytest.mark.parametrize(
    ("values", "reason", "tells"),
    [
        (None, "SecretMissing", "names the Secret redis, which does not exist in namespace ns"),
        ({"username": "ann"}, "SecretInvalid", "the Secret redis lacks the key password"),
        ({"password": ""}, "SecretInvalid", "the Secret redis lacks the key password"),
    ],
    ids=["none", "no password", "an empty password"],
)
async def test_a_secret_that_opens_nothing_is_told_and_healed(
    world: World, values: dict[str, str] | None, reason: str, tells: str
) -> None:
    if values is not None:
        put_secret(world, **values)
    body = world.put(KIND, "m", {"model": package("a"), "features": LOCKED})
    result = await once(process(world)(), KIND, "m")
    assert result is not None
    assert result.requeue_after == STALLED_CHECK  # nothing tells when it is there
    assert summary(body)["reason"] == reason
    assert "spec.features.online.credentialsRef" in summary(body)["message"]
    assert tells in summary(body)["message"]
    assert not world.api.all(DEPLOYMENTS)

    put_secret(world, password="hush")
    await until_quiet(world, process(world)(), KIND, "m")
    [deployment] = world.api.all(DEPLOYMENTS)
    assert "hush" not in str(deployment)
    assert "hush" not in str(body["status"])


async def test_a_version_that_serves_goes_on_without_the_secret(world: World) -> None:
    put_secret(world, password="hush")
    body = world.put(KIND, "m", {"model": package("a"), "features": LOCKED})
    for _ in range(3):
        await until_quiet(world, process(world)(), KIND, "m")
        for one in world.api.all(DEPLOYMENTS):
            come_up(one)
    assert summary(body)["reason"] == "Ready"

    world.edit(body, features={**LOCKED, "timeout": "9ms"})
    [secret] = [one for one in world.api.all(SECRETS) if one["metadata"]["name"] == "redis"]
    world.api.remove(secret)
    await until_quiet(world, process(world)(), KIND, "m")
    assert summary(body)["reason"] == "SecretMissing"
    assert summary(body)["message"].endswith("version aaaaaaaaaaaa keeps serving")
    assert answering(world) == 1
