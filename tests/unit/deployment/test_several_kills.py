"""A server of several models from nothing to another list and other pods, killed at any write."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.children.world import World, live_through
from tests.unit.deployment.scene import KIND, digest, served
from tests.unit.deployment.several import NAME, Servers, model, of_run, the_list

WRITES = 19


async def lived(world: World, die_at: int = 0) -> dict[str, Any]:
    servers = Servers(world)
    body = world.put(KIND, NAME, {"models": [model("a", "a"), model("b", "b")], "replicas": 2})
    world.api.die_at = die_at
    for change in (
        {},
        {"models": [model("b", "c"), model("d", "d")]},
        {"models": [of_run("b", "next"), model("d", "d")]},
        {"template": {"resources": {"limits": {"memory": "2Gi"}}}},
    ):
        world.edit(body, **change)
        await live_through(world, servers.process(), (KIND, NAME), servers.run)
    status = served(world)
    return {
        "conditions": [(c["type"], c["status"], c["reason"]) for c in status["conditions"]],
        **{key: status.get(key) for key in ("stable", "next", "replicas", "url", "models")},
        "children": sorted((r.kind, name) for r, _, name in world.api.objects),
        "answers": servers.answers(),
        "list": the_list(world),
    }


async def test_undisturbed(world: World) -> None:
    found = await lived(world)
    assert found["conditions"] == [
        ("Ready", "True", "WaitingForRun"),
        ("Reconciling", "True", "WaitingForRun"),
    ]
    assert found["answers"] == {"b": digest("c"), "d": digest("d")}
    assert [one["ready"] for one in found["models"]] == ["2/2", "2/2"]
    assert len(world.api.writes) == WRITES


@pytest.mark.parametrize("n", range(1, WRITES + 1))
async def test_killed_after_any_write(new_world: Callable[[], World], n: int) -> None:
    expected = await lived(new_world())
    assert await lived(new_world(), n) == expected
