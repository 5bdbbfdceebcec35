"""A policy's faults are told where an administrator looks, and a change wakes who waits for it."""

import logging
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry
from tests.unit.children.world import NAMESPACE, World
from tests.unit.policy.scene import put_policy, remove_policy

from tidemill.engine.context import Context
from tidemill.engine.key import Key
from tidemill.engine.queue import Queues
from tidemill.kube.errors import Forbidden
from tidemill.kube.resources import CONFIG_MAPS
from tidemill.policy.permit import policy_key
from tidemill.policy.watch import LOOK_SECONDS, PolicyMetrics, PolicyWatch

RUN = Key("TrainingRun", NAMESPACE, "r")
FAULTY = "rules: {imges: []}"


class Watched:
    """A watch of a world, with what it put into the queue."""

    def __init__(self, world: World) -> None:
        base = world.context()
        self.added: list[Key] = []
        self.registry = CollectorRegistry()
        self.context = Context(
            base.client, base.events, cast("Queues", self), base.waiters, base.settings, base.clock
        )
        self.watch = PolicyWatch(self.context, PolicyMetrics(self.registry))
        self.key = policy_key(self.context)

    def add(self, key: Key, after: float = 0.0) -> None:  # noqa: ARG002
        self.added.append(key)

    def wait(self) -> None:
        self.context.waiters.subscribe(self.key, RUN)

    async def look(self) -> list[Key]:
        self.added.clear()
        result = await self.watch.reconcile(self.key)
        assert result.requeue_after == LOOK_SECONDS
        return list(self.added)

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"tidemill_policy_{name}")


@pytest.fixture
def watched(world: World) -> Watched:
    return Watched(world)


async def test_a_change_wakes_who_waits(world: World, watched: Watched) -> None:
    put_policy(world, "rules: {images: []}")
    await watched.look()
    watched.wait()
    assert await watched.look() == [], "nothing has changed"
    put_policy(world, "rules: {}")
    assert await watched.look() == [RUN]
    assert await watched.look() == [], "woken once"


async def test_its_removal_wakes_who_waits(world: World, watched: Watched) -> None:
    put_policy(world, "rules: {images: []}")
    await watched.look()
    watched.wait()
    remove_policy(world)
    assert await watched.look() == [RUN]
    assert (watched.metric("present"), watched.metric("invalid")) == (0.0, 0.0)


async def test_a_fault_is_told(
    world: World, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    put_policy(world, FAULTY)
    with caplog.at_level(logging.ERROR):
        await watched.look()
        await watched.look()
    [event] = world.api.events
    assert (event["type"], event["reason"]) == ("Warning", "PolicyInvalid")
    assert event["involvedObject"]["kind"] == "ConfigMap"
    assert "rules.imges" in event["message"]
    assert len(caplog.records) == 1, "told once"
    assert (watched.metric("present"), watched.metric("invalid")) == (1.0, 1.0)
    put_policy(world, "rules: {}")
    await watched.look()
    assert watched.metric("invalid") == 0.0


async def test_one_that_cannot_be_read_counts_as_a_fault(world: World, watched: Watched) -> None:
    put_policy(world, "rules: {}")
    await watched.look()
    world.api.unreadable[CONFIG_MAPS] = Forbidden("no right", status=403)
    with pytest.raises(Forbidden):
        await watched.look()
    assert watched.metric("invalid") == 1.0
    del world.api.unreadable[CONFIG_MAPS]
    await watched.look()
    assert watched.metric("invalid") == 0.0


async def test_without_a_policy_nothing_is_told(
    world: World, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await watched.look()
    seen: tuple[Any, ...] = (world.api.events, caplog.records, watched.metric("present"))
    assert seen == ([], [], 0.0)
