"""Do we make progress? What the kubelet asks, answered by what moves and not by what exists.

Alive means: the event loop turns, no key has been waiting for a worker longer than
`stuck_seconds`, and no reconcile outlives its time limit by that much. Ready means: this process
leads and its watches run.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from tidemill.engine.metrics import Metrics
from tidemill.engine.queue import Queue

TICK_SECONDS = 1.0


@dataclass(slots=True)
class Progress:
    """What the probes look at."""

    queues: Iterable[tuple[str, Queue]]
    stuck_seconds: float
    waits_for: str | None = "the Lease"
    _beat: float | None = field(default=None, init=False)

    async def watch_loop(self, metrics: Metrics) -> None:
        """Measure, each second, how late the event loop is."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self._beat = loop.time()
            metrics.loop_lag.set(max(0.0, self._beat - due))

    def stuck(self) -> str | None:
        """Say what makes no progress; None when all is well."""
        now = asyncio.get_running_loop().time()
        if self._beat is not None and now - self._beat > self.stuck_seconds:
            return f"the event loop's clock stands still for {now - self._beat:.0f} s"
        for name, queue in self.queues:
            if queue.oldest_seconds() > self.stuck_seconds:
                return f"a {name} has waited {queue.oldest_seconds():.0f} s for a worker"
            if queue.longest_running_seconds() > self.stuck_seconds:
                return f"a {name} is being reconciled for {queue.longest_running_seconds():.0f} s"
        return None

    def unready(self) -> str | None:
        """Say why this process does no work yet; None when it does."""
        return f"waits for {self.waits_for}" if self.waits_for else self.stuck()
