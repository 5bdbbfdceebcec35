"""A Dataset from nothing to a version, with the operator killed at any of its writes."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.children.world import World, live_through
from tests.unit.dataset.scene import SPEC, VERSION, cluster, process

from tidemill.kube.resources import DATASETS, JOBS, SECRETS

pytestmark = pytest.mark.usefixtures("source")
WRITES = 6


async def lived(world: World, die_at: int = 0) -> dict[str, Any]:
    """Live through it; what there is in the end."""
    world.put("Dataset", "d", SPEC)
    world.api.die_at = die_at
    await live_through(world, process(world), ("Dataset", "d"), cluster(world))
    status = dict(world.api.one(DATASETS)["status"])
    return {
        "conditions": [(c["type"], c["status"], c["reason"]) for c in status["conditions"]],
        "version": (status["version"], len(status["versions"])),
        "ingest": {k: v for k, v in status["ingest"].items() if not k.endswith("Time")},
        "children": sorted((r.kind, name) for r, _, name in world.api.objects),
    }


async def test_undisturbed(world: World) -> None:
    found = await lived(world)
    assert found["conditions"] == [("Ready", "True", "Ready")]
    assert found["version"] == (VERSION, 1)
    assert len(world.api.created) == 2  # the Job and its Secret
    assert len(world.api.writes) <= WRITES


@pytest.mark.parametrize("n", range(1, WRITES + 1))
async def test_killed_after_any_write(new_world: Callable[[], World], n: int) -> None:
    expected = await lived(new_world())
    world = new_world()
    assert await lived(world, n) == expected
    assert len(world.api.created) == 2


def failing_once(world: World) -> Callable[[], None]:
    """Run the Jobs; the first one fails for a passing fault."""
    run, failed = cluster(world), False

    def first_fails() -> None:
        nonlocal failed
        for job in world.api.all(JOBS):
            if not failed:
                world.end_job(job, "Failed", "BackoffLimitExceeded")
                failed = True
        run()

    return first_fails


@pytest.mark.parametrize("n", range(1, 13))
async def test_killed_while_an_attempt_follows_another(world: World, n: int) -> None:
    world.put("Dataset", "d", SPEC)
    world.api.die_at = n
    await live_through(world, process(world), ("Dataset", "d"), failing_once(world))
    status = world.api.one(DATASETS)["status"]
    assert (status["version"], len(status["versions"])) == (VERSION, 1)
    assert [name.split()[0] for name in world.api.created].count("Job") == 2
    assert (len(world.api.all(JOBS)), len(world.api.all(SECRETS))) == (1, 1)
