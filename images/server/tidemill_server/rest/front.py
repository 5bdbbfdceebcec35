"""The front of REST: listens from the first moment, and ends when what is asked is answered."""

import asyncio
import socket
import ssl

from tidemill_server import listening
from tidemill_server.limits.budget import Budget
from tidemill_server.protocol.errors import Header
from tidemill_server.rest.connection import Connection
from tidemill_server.rest.heads import Heads
from tidemill_server.rest.terms import Answerer, Patience, Terms


class Front:
    """All connections of REST."""

    def __init__(
        self,
        answerer: Answerer,
        every: list[Header],
        patience: Patience,
        budget: Budget | None = None,
    ) -> None:
        self.terms = Terms(answerer, Heads(every), patience, budget)
        self._server: asyncio.Server | None = None

    def connection(self) -> Connection:
        """What is made of each."""
        return Connection(self.terms)

    async def listen(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        self._server = await listening.listen(listener, self.connection, tls)

    def retire(self) -> None:
        """Ask every client to connect anew: the Service leads it to another pod by now."""
        self.terms.retiring = True

    async def end(self, seconds: float) -> None:
        """Listen no more, finish what is in flight, within these seconds."""
        if self._server is not None:
            await listening.end(self._server, self.terms.connections, seconds)
