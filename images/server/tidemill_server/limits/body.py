"""A request's body: as it comes, and read within bounds of size and time.

A declared length that is too large is refused before a byte is read; an undeclared one as soon as
it gets too large. A client that stops sending is cut off. What has come counts towards what all
requests may hold together.
"""

import asyncio
from typing import Protocol

from tidemill_server.limits.budget import Share
from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.settings import Limits

HELD_BYTES = 64 * 1024  # more is not taken from a client before what has come is read


class Source(Protocol):
    """Where a body comes from."""

    def wanted(self) -> None:
        """Somebody waits for more of the body."""

    def held(self) -> None:
        """More has come than should be kept."""

    def taken(self) -> None:
        """It is kept no more."""


class Body:
    """What has come of a body and is not read yet. One reader takes it."""

    __slots__ = ("_news", "_pieces", "_size", "_source", "ended")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pieces: list[bytes] = []
        self._size = 0
        self._news: asyncio.Future[None] | None = None
        self.ended = False

    @property
    def size(self) -> int:
        """Bytes that have come and are not taken."""
        return self._size

    def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > HELD_BYTES:
            self._source.held()
        self._wake()

    def end(self) -> None:
        """All has come."""
        self.ended = True
        self._wake()

    def take(self) -> bytes:
        """What has come since; nothing where nothing has."""
        pieces = self._pieces
        taken = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        size, self._size = self._size, 0
        self._pieces = []
        if size > HELD_BYTES:
            self._source.taken()
        return taken

    async def more(self) -> None:
        """Wait until more has come, or the end."""
        if self._pieces or self.ended:
            return
        self._source.wanted()
        self._news = asyncio.get_running_loop().create_future()
        await self._news

    def _wake(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)


async def read_body(length: int | None, body: Body, limits: Limits, share: Share) -> bytes:
    """The whole body, of which the client declared the length; raises ProtocolError."""
    if length is not None and length > limits.body_bytes:
        raise _too_large(limits)
    if body.ended:
        return _taken(body, 0, limits, share)
    try:
        async with asyncio.timeout(limits.body_seconds):
            return await _read(body, limits, share)
    except TimeoutError:
        raise ProtocolError(
            408, f"the body did not arrive within {limits.body_seconds:g} s", close=True
        ) from None


async def _read(body: Body, limits: Limits, share: Share) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        ended = body.ended
        piece = _taken(body, size, limits, share)
        size += len(piece)
        pieces.append(piece)
        if ended:
            return b"".join(pieces)
        await body.more()


def _taken(body: Body, before: int, limits: Limits, share: Share) -> bytes:
    if before + body.size > limits.body_bytes:
        raise _too_large(limits)
    piece = body.take()
    share.take(len(piece))
    return piece


def _too_large(limits: Limits) -> ProtocolError:
    # What is still on its way would have to be read to keep the connection: close it instead.
    return ProtocolError(
        413, f"the body is larger than {limits.body_bytes} bytes: send fewer rows", close=True
    )
