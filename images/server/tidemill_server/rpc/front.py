"""The front of gRPC: listens from the start, and ends with REST's. Imported only where it is on."""

import asyncio
import socket
import ssl
from collections.abc import Sequence

from tidemill_server import listening
from tidemill_server.access.guard import Guard
from tidemill_server.limits.budget import Budget
from tidemill_server.rpc.connection import Connection
from tidemill_server.rpc.frames import Header
from tidemill_server.rpc.service import HEALTH_PATHS, INFER, Service
from tidemill_server.rpc.terms import Terms
from tidemill_server.settings import Limits


class Front:
    """All connections of gRPC."""

    def __init__(
        self,
        service: Service,
        budget: Budget,
        limits: Limits,
        every: Sequence[Header] = (),
        guard: Guard | None = None,
    ) -> None:
        """`every`: what all answers say of the model."""
        head: tuple[Header, ...] = (
            (b":status", b"200"),
            (b"content-type", b"application/grpc"),
            (b"grpc-accept-encoding", b"identity,gzip,deflate"),
            *every,
        )
        self.terms = Terms(
            service, budget, limits, head, set(), guard=guard, open_to_all=HEALTH_PATHS, large=INFER
        )
        self._server: asyncio.Server | None = None

    async def listen(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        self._server = await listening.listen(listener, lambda: Connection(self.terms), tls)

    def retire(self) -> None:
        """Ask every client to connect anew: the Service leads it to another pod by now.

        Who comes all the same is told with its first call.
        """
        self.terms.retiring = True
        for connection in self.terms.connections:
            connection.retire()

    async def end(self, seconds: float) -> None:
        """Listen no more, finish what is in flight, within these seconds."""
        if self._server is not None:
            await listening.end(self._server, self.terms.connections, seconds)
