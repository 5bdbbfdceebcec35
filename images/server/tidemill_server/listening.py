"""What a front needs of asyncio: a socket that listens, and an end that finishes what is asked."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable
from typing import Protocol

BACKLOG = 2048


class Guest(Protocol):
    """A connection."""

    closed: asyncio.Event

    def finish(self) -> None:
        """End when what has been asked is answered."""

    def abort(self) -> None:
        """End now."""


class Front(Protocol):
    """All connections of one protocol."""

    async def listen(self, listener: socket.socket) -> None:
        """Take connections from now on."""

    def retire(self) -> None:
        """Ask every client to connect anew, elsewhere."""

    async def end(self, seconds: float) -> None:
        """Listen no more, finish what is in flight, within these seconds."""


async def listen(
    listener: socket.socket, connection: Callable[[], asyncio.Protocol]
) -> asyncio.Server:
    """Make a connection of whatever comes."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(connection, sock=listener, backlog=BACKLOG)


async def end(server: asyncio.Server, connections: Iterable[Guest], seconds: float) -> None:
    """Listen no more, finish what is in flight, within these seconds."""
    server.close()
    guests = list(connections)
    for guest in guests:
        guest.finish()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for guest in guests:
                await guest.closed.wait()
    for guest in guests:
        guest.abort()
