"""What a front needs of asyncio: a socket that listens, and an end that finishes what is asked."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Protocol

BACKLOG = 2048
HANDSHAKE_SECONDS = 10.0
# For an answer to be taken before the connection ends: connections have a shorter bound of their
# own.
TAKING_SECONDS = 3600.0
GOODBYE_SECONDS = 2.0  # for a client to agree that the connection ends, when the server does


class Guest(Protocol):
    """A connection."""

    closed: asyncio.Event

    def finish(self) -> None:
        """End when what has been asked is answered."""

    def is_done(self) -> bool:
        """Whether all is said, and the client only has to let go."""

    def abort(self) -> None:
        """End now."""


class Front(Protocol):
    """All connections of one protocol."""

    async def listen(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Take connections from now on, under TLS where there is a context for it."""

    def retire(self) -> None:
        """Ask every client to connect anew, elsewhere."""

    async def end(self, seconds: float) -> None:
        """Listen no more, finish what is in flight, within these seconds."""


async def listen(
    listener: socket.socket,
    connection: Callable[[], asyncio.Protocol],
    tls: ssl.SSLContext | None = None,
) -> asyncio.Server:
    """Make a connection of whatever comes."""
    loop = asyncio.get_running_loop()
    if tls is None:
        return await loop.create_server(connection, sock=listener, backlog=BACKLOG)
    return await loop.create_server(
        connection,
        sock=listener,
        backlog=BACKLOG,
        ssl=tls,
        ssl_handshake_timeout=HANDSHAKE_SECONDS,
        ssl_shutdown_timeout=TAKING_SECONDS,
    )


async def end(server: asyncio.Server, connections: Iterable[Guest], seconds: float) -> None:
    """Listen no more, finish what is in flight, within these seconds."""
    server.close()
    guests = list(connections)
    for guest in guests:
        guest.finish()
    first = min(GOODBYE_SECONDS, seconds)
    await _wait(guests, first)
    for guest in guests:
        if guest.is_done():
            guest.abort()  # under TLS it waits for an agreement that may never come
    await _wait(guests, seconds - first)
    for guest in guests:
        guest.abort()


async def _wait(guests: Iterable[Guest], seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for guest in guests:
                await guest.closed.wait()
