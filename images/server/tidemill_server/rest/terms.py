"""What all connections have in common: who answers, within which bounds, and who looks after them.

One timer looks at all connections: one for each would be set and taken back with each request.
"""

import asyncio
import math
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tidemill_server.answers import Answer
from tidemill_server.limits.budget import Budget
from tidemill_server.rest.heads import Heads
from tidemill_server.rest.request import Request

if TYPE_CHECKING:
    from tidemill_server.rest.connection import Connection

NEVER = math.inf
LOOKS = 4  # in the shortest of the times that are watched
SHORTEST_LOOK, LONGEST_LOOK = 0.01, 1.0


class Answerer(Protocol):
    """What answers requests."""

    def answer(self, request: Request) -> Awaitable[Answer]:
        """Never raises, unless it is cancelled: then the client has gone."""


@dataclass(frozen=True)
class Patience:
    """Seconds: for a head or trailer that has begun to end, for an answer to be taken; and without
    a word, at first or between two requests."""

    head: float
    silent: float


@dataclass
class Terms:
    """`retiring`: every client is asked to connect anew."""

    answerer: Answerer
    heads: Heads
    patience: Patience
    budget: Budget | None = None  # in which answers that wait to be taken count
    retiring: bool = False
    connections: "set[Connection]" = field(default_factory=set)
    _timer: asyncio.TimerHandle | None = None

    def add(self, connection: "Connection") -> None:
        self.connections.add(connection)
        if self._timer is None:
            self._look_later()

    def _look_later(self) -> None:
        shortest = min(self.patience.head, self.patience.silent)
        pause = min(max(shortest / LOOKS, SHORTEST_LOOK), LONGEST_LOOK)
        self._timer = asyncio.get_running_loop().call_later(pause, self._look)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for connection in list(self.connections):
            connection.look(now)
        if self.connections:
            self._look_later()
