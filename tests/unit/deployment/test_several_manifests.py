"""What is in the Deployment of several models: nothing of which they are."""

import copy
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, SERVER, World, until_quiet
from tests.unit.deployment.scene import KIND, come_up, digest, package
from tests.unit.deployment.several import NAME, Servers, model, up

from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.deployment.manifests import deployment_manifest
from tidemill.deployment.observed import view
from tidemill.deployment.target import SEVERAL, Target
from tidemill.kube.resources import DEPLOYMENTS

ENTRY = {"name": "a", "run": "r"}
PARENT = {"metadata": {"name": NAME, "namespace": NAMESPACE, "uid": "u1"}}


def made(*models: dict[str, Any], **changes: Any) -> dict[str, Any]:
    asked = {"models": list(models) or [ENTRY], "replicas": 3, **changes}
    return deployment_manifest(PARENT, ModelDeploymentSpec.model_validate(asked), SEVERAL, SERVER)


def environment(manifest: dict[str, Any]) -> dict[str, str]:
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one["value"] for one in container["env"]}


def test_the_server_is_told_where_its_list_is() -> None:
    manifest = made()
    told = environment(manifest)
    assert told["TIDEMILL_MODELS"] == "/etc/tidemill/store/models.json"
    assert told["TIDEMILL_MODEL_NAME"] == NAME
    of_one = {"TIDEMILL_MODEL_URI", "TIDEMILL_MODEL_DIGEST", "TIDEMILL_MODEL_VERSION"}
    assert (of_one | {"TIDEMILL_MODEL_PUBLIC_KEYS", "TIDEMILL_RUNTIME"}).isdisjoint(told)
    pod = manifest["spec"]["template"]["spec"]
    [store] = [one for one in pod["volumes"] if one["name"] == "store"]
    assert store["secret"]["secretName"] == manifest["metadata"]["name"]
    mounts = {one["name"]: one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
    assert mounts["store"] == "/etc/tidemill/store"


def test_but_for_what_is_loaded_it_is_as_for_one_model() -> None:
    one = ModelDeploymentSpec.model_validate({"model": package("a"), "replicas": 3})
    alone = deployment_manifest(PARENT, one, Target(**package("a")), SERVER)
    pods = [copy.deepcopy(body["spec"]["template"]["spec"]) for body in (alone, made())]
    for pod in pods:
        del pod["containers"][0]["env"]
        del pod["volumes"][0]["secret"]["secretName"]
    assert pods[0] == pods[1]
    assert alone["metadata"]["name"] != made()["metadata"]["name"]


@pytest.mark.parametrize(
    "models",
    [
        [ENTRY, {"name": "b", "run": "s"}],
        [{"name": "b", **package("b")}],
        [{**ENTRY, "limits": {"rows": 1, "inFlight": 2, "memory": "1Gi"}}],
        [{**ENTRY, "verification": {"publicKeys": ["pem"]}}],
    ],
    ids=["one more", "another", "limits", "keys"],
)
def test_another_list_is_the_same_deployment(models: list[dict[str, Any]]) -> None:
    assert made(*models) == made()


@pytest.mark.parametrize(
    "changes",
    [
        {"template": {"nodeSelector": {"disk": "fast"}}},
        {"access": {"origins": ["https://shop.example"]}},
        {"tls": {"secretRef": {"name": "cert"}}},
        {"grpc": "Enabled"},
        {"runtime": "Native"},
        {"explain": "Enabled"},
        {"page": "Disabled"},
        {"traces": {"endpoint": "http://collector:4318"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_shapes_the_pods_is_another(changes: dict[str, Any]) -> None:
    assert made(**changes)["metadata"]["name"] != made()["metadata"]["name"]


def test_a_deployment_of_several_is_read_back_as_that() -> None:
    body = made()
    body["metadata"] |= {"uid": "u2", "generation": 1}
    come_up(body)
    found = view(body)
    assert (found.target, found.target.packaged, found.available) == (SEVERAL, False, True)


@pytest.mark.parametrize(("boosting", "image"), [(("r", "with-trees"), "with-trees"), ((), SERVER)])
async def test_the_image_is_that_for_boosted_trees_whatever_the_list_says(
    world: World, servers: Servers, boosting: tuple[str, ...], image: str
) -> None:
    world.boosting = boosting
    body = await up(servers, model("a", "a"))
    world.edit(body, models=[model("b", "c")])
    await until_quiet(world, servers.process()(), KIND, NAME)
    [container] = world.api.one(DEPLOYMENTS)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == image
    assert digest("c")[7:] not in str(world.api.one(DEPLOYMENTS)["spec"])
