"""A controller: the workers that take keys from one queue and reconcile them.

What can come of a reconcile, and what then:

- `Result`: the failures of the key are forgotten; it comes back when the result asks for it.
- `Retry`: said in one line; back after the pause it asks for, or after its backoff.
- `Stalled`: belongs into a condition; one that arrives here is said and waits for an event or the
  resync, since no retry mends it.
- `Bug`, any other exception, running out of time: said with the traceback; back after its backoff.

No key is lost, and no exception ends a worker.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tidemill.engine import logs
from tidemill.engine.errors import Retry, Stalled
from tidemill.engine.key import Key
from tidemill.engine.metrics import ControllerMetrics
from tidemill.engine.queue import Queue
from tidemill.engine.result import Result

Reconcile = Callable[[Key], Awaitable[Result]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a controller does at once, and for how long."""

    workers: int = 16
    seconds: float = 120.0


class Controller:
    """Runs one kind's `reconcile` on the keys of one queue."""

    def __init__(
        self, queue: Queue, reconcile: Reconcile, metrics: ControllerMetrics, limits: Limits
    ) -> None:
        """Prepare; nothing runs before `run`."""
        self._queue = queue
        self._reconcile = reconcile
        self._metrics = metrics
        self._limits = limits

    async def run(self) -> None:
        """Work until the queue is closed and the reconciles under way have ended."""
        self._metrics.workers.set(self._limits.workers)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._limits.workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while (key := await self._queue.get()) is not None:
            self._metrics.active.inc()
            try:
                with logs.bound(key):
                    await self._process(key)
            finally:
                self._metrics.active.dec()
                self._queue.done(key)

    async def _process(self, key: Key) -> None:
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._limits.seconds):
                result = await self._reconcile(key)
        except Stalled as error:
            self._metrics.terminal.inc()
            self._metrics.terminal_errors.inc()
            self._queue.forget(key)
            logger.warning("Reconcile stalled: %s", error)
        except Retry as error:
            pause = self._failed(key, error.after)
            logger.warning("Reconcile to be retried in %.1f s: %s", pause, error)
        except asyncio.CancelledError:
            if _is_being_cancelled():
                raise  # otherwise something inside was cancelled, not this worker
            logger.exception("Reconcile failed; to be retried in %.1f s", self._failed(key))
        except Exception:
            logger.exception("Reconcile failed; to be retried in %.1f s", self._failed(key))
        else:
            self._succeeded(key, result)
        self._metrics.seconds.observe(asyncio.get_running_loop().time() - started)

    def _succeeded(self, key: Key, result: Result) -> None:
        self._queue.forget(key)
        if result.requeue_after is None:
            self._metrics.success.inc()
        else:
            self._metrics.requeue_after.inc()
            self._queue.add(key, result.requeue_after)

    def _failed(self, key: Key, after: float | None = None) -> float:
        self._metrics.error.inc()
        self._metrics.errors.inc()
        return self._queue.retry(key, after)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
