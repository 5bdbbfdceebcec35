"""Sends traces to the collector, in a thread of its own, in batches; never in anybody's way.

What waits is bounded: what comes when there is no room is dropped and counted, and so is what the
collector does not take in a time. A request pays for one entry in a queue. At the end of the
process what is there is still sent, within bounds.
"""

import logging
import math
import random
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from tidemill_server.traces.collector import Verdict
from tidemill_server.traces.trace import Trace

MOST_WAITING = 2048  # traces, about a kilobyte each
MOST_SENT = 128  # of them in a message
PAUSE_SECONDS = 1.0  # for a message to fill
POST_SECONDS = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # between two tries
KEPT_SECONDS = 120.0  # a message that is not taken by then is dropped

log = logging.getLogger(__name__)


class Writes(Protocol):
    """What is needed of `tidemill_server.traces.messages.Writer`."""

    def write(self, traces: Iterable[Trace]) -> bytes:
        """One message for them all."""

    def rejected(self, answer: bytes) -> int:
        """How many spans of a message that was taken were not."""


class Takes(Protocol):
    """What is needed of `tidemill_server.traces.collector.Collector`."""

    where: str

    def post(self, message: bytes, seconds: float) -> Verdict:
        """Send one; never raises for what the collector does."""

    def close(self) -> None:
        """Nothing more is sent."""


class Exporter:
    """`add` is for the event loop, `stop` for a thread that may wait; the rest is its own thread's.

    Each count is written by one thread only.
    """

    def __init__(self, writer: Writes, collector: Takes) -> None:
        self._writer, self._collector = writer, collector
        self._waiting: deque[Trace] = deque()
        self._full, self._stopping = threading.Event(), threading.Event()
        self._until = math.inf
        self._overflowed = self._lost = self._sending = 0
        self.sent = 0
        self._away = False
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many found no room, or nobody who took them."""
        return self._overflowed + self._lost

    def add(self, trace: Trace) -> None:
        waiting = len(self._waiting)
        if waiting >= MOST_WAITING:
            self._overflowed += 1
            return
        self._waiting.append(trace)
        if waiting + 1 == MOST_SENT:
            self._full.set()

    def stop(self, seconds: float) -> None:
        """Send what is there, for no longer than this."""
        self._until = time.monotonic() + seconds
        self._stopping.set()
        self._full.set()
        self._thread.join(seconds)
        if left := len(self._waiting) + self._sending:
            log.warning("traces were not sent before the end", extra={"traces": left})

    def _run(self) -> None:
        stopping = False
        while not stopping:
            self._full.wait(PAUSE_SECONDS)
            self._full.clear()
            stopping = self._stopping.is_set()  # before looking: what came until then is sent
            there = len(self._waiting)  # what comes meanwhile is for the next message
            while there > 0:
                self._send([self._waiting.popleft() for _ in range(min(there, MOST_SENT))])
                there -= MOST_SENT
        self._collector.close()

    def _send(self, traces: list[Trace]) -> None:
        self._sending = len(traces)
        try:
            taken = self._taken(self._writer.write(traces), len(traces))
        except Exception:  # a fault of ours must not be the end of all traces
            log.exception("traces could not be sent")
            taken = 0
        self.sent += taken
        self._lost += len(traces) - taken
        self._sending = 0

    def _taken(self, message: bytes, count: int) -> int:
        """How many of a message's traces the collector takes in the end."""
        give_up, pause = time.monotonic() + KEPT_SECONDS, FIRST_PAUSE
        while True:
            left = max(self._until - time.monotonic(), 0.1)
            verdict = self._collector.post(message, min(POST_SECONDS, left))
            if not verdict.why:
                return self._answered(verdict.answer, count)
            self._warn(verdict.why)
            wait = verdict.after
            if wait is None:
                wait = pause * random.uniform(0.8, 1.2)  # noqa: S311 - spreads replicas
            if not verdict.again or not self._rested(wait, give_up):
                return 0
            pause = min(pause * 2, LONGEST_PAUSE)

    def _rested(self, seconds: float, give_up: float) -> bool:
        """Wait, unless that is longer than the message is kept, or than there is until the end."""
        if time.monotonic() + seconds > min(give_up, self._until):
            return False
        if self._stopping.is_set():
            time.sleep(seconds)
        else:
            self._stopping.wait(seconds)  # the end is near: try once more at once
        return True

    def _answered(self, answer: bytes, count: int) -> int:
        if self._away:
            log.info("the collector of traces answers again")
        self._away = False
        spans = self._writer.rejected(answer)
        if spans:
            log.warning("the collector of traces refuses spans", extra={"spans": spans})
        return count - min(spans, count)

    def _warn(self, why: str) -> None:
        """Once, until it answers again."""
        if not self._away:
            log.warning("the collector of traces %s takes none: %s", self._collector.where, why)
        self._away = True
