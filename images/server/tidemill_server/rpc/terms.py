"""What all connections of a server have in common: who answers, and within which bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tidemill_server.access.guard import Guard
from tidemill_server.limits.budget import Budget
from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.rpc.calls import Call, Reply
from tidemill_server.rpc.frames import Header
from tidemill_server.settings import Limits

SMALL_BYTES = 4096

if TYPE_CHECKING:
    from tidemill_server.rpc.connection import Connection


class Answerer(Protocol):
    """What answers calls, and hears of those that need no answer any more."""

    async def answer(self, call: Call) -> Reply:
        """Never raises, unless it is cancelled."""

    def refused(self, call: Call, error: ProtocolError) -> Reply:
        """Say why the call is not even read to its end."""

    def gone(self, call: Call) -> None:
        """The client has left before there was an answer."""


@dataclass(slots=True)
class Terms:
    """`head` begins every answer; `connections` are those that are open.

    `retiring`: every client is to connect anew, also one that has come since.
    """

    answerer: Answerer
    budget: Budget
    limits: Limits
    head: tuple[Header, ...]
    connections: "set[Connection]"
    retiring: bool = False
    guard: Guard | None = None
    open_to_all: frozenset[bytes] = frozenset()  # paths that no guard stands before
    large: bytes = b""  # the path of which messages may be as large as bodies

    def most(self, path: bytes) -> int:
        """Bytes of a message: what asks for no prediction names something, and no more."""
        return self.limits.body_bytes if path == self.large else SMALL_BYTES

    def turned_away(self, path: bytes, headers: Sequence[Header]) -> ProtocolError | None:
        """Why its sender may not ask this; None where it may."""
        if self.guard is None or path in self.open_to_all:
            return None
        try:
            self.guard.check(headers)
        except ProtocolError as error:
            return error
        return None
