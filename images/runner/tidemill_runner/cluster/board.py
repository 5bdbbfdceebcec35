"""Where the pods of one run find their scheduler: an object in the run's folder of the store."""

import json
import os
import socket
from dataclasses import asdict, dataclass

from tidemill.store import digests, errors
from tidemill_runner.storage import Storage

NAME = "scheduler"
WAITS = ".waits"
MAX_BYTES = 64 * 1024
POD_IP = "TIDEMILL_POD_IP"


@dataclass(frozen=True)
class Notice:
    """A scheduler's address; who holds certificate and key belongs to the run.

    Without an address the work is over.
    """

    address: str = ""
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True)
class Board:
    """The notice below a prefix."""

    store: Storage
    prefix: str

    def put(self, notice: Notice) -> None:
        self.store.put(self._key, digests.canonical_json(asdict(notice)))

    def look(self) -> Notice | None:
        """What is there; None for nothing, or nothing that can be read."""
        try:
            return Notice(**json.loads(self.store.get(self._key, MAX_BYTES)))
        except (errors.NotFound, errors.TooLarge, ValueError, TypeError):
            return None

    def wait_in_line(self, worker: int) -> None:
        """Say that a worker looks for a scheduler here."""
        self.store.put(self._place(worker), b"")

    def is_in_line(self, worker: int) -> bool:
        """Whether that is still said; the first pod takes it away when all is done."""
        place = self._place(worker)
        return any(info.key == place for info in self.store.list(place))

    def waiting(self) -> int:
        """How many have said so; some of them may be lost since."""
        return sum(info.key.endswith(WAITS) for info in self.store.list(self.prefix))

    def clear(self) -> None:
        self.store.delete([self._key])

    def _place(self, worker: int) -> str:
        return f"{self.prefix}{worker}{WAITS}"

    @property
    def _key(self) -> str:
        return f"{self.prefix}{NAME}"


def own_address() -> str:
    """The address at which other pods reach this one, as it stands in a URL."""
    found = os.environ.get(POD_IP) or socket.gethostbyname(socket.gethostname())
    return f"[{found}]" if ":" in found else found
