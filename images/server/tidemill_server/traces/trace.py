"""A request that is recorded: whose it is, when its stages ended, and how it did.

Stages follow one another without a gap, so each is told by its end alone: the request is read, its
features are looked up, it waits for its batch, the batch is predicted, explanations are made, the
answer is written. One that does not come to its end is not told.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns, time_ns
from typing import NamedTuple

from tidemill_server.metrics.registry import Outcome
from tidemill_server.protocol.infer import Stamp


@dataclass(slots=True)  # not frozen: one is made for each request that is recorded
class Asked:
    """What was asked, and for whom; `parent` is empty where the trace begins here."""

    trace: bytes
    parent: bytes
    state: str
    path: str
    prediction: str
    rpc: bool


class Stage(NamedTuple):
    """It begins where the one before it ends. `rows`: of the whole batch, where that is known."""

    name: str
    ended: int
    rows: int = 0


class Trace:
    """Made and filled on the event loop; read by another thread once it has ended.

    Times are those of a clock that nobody sets; `offset` makes them nanoseconds since 1970. The
    status is HTTP's also where the request is gRPC's; there is none where its client has left.
    """

    __slots__ = (
        *("asked", "began", "ended", "model", "offset", "outcome", "rows", "stages", "status"),
        "_whole",
    )

    def __init__(self, asked: Asked, whole: "Callable[[Trace], None]") -> None:
        self.asked = asked
        self._whole = whole
        self.began = self.ended = perf_counter_ns()
        self.offset = time_ns() - self.began
        self.stages: list[Stage] = []
        self.rows = 0
        self.status: int | None = None
        self.outcome = Outcome.GONE
        self.model: Stamp | None = None  # that was asked, where that is known

    @property
    def id(self) -> str:
        """As logs and pages write it."""
        return self.asked.trace.hex()

    def mark(self, stage: str) -> None:
        """A stage has ended now."""
        self.stages.append(Stage(stage, perf_counter_ns()))

    # From the batcher.

    def queued(self, rows: int) -> None:
        self.rows = rows
        if not self.stages:
            self.mark("read")

    def taken(self) -> None:
        self.mark("queue")

    def predicted(self, rows: int) -> None:
        self.stages.append(Stage("inference", perf_counter_ns(), rows))

    def end(self, status: int | None, outcome: Outcome) -> None:
        """The request has ended: whoever sends traces may have this one."""
        self.ended = perf_counter_ns()
        self.status, self.outcome = status, outcome
        if outcome is Outcome.OK:
            self.stages.append(Stage("encode", self.ended))
        self._whole(self)
