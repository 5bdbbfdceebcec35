"""What the server is doing: loading, ready or draining, and the words for it.

Ready means that the model answers. While draining the server is not ready, so that no new client
is sent here, and still answers whoever comes.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from tidemill_server.batching.batcher import Batcher
from tidemill_server.features.lookup import Lookup
from tidemill_server.package.signature import Signature


class Phase(StrEnum):
    """Where the process is on its way."""

    LOADING = "Loading"
    READY = "Ready"
    DRAINING = "Draining"


@dataclass(frozen=True)
class Served:
    """The model that answers: what it takes, who runs it, who looks features up, if anybody."""

    signature: Signature
    batcher: Batcher
    lookup: Lookup | None = None


@dataclass
class State:
    """Written by start and stop, read by every request."""

    phase: Phase = Phase.LOADING
    reason: str = "Loading"
    message: str = "the server starts"
    served: Served | None = field(default=None)

    @property
    def ready(self) -> bool:
        return self.phase is Phase.READY

    def waiting(self, reason: str, message: str) -> None:
        """Say why it takes longer; a state later than loading is left as it is."""
        if self.phase is Phase.LOADING:
            self.reason = reason
            self.message = message

    def serve(self, served: Served) -> None:
        """The model answers."""
        self.served = served
        if self.phase is Phase.LOADING:
            self.phase = Phase.READY
            self.reason = "Ready"
            self.message = "the model answers"

    def drain(self) -> None:
        """No new clients, please."""
        self.phase = Phase.DRAINING
        self.reason = "Draining"
        self.message = "the server stops and finishes what runs"
