"""Runs that another object has stamped out go some time after their end; others stay."""

from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, World, summary
from tests.unit.training.scene import SPEC, cluster, process, put_dataset
from tests.unit.training.test_cache import first
from tests.unit.training.test_reconcile import KIND, NAME, run

from tidemill.engine.key import Key
from tidemill.kube.resources import JOBS, TRAINING_RUNS

OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "maker", "uid": "u", "controller": True}
HOUR = 3600.0


async def ended(world: World, owner: dict[str, Any] | None, **spec: Any) -> dict[str, Any]:
    put_dataset(world)
    marks = {"ownerReferences": [owner]} if owner else {}
    body = world.put(KIND, NAME, {**SPEC, **spec}, **marks)
    await run(world)
    cluster(world)()
    await run(world)
    return body


async def test_a_run_of_another_object_goes_when_its_time_is_over(world: World) -> None:
    body = await ended(world, OWNER, ttlAfterFinished="1h")
    assert summary(body)["status"] == "True"
    again = await process(world)()(Key(KIND, NAMESPACE, NAME))
    assert again.requeue_after == pytest.approx(HOUR, abs=120)
    assert world.api.all(TRAINING_RUNS) == [body]
    world.wait(HOUR)
    await run(world)
    assert world.api.all(TRAINING_RUNS) == []


async def test_nothing_else_need_happen_for_it_to_be_looked_at_again(world: World) -> None:
    """One that takes the result of another ends in the pass that starts it."""
    await first(world)
    world.put(KIND, "second", {**SPEC, "ttlAfterFinished": "1h"}, ownerReferences=[OWNER])
    again = await process(world)()(Key(KIND, NAMESPACE, "second"))
    assert again.requeue_after == pytest.approx(HOUR, abs=120)


async def test_what_it_has_left_in_the_bucket_stays(world: World) -> None:
    await ended(world, OWNER, ttlAfterFinished="1h")
    before = dict(world.store.objects)
    world.wait(2 * HOUR)
    await run(world)
    assert world.store.objects == before


@pytest.mark.parametrize("spec", [{}, {"suspend": False}], ids=["none", "another field"])
async def test_without_a_time_it_stays(world: World, spec: dict[str, Any]) -> None:
    body = await ended(world, OWNER, **spec)
    world.wait(1000 * HOUR)
    await run(world)
    assert world.api.all(TRAINING_RUNS) == [body]


@pytest.mark.parametrize(
    "owner", [None, {**OWNER, "controller": False}], ids=["nobody", "no controller"]
)
async def test_a_run_of_a_user_does_not_start_with_one(
    world: World, owner: dict[str, Any] | None
) -> None:
    body = await ended(world, owner, ttlAfterFinished="1h")
    assert summary(body)["reason"] == "SpecInvalid"
    assert "spec.ttlAfterFinished is for runs that another object owns" in summary(body)["message"]
    assert world.api.all(JOBS) == []


async def test_asked_for_later_it_is_told_and_the_record_stays(world: World) -> None:
    body = await ended(world, None)
    world.edit(body, ttlAfterFinished="1s")
    world.wait(HOUR)
    await run(world)
    assert summary(body)["status"] == "True"
    assert "is a record of yours" in summary(body)["message"]
    assert world.api.all(TRAINING_RUNS) == [body]


async def test_a_time_may_be_given_after_the_end(world: World) -> None:
    body = await ended(world, OWNER)
    world.edit(body, ttlAfterFinished="1s")
    world.wait(10)
    await run(world)
    assert world.api.all(TRAINING_RUNS) == []
