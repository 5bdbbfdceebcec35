"""A container of the user's behind the server: its pod, how it is rolled out, what it may be."""

import json
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, SERVER, World, once, summary, until_quiet
from tests.unit.deployment.scene import (
    KIND,
    answering,
    cluster,
    come_up,
    digest,
    package,
    process,
    served,
)
from tests.unit.policy.scene import put_policy, remove_policy

from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.deployment.behind import SERVER_RESOURCES
from tidemill.deployment.manifests import DEFAULT_RESOURCES, deployment_manifest, revision_of
from tidemill.deployment.observed import Target, view
from tidemill.kube.resources import DEPLOYMENTS, SECRETS, SERVICES

Body = dict[str, Any]
NAME = "m"
REPOSITORY = "registry.example.org/ml/peaks"


def image(letter: str) -> str:
    return f"{REPOSITORY}@{digest(letter)}"


def model(letter: str = "a", **changes: Any) -> Body:
    return {"container": {"image": image(letter), **changes}}


def pod(changes: Body | None = None, **spec: Any) -> Body:
    asked = ModelDeploymentSpec.model_validate({"model": model(**(changes or {})), **spec})
    parent = {"metadata": {"name": NAME, "namespace": NAMESPACE, "uid": "u1"}}
    target = Target(image("a"), digest("a"))
    manifest = deployment_manifest(parent, asked, target, SERVER)
    found: Body = manifest["spec"]["template"]["spec"]
    return found


def both(found: Body) -> tuple[Body, Body]:
    """The server and the user's container."""
    [server], [users] = found["containers"], found["initContainers"]
    return server, users


def env(container: Body) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container["env"]}


def test_the_server_is_told_where_the_container_is() -> None:
    server, users = both(pod())
    assert (server["image"], users["image"]) == (SERVER, image("a"))
    assert (
        env(server).items()
        >= {
            "TIDEMILL_UPSTREAM": "http://127.0.0.1:8081",
            "TIDEMILL_UPSTREAM_PROTOCOL": "OpenInference",
            "TIDEMILL_UPSTREAM_READY": "/v2/health/ready",
            "TIDEMILL_UPSTREAM_SECONDS": "60",
            "TIDEMILL_MODEL_URI": image("a"),
            "TIDEMILL_MODEL_DIGEST": digest("a"),
            "TIDEMILL_MODEL_VERSION": "a" * 12,
            "TIDEMILL_MODEL_NAME": NAME,
        }.items()
    )
    server, _ = both(pod({"protocol": "Http", "port": 9, "timeout": "1m30s"}))
    assert (
        env(server).items()
        >= {
            "TIDEMILL_UPSTREAM": "http://127.0.0.1:9",
            "TIDEMILL_UPSTREAM_PROTOCOL": "Http",
            "TIDEMILL_UPSTREAM_READY": "/",
            "TIDEMILL_UPSTREAM_SECONDS": "90",
        }.items()
    )
    server, _ = both(pod({"protocol": "Http", "ready": "/up"}))
    assert env(server)["TIDEMILL_UPSTREAM_READY"] == "/up"


def test_the_container_sees_nothing_of_ours() -> None:
    found = pod()
    server, users = both(found)
    assert [one["name"] for one in found["volumes"]] == ["tmp", "model-tmp"]
    assert all("emptyDir" in one for one in found["volumes"])
    assert [one["name"] for one in server["volumeMounts"]] == ["tmp"]
    assert users["volumeMounts"] == [{"name": "model-tmp", "mountPath": "/tmp"}]
    assert env(users) == {"PORT": "8081", "TIDEMILL_MODEL_NAME": NAME, "HOME": "/tmp"}
    assert found["automountServiceAccountToken"] is False
    assert "ecret" not in json.dumps(found)


def test_it_is_as_restricted_as_the_server_and_is_ended_after_it() -> None:
    found = pod()
    server, users = both(found)
    assert users["securityContext"] == server["securityContext"]
    assert found["securityContext"]["runAsNonRoot"] is True
    assert users["restartPolicy"] == "Always", "a sidecar ends when the server has"


def test_the_template_is_of_the_container() -> None:
    limits = {"limits": {"memory": "7Gi", "nvidia.com/gpu": "1"}}
    found = pod(template={"resources": limits, "nodeSelector": {"disk": "fast"}})
    server, users = both(found)
    assert users["resources"]["limits"] == limits["limits"]
    assert server["resources"] == SERVER_RESOURCES
    assert found["nodeSelector"] == {"disk": "fast"}
    assert both(pod())[1]["resources"] == DEFAULT_RESOURCES


def test_what_it_runs_and_is_told_is_the_users() -> None:
    own = [{"name": "B", "value": "$(PORT)"}, {"name": "HOME", "value": "/"}]
    _, users = both(pod({"command": ["serve"], "args": ["-v"], "env": own}))
    assert (users["command"], users["args"]) == (["serve"], ["-v"])
    assert [one["name"] for one in users["env"]] == ["PORT", "TIDEMILL_MODEL_NAME", "B", "HOME"]
    assert env(users)["HOME"] == "/"
    assert not {"command", "args"} & both(pod())[1].keys(), "the image's own"


def revision(**changes: Any) -> str:
    asked = ModelDeploymentSpec.model_validate({"model": model(**changes)})
    return revision_of(Target(image("a"), digest("a")), SERVER, asked)


@pytest.mark.parametrize(
    "changes",
    [
        {"command": ["b"]},
        {"args": ["b"]},
        {"env": [{"name": "A", "value": "1"}]},
        {"port": 8082},
        {"protocol": "Http"},
        {"ready": "/up"},
        {"timeout": "2m"},
    ],
)
def test_whatever_changes_of_it_comes_up_as_a_version_does(changes: Body) -> None:
    assert revision(**changes) != revision()
    assert revision(port=8081, protocol="OpenInference", timeout="60s") == revision()


async def run(world: World) -> None:
    await until_quiet(world, process(world)(), KIND, NAME)


async def rolled(world: World) -> None:
    for _ in range(3):
        await run(world)
        for body in world.api.all(DEPLOYMENTS):
            come_up(body)


async def up(world: World, asked: Body, replicas: int = 2) -> Body:
    body = world.put(KIND, NAME, {"model": asked, "replicas": replicas})
    await rolled(world)
    assert summary(body)["reason"] == "Ready"
    return body


async def test_it_is_served_without_a_key_of_the_store(world: World) -> None:
    await up(world, model())
    stable = served(world)["stable"]
    assert (stable["version"], stable["digest"]) == ("a" * 12, digest("a"))
    assert (stable["uri"], stable["replicas"]) == (image("a"), 2)
    assert (world.api.all(SECRETS), world.granted) == ([], 0)
    assert (answering(world), len(world.api.all(SERVICES))) == (2, 1)
    before = len(world.api.writes)
    result = await once(process(world)(), KIND, NAME)
    assert len(world.api.writes) == before
    assert result is not None
    assert result.requeue_after is None, "there are no keys to be renewed"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (model("a"), model("b")),
        (model("a"), package("b")),
        (package("a"), model("b")),
        (model("a"), model("a", args=["-v"])),
    ],
    ids=["another image", "a package", "from a package", "the same image, told other things"],
)
async def test_the_next_version_comes_up_beside_it(world: World, first: Body, then: Body) -> None:
    body = await up(world, first)
    looks = cluster(world)  # which fails where nobody answers any more
    looks()
    world.edit(body, model=then)
    await run(world)
    assert len(world.api.all(DEPLOYMENTS)) == 2
    assert served(world)["stable"]["version"] == "a" * 12
    for _ in range(3):
        looks()
        await run(world)
    [left] = world.api.all(DEPLOYMENTS)
    wanted = then.get("digest") or then["container"]["image"].partition("@")[2]
    assert view(left).target.digest == wanted
    assert served(world)["stable"]["digest"] == wanted
    assert len(world.api.all(SECRETS)) == ("uri" in then)


async def test_what_serves_has_its_size_whatever_becomes_of_the_next(world: World) -> None:
    body = await up(world, model())
    world.edit(body, model={"run": "not-there"}, replicas=5)
    await run(world)
    [left] = world.api.all(DEPLOYMENTS)
    assert left["spec"]["replicas"] == 5
    assert "keeps serving" in summary(body)["message"]
    assert world.granted == 0


async def test_an_image_that_the_policy_does_not_allow_is_not_started(world: World) -> None:
    put_policy(world, "rules: {images: [registry.example.org/other/*]}")
    body = world.put(KIND, NAME, {"model": model()})
    await run(world)
    assert summary(body)["reason"] == "PolicyViolated"
    assert f"spec.model.container.image: {image('a')} is none of images" in summary(body)["message"]
    assert world.api.all(DEPLOYMENTS) == []
    put_policy(world, "rules: {images: [registry.example.org/ml/*]}")
    await rolled(world)
    assert summary(body)["reason"] == "Ready"


async def test_nor_are_more_pods_of_one_that_serves_still(world: World) -> None:
    body = await up(world, model())
    put_policy(world, "rules: {images: [registry.example.org/other/*]}")
    world.edit(body, model={"run": "not-there"}, replicas=5)
    await run(world)
    [left] = world.api.all(DEPLOYMENTS)
    assert left["spec"]["replicas"] == 2
    remove_policy(world)
    await run(world)
    [left] = world.api.all(DEPLOYMENTS)
    assert left["spec"]["replicas"] == 5


async def test_both_containers_count_before_the_policy(world: World) -> None:
    put_policy(world, "rules: {maxResources: {pod: {memory: 1Gi}}}")
    body = world.put(KIND, NAME, {"model": model()})
    await run(world)
    assert summary(body)["reason"] == "PolicyViolated"
    assert "its pod may use 1536Mi of memory" in summary(body)["message"]


async def test_an_image_by_tag_is_not_served(world: World) -> None:
    body = world.put(KIND, NAME, {"model": {"container": {"image": f"{REPOSITORY}:1"}}})
    await run(world)
    assert summary(body)["reason"] == "SpecInvalid"
    assert "spec.model.container.image" in summary(body)["message"]
    assert world.api.created == []


async def test_a_container_that_ends_is_told_beside_what_serves(world: World) -> None:
    body = await up(world, model("a"))
    world.edit(body, model=model("b"))
    await run(world)
    labels = next(
        one["spec"]["template"]["metadata"]["labels"]
        for one in world.api.all(DEPLOYMENTS)
        if view(one).target.digest == digest("b")
    )
    ended = {"lastState": {"terminated": {"exitCode": 3, "message": "no weights"}}}
    side = {"name": "model", "restartPolicy": "Always"}
    world.api.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": NAMESPACE, "labels": labels},
            "spec": {"initContainers": [side], "containers": [{"name": "server"}]},
            "status": {
                "initContainerStatuses": [{"name": "model", "ready": False, **ended}],
                "containerStatuses": [{"name": "server", "ready": False, "state": {"running": {}}}],
            },
        }
    )
    await run(world)
    assert summary(body)["reason"] == "CrashLooping"
    assert "spec.model.container ended with exit code 3" in summary(body)["message"]
    assert "`kubectl logs p -c model`" in summary(body)["message"]
    assert "version aaaaaaaaaaaa keeps serving" in summary(body)["message"]
    assert answering(world) == 2
