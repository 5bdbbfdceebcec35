"""Which requests are recorded: those whose trace is, and of the others one of so many.

A request that is not recorded costs a look at its headers and one draw; nothing is made for it.
"""

import os
import random
from collections.abc import Iterable

from tidemill.store.addresses import AllowedNetworks
from tidemill.store.database_addresses import DatabaseAddresses, api_server
from tidemill_server.protocol.infer import Stamp
from tidemill_server.settings import Tracing
from tidemill_server.traces.collector import Collector
from tidemill_server.traces.context import (
    UNRECORDED,
    is_plainly_unrecorded,
    read_parent,
    read_state,
)
from tidemill_server.traces.exporter import Exporter
from tidemill_server.traces.messages import Writer
from tidemill_server.traces.trace import Asked, Trace


class Recorder:
    """For all fronts together. All but `stop` is called on the event loop's thread."""

    def __init__(self, settings: Tracing, stamp: Stamp) -> None:
        self._ratio = settings.ratio
        # An id is no secret: a generator with a random seed is enough, and needs no system call.
        self._random = random.Random(os.urandom(32))  # noqa: S311
        addresses = DatabaseAddresses(AllowedNetworks.parse(settings.networks), api_server())
        self._exporter = Exporter(Writer(stamp, settings.scheme), Collector(settings, addresses))

    @property
    def sent(self) -> int:
        return self._exporter.sent

    @property
    def dropped(self) -> int:
        return self._exporter.dropped

    def begin(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        path: str,
        prediction: str,
        *,
        rpc: bool = False,
    ) -> Trace | None:
        """A trace for a request that is recorded: the one that it belongs to, or a new one."""
        drawn = self._random.random() < self._ratio
        if not drawn and is_plainly_unrecorded(headers):  # the most of them, without more
            return None
        parent = read_parent(headers)
        if parent is UNRECORDED or (parent is None and not drawn):
            return None
        if parent is None:
            trace, span, state = self._id(), b"", ""
        else:
            trace, span, state = parent.trace, parent.span, read_state(headers)
        return Trace(Asked(trace, span, state, path, prediction, rpc), self._exporter.add)

    def stop(self, seconds: float) -> None:
        """Send what is there, for no longer than this; called in a thread that may wait."""
        self._exporter.stop(seconds)

    def _id(self) -> bytes:
        return (self._random.getrandbits(128) or 1).to_bytes(16)  # all zeros would be none
