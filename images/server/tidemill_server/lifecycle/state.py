"""What the server is doing: loading, ready or draining, and the words for it.

Ready means that the model answers. While draining the server is not ready, so that no new client
is sent here, and still answers whoever comes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from tidemill_server.answers import Answer, json_answer
from tidemill_server.batching.batcher import Batcher
from tidemill_server.explain.explainer import Explains
from tidemill_server.features.lookup import Lookup
from tidemill_server.package.signature import Signature
from tidemill_server.plain.columns import Field, fields_of
from tidemill_server.protocol.errors import ProtocolError

RETRY_SECONDS = 1
ISSUER_UNAVAILABLE = "IssuerUnavailable"


class Phase(StrEnum):
    """Where the process is on its way."""

    LOADING = "Loading"
    READY = "Ready"
    DRAINING = "Draining"


@dataclass(frozen=True)
class Served:
    """The model that answers: what it takes, who runs it, who looks features up, if anybody.

    `card` is what the package tells of it beside, `platform` the protocol's word for its format.
    """

    signature: Signature
    batcher: Batcher
    lookup: Lookup | None = None
    card: Mapping[str, Any] = field(default_factory=dict)
    platform: str = ""
    explainer: Explains | None = None
    unexplained: str = ""  # why there is none

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The columns that a row may have."""
        return fields_of(self.signature, self.lookup)


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

    def model(self) -> Served:
        """What answers; raises ProtocolError where nothing does yet."""
        if self.served is None:
            message = f"the model is not ready: {self.message}"
            raise ProtocolError(503, message, retry_after=RETRY_SECONDS)
        return self.served

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

    def follow(self, reason: str, why: str) -> None:
        """Somebody else answers: ready as long as nothing is said against it."""
        if self.phase is not Phase.DRAINING:
            self.phase = Phase.LOADING if why else Phase.READY
            self.reason = reason if why else "Ready"
            self.message = why or "the model answers"

    def drain(self) -> None:
        """No new clients, please."""
        self.phase = Phase.DRAINING
        self.reason = "Draining"
        self.message = "the server stops and finishes what runs"


def readiness(state: State, about: Mapping[str, Any]) -> Answer:
    """What a probe is told, and why."""
    if state.ready:
        return json_answer({**about, "ready": True})
    body = {
        **about,
        "ready": False,
        "reason": state.reason,
        "message": state.message,
        "error": f"not ready: {state.message}",
    }
    answer = json_answer(body, 503)
    answer.headers = ((b"retry-after", str(RETRY_SECONDS).encode()),)
    return answer
