"""The order in which a process begins and ends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from tidemill.engine.key import Key
from tidemill.engine.lease import Lease
from tidemill.engine.metrics import Metrics
from tidemill.engine.probes import Progress
from tidemill.engine.process import Parts, Process
from tidemill.engine.queue import Queue, Queues
from tidemill.engine.result import Result
from tidemill.engine.resync import Resync
from tidemill.engine.worker import Controller, Limits

pytestmark = pytest.mark.looptime
KEY = Key("Dataset", "default", "d")


class Story:
    """A process of fakes that tells what happened, and when."""

    def __init__(self, **faults: Any) -> None:
        self.faults = faults
        self.told: list[tuple[float, str]] = []
        self.queue = Queue()
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry)
        limits = Limits(workers=2, seconds=1000)
        queues = Queues({"Dataset": self.queue})
        self.progress = Progress(queues.items(), 60)
        controller = Controller(self.queue, self.reconcile, metrics.controller("d"), limits)
        self.process = Process(
            Parts(
                lease=cast("Lease", self),
                queues=queues,
                controllers=[controller],
                resync=Resync((self.keys,), self.queue.add),
                watch=self.watch,
                progress=self.progress,
                metrics=metrics,
                drain_seconds=20,
            )
        )

    def tell(self, what: str) -> None:
        self.told.append((asyncio.get_running_loop().time(), what))

    async def acquire(self) -> None:
        await asyncio.sleep(self.faults.get("acquire", 1))
        self.tell("leads")

    async def keep(self) -> None:
        await asyncio.sleep(self.faults.get("keep", 1000))
        self.tell("loses the lease")

    async def release(self) -> None:
        self.tell("releases")

    async def keys(self) -> AsyncIterator[Key]:
        yield KEY

    async def reconcile(self, _: Key) -> Result:
        self.tell("reconciles")
        await asyncio.sleep(self.faults.get("reconcile", 5))
        self.tell("has reconciled")
        return Result.done()

    async def watch(self, started: asyncio.Event, stop: asyncio.Event) -> None:
        self.tell("watches")
        started.set()
        self.queue.add(KEY)
        try:
            async with asyncio.timeout(self.faults.get("watch", 1000)):
                await stop.wait()
        finally:
            self.tell("watches no more")

    async def run(self, stop_at: float = 3) -> int:
        asyncio.get_running_loop().call_later(stop_at, self.process.stop.set)
        return await self.process.run()


async def test_asked_to_stop_it_drains_then_stops_watching_then_gives_the_lease_back() -> None:
    story = Story()
    assert await story.run() == 0
    assert story.told == [
        (1, "leads"),
        (1, "watches"),
        (1, "reconciles"),
        (6, "has reconciled"),
        (6, "watches no more"),
        (6, "releases"),
    ]


async def test_a_reconcile_that_takes_too_long_is_cut_off() -> None:
    story = Story(reconcile=500)
    assert await story.run() == 0
    assert story.told[-2:] == [(23, "watches no more"), (23, "releases")]


async def test_a_watch_that_fails_ends_the_process_with_an_error() -> None:
    story = Story(watch=10)
    assert await story.run(stop_at=100) == 1
    assert story.told[-2:] == [(11, "watches no more"), (11, "releases")]


async def test_a_lost_lease_ends_the_process_with_an_error() -> None:
    story = Story(keep=10)
    assert await story.run(stop_at=100) == 1


async def test_stopped_before_it_leads_it_has_done_nothing() -> None:
    story = Story(acquire=50)
    assert await story.run() == 0
    assert story.told == []


async def test_what_the_probes_and_metrics_say_on_the_way() -> None:
    story = Story()
    said: list[object] = []

    def look() -> None:
        leader = story.registry.get_sample_value(
            "leader_election_master_status", {"name": "tidemill"}
        )
        said.append((story.progress.unready(), leader))

    for when in (0.5, 2, 4):
        asyncio.get_running_loop().call_later(when, look)
    await story.run()
    assert said == [
        ("waits for the Lease", None),
        (None, 1),
        ("waits for its end", 1),
    ]
