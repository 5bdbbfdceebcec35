"""The life of the operator's process: lead, work, end in order.

    serve probes ─ take the Lease ─ work: controllers, resync, watches ─ stop ─ drain ─ give back

It ends when a signal asks for it (exit 0), or when a part that must run for ever does not (exit 1).
At the end running reconciles are given `drain_seconds`; the Lease is kept meanwhile, and given back
last, when nothing of this process can write any more. A process that does not lead does nothing.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidemill.engine.lease import Lease
from tidemill.engine.metrics import Metrics
from tidemill.engine.probes import Progress
from tidemill.engine.queue import Queues
from tidemill.engine.resync import Resync
from tidemill.engine.worker import Controller

Watch = Callable[[asyncio.Event, asyncio.Event], Awaitable[None]]  # (started, stop)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a process is made of."""

    lease: Lease
    queues: Queues
    controllers: Sequence[Controller]
    resync: Resync
    watch: Watch
    progress: Progress
    metrics: Metrics
    drain_seconds: float = 20.0


@dataclass(slots=True)
class Process:
    """One run of the operator."""

    parts: Parts
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> int:
        """Live until asked to stop or until a part fails; gives the exit code."""
        self.take_signals()
        beat = asyncio.create_task(self.parts.progress.watch_loop(self.parts.metrics))
        try:
            if not await self._unless_stopped(self.parts.lease.acquire()):
                return 0
            keep = asyncio.create_task(self.parts.lease.keep(), name="lease")
            try:
                return await self._lead(keep)
            finally:
                await _cancel(keep)
                await self.parts.lease.release()
                self.parts.metrics.leader.labels("tidemill").set(0)
        finally:
            await _cancel(beat)

    def take_signals(self) -> None:
        """Let SIGTERM and SIGINT ask for the end, whoever had taken them before."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)

    async def _unless_stopped(self, work: Awaitable[None]) -> bool:
        """Wait for `work`; False when the end is asked for first."""
        task = asyncio.ensure_future(work)
        stopped = asyncio.create_task(self.stop.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        done = task.done()
        await _cancel(stopped)
        if not done:
            await _cancel(task)
            return False
        await task
        return True

    async def _lead(self, keep: asyncio.Task[None]) -> int:
        """Work until the stop, a lost Lease, or a part that ends by itself."""
        self.parts.metrics.leader.labels("tidemill").set(1)
        self.parts.progress.waits_for = "the watches to start"
        work = [asyncio.create_task(c.run(), name="controller") for c in self.parts.controllers]
        resync = asyncio.create_task(self.parts.resync.run(), name="resync")
        started, stop_watch = asyncio.Event(), asyncio.Event()
        watch = asyncio.create_task(self._watch(started, stop_watch), name="watches")
        stopped = asyncio.create_task(self.stop.wait(), name="stop")
        try:
            parts = {keep, resync, watch, *work}
            await asyncio.wait({stopped, *parts}, return_when=asyncio.FIRST_COMPLETED)
            failed = [task for task in parts if task.done()]
            for task in failed:
                logger.error("The %s ended: %s", task.get_name(), _outcome(task))
            return 1 if failed else 0
        finally:
            self.parts.progress.waits_for = "its end"
            await _cancel(stopped)
            await _cancel(resync)
            await self._drain(work)
            stop_watch.set()
            await asyncio.wait({watch})

    async def _watch(self, started: asyncio.Event, stop: asyncio.Event) -> None:
        watches = asyncio.ensure_future(self.parts.watch(started, stop))
        begun = asyncio.create_task(started.wait())
        await asyncio.wait({watches, begun}, return_when=asyncio.FIRST_COMPLETED)
        await _cancel(begun)
        self.take_signals()  # the watches' framework has taken them for itself
        if started.is_set() and not self.stop.is_set():
            self.parts.progress.waits_for = None
        await watches

    async def _drain(self, work: Sequence[asyncio.Task[None]]) -> None:
        """Let running reconciles end, for a while."""
        self.parts.queues.close()
        pending = {task for task in work if not task.done()}
        if pending:
            _, late = await asyncio.wait(pending, timeout=self.parts.drain_seconds)
            for task in late:
                logger.warning("Reconciles still running after the time to drain are cut off")
                await _cancel(task)


async def _cancel(task: "asyncio.Future[Any]") -> None:
    """End a task and wait until it has ended, whatever it says."""
    task.cancel()
    await asyncio.wait({task})


def _outcome(task: asyncio.Task[None]) -> str:
    if task.cancelled():
        return "cancelled"
    return repr(task.exception()) if task.exception() else "without an error"
