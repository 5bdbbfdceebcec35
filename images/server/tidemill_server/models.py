"""The models of a server, as gRPC asks for them: by a name in the message."""

from dataclasses import dataclass
from typing import Protocol

from tidemill_server.accounts import Accounts
from tidemill_server.inference import Inference
from tidemill_server.lifecycle.state import State
from tidemill_server.protocol.errors import Header, ProtocolError, shown

READY = "READY"  # in an index


@dataclass(frozen=True)
class Model:
    """A model that answers, or will. `told`: what its answers say of it beside the server's own."""

    state: State
    inference: Inference
    accounts: Accounts
    told: tuple[Header, ...] = ()

    def check(self, name: str, version: str) -> None:
        """Raises ProtocolError where another one is asked for."""
        stamp = self.inference.stamp
        if name != stamp.name:
            raise ProtocolError(404, f"no model {shown(name)} here; there is {stamp.name!r}")
        if version not in ("", stamp.version):
            raise ProtocolError(
                404, f"no version {shown(version)} here; there is {stamp.version!r}"
            )


class Models(Protocol):
    """Whoever knows which there are."""

    @property
    def only(self) -> Model | None:
        """The one that there is, where there can be no other."""

    def named(self, name: str) -> Model:
        """Raises ProtocolError where there is none of that name."""

    def index(self) -> list[dict[str, str]]:
        """Each with its name, version, state and the reason, in Triton's words."""


class One:
    """A server with one model."""

    def __init__(self, model: Model) -> None:
        self.only: Model | None = model
        self._model = model

    def named(self, name: str) -> Model:
        self._model.check(name, "")
        return self._model

    def index(self) -> list[dict[str, str]]:
        return [indexed(self._model.inference, self._model.state)]


def indexed(inference: Inference, state: State) -> dict[str, str]:
    """What an index says of a model."""
    stamp = inference.stamp
    found = {"name": stamp.name, "version": stamp.version, "state": READY, "reason": ""}
    if state.served is None:
        loading = state.reason == "Loading"
        found |= {
            "state": "LOADING" if loading else "UNAVAILABLE",
            "reason": state.message if loading else f"{state.reason}: {state.message}",
        }
    return found
