"""Whatever wakes a Dataset, and when: its schedule alone says when the source is listed."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from tests.unit.children.world import NAMESPACE, World, summary
from tests.unit.dataset.scene import process
from tests.unit.dataset.scheduled_scene import (
    KIND,
    NAME,
    ONE,
    Counted,
    delivered,
    look,
    ready,
    run_jobs,
    wake,
    whys,
)

from tidemill.engine.key import Key
from tidemill.engine.metrics import Metrics
from tidemill.engine.queue import Queue
from tidemill.engine.worker import Controller, Limits
from tidemill.kube.resources import JOBS

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["wake", "wake twice", "deliver", "remove", "jobs", "suspend", "resume"]),
        st.sampled_from([0.0, 0.5, 1.0, 9.75, 11.0, 60.0, 600.0, 1799.0, 3600.0, 10_000.0]),
    ),
    min_size=1,
    max_size=40,
)


@given(steps=STEPS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_wakes_it_no_look_is_between_times_and_none_is_lost(
    monkeypatch: pytest.MonkeyPatch, new_world: Any, steps: list[tuple[str, float]]
) -> None:
    world, raw = new_world(), delivered(monkeypatch)
    asyncio.run(_live(world, raw, steps))


async def _live(world: World, raw: Counted, steps: list[tuple[str, float]]) -> None:
    body = await ready(world)
    ended: datetime | None = world.now  # when the last look ended; None while one is open
    for number, (step, seconds) in enumerate(steps):
        world.wait(seconds)
        if step == "deliver":
            raw.objects[f"d/{number}.csv"] = b"a\n2\n"
        elif step == "remove" and len(raw.objects) > 1:
            raw.objects.popitem()
        elif step == "jobs":
            run_jobs(world)
        elif step in {"suspend", "resume"}:
            world.edit(body, suspend=step == "suspend")
        for _ in range(2 if step == "wake twice" else 1):
            before, jobs = raw.listings, [job["metadata"]["name"] for job in world.api.all(JOBS)]
            await wake(world)
            hour = world.now.replace(minute=0, second=0, microsecond=0)
            if body["spec"].get("suspend") or (ended and hour <= ended):
                assert raw.listings == before
                assert [job["metadata"]["name"] for job in world.api.all(JOBS)] == jobs
                continue
            assert raw.listings == before + 1
            ended = world.now if summary(body)["reason"] == "Ready" else None
    world.edit(body, suspend=False)
    world.wait(3600)
    await look(world)
    found = body["status"]
    assert found["source"]["objects"] == len(raw.objects)
    newest = hashlib.sha256(found["source"]["fingerprint"].encode()).hexdigest()
    assert found["version"] == f"sha256:{newest}"
    assert set(whys(body)) <= {"Created", "Scheduled"}


@pytest.mark.looptime
async def test_the_queue_brings_it_back_at_its_times(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = delivered(monkeypatch)
    await ready(world)
    loop, listed = asyncio.get_running_loop(), []
    began, zero, list_now = world.now, loop.time(), raw.list

    async def noted(prefix: str) -> Any:
        listed.append(world.clock())
        return await list_now(prefix)

    monkeypatch.setattr(raw, "list", noted)
    monkeypatch.setattr(
        World, "clock", lambda _: began + timedelta(seconds=round(loop.time() - zero, 6))
    )
    queue = Queue()
    metrics = Metrics(CollectorRegistry()).controller("datasets")
    controller = Controller(queue, process(world)(), metrics, Limits())
    running = asyncio.create_task(controller.run())
    queue.add(Key(KIND, NAMESPACE, NAME))
    await asyncio.sleep(3 * 3600)
    queue.close()
    await running
    assert listed == [ONE + timedelta(hours=number) for number in range(3)]
