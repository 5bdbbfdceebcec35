"""A ModelDeployment from nothing to a version and on to the next, killed at any of its writes."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.children.world import World, live_through
from tests.unit.deployment.scene import (
    KIND,
    answering,
    cluster,
    digest,
    package,
    process,
    served,
)

from tidemill.kube.resources import DEPLOYMENTS, SECRETS

WRITES = 16


async def lived(world: World, die_at: int = 0) -> dict[str, Any]:
    """Live through a first version and a second one; what there is in the end."""
    body = world.put(KIND, "m", {"model": package("a"), "replicas": 2})
    run = cluster(world)
    world.api.die_at = die_at
    await live_through(world, process(world), (KIND, "m"), run)
    world.edit(body, model=package("b"))
    await live_through(world, process(world), (KIND, "m"), run)
    status = served(world)
    return {
        "conditions": [(c["type"], c["status"], c["reason"]) for c in status["conditions"]],
        **{key: status.get(key) for key in ("stable", "next", "replicas", "url")},
        "children": sorted((r.kind, name) for r, _, name in world.api.objects),
        "answering": answering(world),
    }


async def test_undisturbed(world: World) -> None:
    found = await lived(world)
    assert found["conditions"] == [("Ready", "True", "Ready")]
    assert (found["stable"]["digest"], found["next"]) == (digest("b"), None)
    assert (found["answering"], found["replicas"]) == (2, "2/2")
    assert (len(world.api.all(DEPLOYMENTS)), len(world.api.all(SECRETS))) == (1, 1)
    assert len(world.api.created) == 5  # the Service; two Deployments and their Secrets
    assert len(world.api.writes) <= WRITES


@pytest.mark.parametrize("n", range(1, WRITES + 1))
async def test_killed_after_any_write(new_world: Callable[[], World], n: int) -> None:
    expected = await lived(new_world())
    world = new_world()
    assert await lived(world, n) == expected
    assert len(world.api.created) == 5


@pytest.mark.parametrize("n", range(1, 17))
async def test_killed_while_the_target_goes_there_and_back(world: World, n: int) -> None:
    body = world.put(KIND, "m", {"model": package("a"), "replicas": 2})
    run = cluster(world)
    await live_through(world, process(world), (KIND, "m"), run)
    world.api.die_at = len(world.api.writes) + n

    def stuck() -> None:
        """Have pods that do not come up."""
        assert answering(world) == 2

    for letter, meanwhile in (("b", stuck), ("c", stuck), ("a", run)):
        world.edit(body, model=package(letter))
        await live_through(world, process(world), (KIND, "m"), meanwhile)
    assert served(world)["stable"]["digest"] == digest("a")
    assert answering(world) == 2
    assert (len(world.api.all(DEPLOYMENTS)), len(world.api.all(SECRETS))) == (1, 1)
