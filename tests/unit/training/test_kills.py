"""A TrainingRun from nothing to its record, with the operator killed at any of its writes."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.children.world import World, live_through
from tests.unit.training.scene import DIGEST, NEWER, SPEC, VERSION, cluster, process, put_dataset

from tidemill.kube.resources import JOBS, SECRETS, TRAINING_RUNS

WRITES = 5


async def lived(world: World, die_at: int = 0) -> dict[str, Any]:
    """Live through it; what there is in the end."""
    put_dataset(world)
    world.put("TrainingRun", "r", SPEC)
    world.api.die_at = die_at
    await live_through(world, process(world), ("TrainingRun", "r"), cluster(world))
    status = dict(world.api.one(TRAINING_RUNS)["status"])
    return {
        "conditions": [(c["type"], c["status"], c["reason"]) for c in status["conditions"]],
        **{key: status[key] for key in ("applied", "artifact", "metrics", "job")},
        "children": sorted((r.kind, name) for r, _, name in world.api.objects),
    }


async def test_undisturbed(world: World) -> None:
    found = await lived(world)
    assert found["conditions"] == [("Succeeded", "True", "Succeeded")]
    assert found["applied"]["datasetVersion"] == VERSION
    assert found["artifact"]["digest"] == DIGEST
    assert len(world.api.created) == 2  # the Job and its Secret
    assert len(world.api.writes) <= WRITES


@pytest.mark.parametrize("n", range(1, WRITES + 1))
async def test_killed_after_any_write(new_world: Callable[[], World], n: int) -> None:
    expected = await lived(new_world())
    world = new_world()
    assert await lived(world, n) == expected
    assert len(world.api.created) == 2


@pytest.mark.parametrize("n", range(1, 12))
async def test_killed_while_it_is_suspended_and_resumed(world: World, n: int) -> None:
    put_dataset(world)
    body = world.put("TrainingRun", "r", SPEC)
    world.api.die_at = n
    key = ("TrainingRun", "r")

    def waits() -> None:
        """Have a pod that stays for long."""

    await live_through(world, process(world), key, waits)
    world.edit(body, suspend=True)
    await live_through(world, process(world), key, waits)
    assert world.api.all(JOBS) == []
    put_dataset(world, NEWER)
    world.edit(body, suspend=False)
    await live_through(world, process(world), key, cluster(world))
    status = world.api.one(TRAINING_RUNS)["status"]
    assert status["conditions"][0]["status"] == "True"
    assert status["applied"]["datasetVersion"] == VERSION
    assert [name.split()[0] for name in world.api.created].count("Job") == 2
    assert (len(world.api.all(JOBS)), len(world.api.all(SECRETS))) == (1, 1)
