"""The work queue: which keys are to be reconciled, and when. The rules are client-go's.

1. A key is queued at most once, and never processed by two workers at the same time.
2. A key added while it is being processed is queued again when that ends: no change is lost.
3. A key added for later waits until then; of several times the earliest wins; when its processing
   starts for another cause, the waiting time is void: a reconcile says itself what comes next.
4. A key that failed comes back after a random time between zero and a bound that doubles from
   `base` to `limit` (full jitter: keys that failed together do not come back together); success
   resets it.

Everything happens on one event loop and nothing here waits but `get`.
"""

import asyncio
import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random, SystemRandom

from tidemill.engine.errors import Bug
from tidemill.engine.key import Key
from tidemill.engine.metrics import QueueMetrics


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses after failures, in seconds."""

    base: float = 1.0
    limit: float = 300.0
    random: Random = field(default_factory=SystemRandom)

    def pause(self, failures: int) -> float:
        """Draw the pause after the n-th failure in a row."""
        doublings = min(failures - 1, 30)  # beyond it is over any limit, and would overflow
        return self.random.uniform(0, min(self.limit, self.base * 2**doublings))


class Queue:
    """The keys of one controller."""

    def __init__(self, backoff: Backoff | None = None, metrics: QueueMetrics | None = None) -> None:
        """Start empty and open."""
        self._backoff = backoff or Backoff()
        self._metrics = metrics or QueueMetrics.unobserved()
        self._ready: dict[Key, float] = {}  # in order of arrival, with the time of it
        self._running: dict[Key, float] = {}
        self._again: dict[Key, float] = {}  # added while running
        self._later: dict[Key, float] = {}  # the time that counts; the heap may hold stale ones
        self._heap: list[tuple[float, Key]] = []
        self._failures: dict[Key, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._getters: list[asyncio.Future[None]] = []
        self._closed = False

    def add(self, key: Key, after: float = 0.0) -> None:
        """Ask for a reconcile of `key`, now or in `after` seconds. Cheap, and safe to repeat."""
        now = asyncio.get_running_loop().time()
        if after <= 0:
            self._add_now(key, now)
        elif key not in self._ready and key not in self._again:
            self._add_later(key, now + after)

    def retry(self, key: Key, after: float | None = None) -> float:
        """Bring a failed key back: after its backoff, or in `after` seconds. Gives the pause."""
        self._failures[key] = failures = self._failures.get(key, 0) + 1
        pause = self._backoff.pause(failures) if after is None else after
        self._metrics.retries.inc()
        self.add(key, pause)
        return pause

    def forget(self, key: Key) -> None:
        """Count the failures of `key` from zero again."""
        self._failures.pop(key, None)

    async def get(self) -> Key | None:
        """Take the oldest key, waiting for one; None when the queue has been closed.

        Whoever takes a key must call `done` with it, whatever happens.
        """
        while not self._ready and not self._closed:
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                if getter.done() and not getter.cancelled():
                    self._wake_one()  # the wake-up was ours: pass it on
                raise
            finally:
                if getter in self._getters:
                    self._getters.remove(getter)
        return None if self._closed else self._take()

    def done(self, key: Key) -> None:
        """Say that the processing of `key` has ended, well or badly."""
        now = asyncio.get_running_loop().time()
        started = self._running.pop(key)
        self._metrics.work_seconds.observe(now - started)
        if key in self._again:
            self._make_ready(key, self._again.pop(key))

    def close(self) -> None:
        """Give out no more keys; those being processed may end."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while self._getters:
            self._wake_one()

    def oldest_seconds(self) -> float:
        """Tell for how long the oldest key has been ready without a worker taking it."""
        if not self._ready:
            return 0.0
        return asyncio.get_running_loop().time() - next(iter(self._ready.values()))

    def longest_running_seconds(self) -> float:
        """Tell for how long the slowest reconcile has been running."""
        if not self._running:
            return 0.0
        return asyncio.get_running_loop().time() - min(self._running.values())

    def __len__(self) -> int:
        """Count the keys that are ready for a worker."""
        return len(self._ready)

    @property
    def running(self) -> int:
        """Count the keys that a worker has."""
        return len(self._running)

    def _add_now(self, key: Key, now: float) -> None:
        if key in self._running:
            self._again.setdefault(key, now)
        elif key not in self._ready:
            self._later.pop(key, None)
            self._make_ready(key, now)

    def _add_later(self, key: Key, when: float) -> None:
        if when < self._later.get(key, float("inf")):
            self._later[key] = when
            heapq.heappush(self._heap, (when, key))
            self._set_timer()

    def _make_ready(self, key: Key, since: float) -> None:
        self._ready[key] = since
        self._metrics.adds.inc()
        self._metrics.depth.set(len(self._ready))
        self._wake_one()

    def _take(self) -> Key:
        now = asyncio.get_running_loop().time()
        key = next(iter(self._ready))
        since = self._ready.pop(key)
        if key in self._running:
            raise Bug(f"{key} was about to be processed twice")
        self._running[key] = now
        self._later.pop(key, None)
        self._metrics.depth.set(len(self._ready))
        self._metrics.queue_seconds.observe(now - since)
        return key

    def _wake_one(self) -> None:
        while self._getters:
            getter = self._getters.pop(0)
            if not getter.done():
                getter.set_result(None)
                return

    def _set_timer(self) -> None:
        """Aim the one timer at the earliest time that still counts."""
        while self._heap and self._later.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        when = self._heap[0][0] if self._heap else None
        if self._timer is not None and (when is None or self._timer.when() != when):
            self._timer.cancel()
            self._timer = None
        if self._timer is None and when is not None and not self._closed:
            self._timer = asyncio.get_running_loop().call_at(when, self._due)

    def _due(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._heap and self._heap[0][0] <= now:
            when, key = heapq.heappop(self._heap)
            if self._later.get(key) == when:
                del self._later[key]
                self._add_now(key, now)
        self._set_timer()


class Queues:
    """The queues of all controllers as one: a key goes to the queue of its kind."""

    def __init__(self, queues: Mapping[str, Queue]) -> None:
        """Take a queue for each kind."""
        self._queues = dict(queues)

    def add(self, key: Key, after: float = 0.0) -> None:
        """Ask for a reconcile of `key`, now or in `after` seconds."""
        self._queues[key.kind].add(key, after)

    def close(self) -> None:
        """Give out no more keys of any kind."""
        for queue in self._queues.values():
            queue.close()

    def items(self) -> list[tuple[str, Queue]]:
        """Give each kind with its queue."""
        return list(self._queues.items())
