"""A version that the policy does not allow does not come up; the one that serves goes on."""

from typing import Any

import pytest
from tests.unit.children.world import World, condition_types, summary, until_quiet
from tests.unit.deployment.scene import KIND, answering, come_up, package, process, served
from tests.unit.policy.scene import put_policy, remove_policy

from tidemill.kube.resources import DEPLOYMENTS, SECRETS

NAME = "m"
FORBIDS = "rules: {maxResources: {total: {memory: 2Gi}}}"
SMALL = {"resources": {"limits": {"memory": "512Mi"}}}


async def run(world: World) -> None:
    await until_quiet(world, process(world)(), KIND, NAME)


async def rolled(world: World) -> None:
    for _ in range(3):
        await run(world)
        for body in world.api.all(DEPLOYMENTS):
            come_up(body)


async def up(world: World, replicas: int = 2) -> dict[str, Any]:
    body = world.put(KIND, NAME, {"model": package("a"), "replicas": replicas})
    await rolled(world)
    assert summary(body)["reason"] == "Ready"
    return body


def sizes(world: World) -> list[int]:
    return [body["spec"]["replicas"] for body in world.api.all(DEPLOYMENTS)]


async def test_it_does_not_come_up(world: World) -> None:
    put_policy(world, FORBIDS)
    body = world.put(KIND, NAME, {"model": package("a"), "replicas": 3})
    await run(world)
    assert (summary(body)["status"], summary(body)["reason"]) == ("False", "PolicyViolated")
    assert "its 3 pod(s) may use 3Gi of memory" in summary(body)["message"]
    assert "Stalled" in condition_types(body)
    assert (world.api.all(DEPLOYMENTS), world.api.all(SECRETS)) == ([], [])
    remove_policy(world)
    await rolled(world)
    assert summary(body)["reason"] == "Ready"


async def test_what_serves_goes_on_while_the_next_version_is_held(world: World) -> None:
    body = await up(world)
    put_policy(world, FORBIDS)
    world.edit(body, model=package("b"), replicas=3)
    await rolled(world)
    assert summary(body)["reason"] == "PolicyViolated"
    assert "keeps serving" in summary(body)["message"]
    assert (answering(world), sizes(world)) == (2, [2]), "nor is it made larger"
    assert served(world)["stable"]["version"] == "a" * 12
    world.edit(body, template=SMALL)
    await rolled(world)
    assert summary(body)["reason"] == "Ready"
    assert served(world)["stable"]["version"] == "b" * 12


async def test_a_policy_ends_no_server(world: World) -> None:
    body = await up(world, replicas=3)
    put_policy(world, FORBIDS)
    await rolled(world)
    assert (summary(body)["reason"], sizes(world)) == ("Ready", [3])


@pytest.mark.parametrize(
    ("replicas", "reason", "expected"),
    [
        pytest.param(4, "PolicyViolated", [3], id="more pods are new pods"),
        pytest.param(1, "Ready", [1], id="fewer are none"),
    ],
)
async def test_its_size(world: World, replicas: int, reason: str, expected: list[int]) -> None:
    body = await up(world, replicas=3)
    put_policy(world, FORBIDS)
    world.edit(body, replicas=replicas)
    await rolled(world)
    assert (summary(body)["reason"], sizes(world)) == (reason, expected)


@pytest.mark.parametrize(
    "aside",
    [
        pytest.param({"model": {"run": "not-there"}}, id="no model to judge"),
        pytest.param({"template": SMALL, "model": package("b")}, id="a small one that never comes"),
    ],
)
async def test_what_serves_does_not_grow_beside_a_target_that_is_allowed(
    world: World, aside: dict[str, Any]
) -> None:
    body = await up(world, replicas=2)
    put_policy(world, FORBIDS)
    world.edit(body, replicas=3, **aside)
    await run(world)
    await run(world)
    old = next(b for b in world.api.all(DEPLOYMENTS) if answers(b))
    assert old["spec"]["replicas"] == 2
    world.edit(body, replicas=1)
    await run(world)
    assert old_size(world, old) == 1, "fewer pods are always allowed"
    world.edit(body, replicas=3)
    remove_policy(world)
    await run(world)
    assert old_size(world, old) == 3


def answers(body: dict[str, Any]) -> bool:
    return bool(body.get("status", {}).get("readyReplicas"))


def old_size(world: World, old: dict[str, Any]) -> int:
    name = old["metadata"]["name"]
    found = (b for b in world.api.all(DEPLOYMENTS) if b["metadata"]["name"] == name)
    size: int = next(found)["spec"]["replicas"]
    return size


async def test_suspended_it_asks_for_nothing(world: World) -> None:
    body = await up(world)
    put_policy(world, "rules: {labels: {team: '*'}}")
    world.edit(body, suspend=True, model=package("b"))
    await run(world)
    assert summary(body)["reason"] == "Suspended"


async def test_a_policy_with_a_fault_holds_what_is_new(world: World) -> None:
    body = await up(world)
    put_policy(world, "rules: []")
    world.edit(body, model=package("b"))
    await run(world)
    assert summary(body)["reason"] == "PolicyInvalid"
    assert answering(world) == 2
