"""Read a request's body within bounds of size and time.

A declared length that is too large is refused before a byte is read; an undeclared one as soon as
it gets too large. A client that stops sending is cut off. What has come counts towards what all
requests may hold together.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tidemill_server.limits.budget import Share
from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.settings import Limits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class ClientGone(Exception):  # noqa: N818 - says what is the case
    """The client has closed the connection: nobody waits for an answer."""


async def read_body(length: int | None, receive: Receive, limits: Limits, share: Share) -> bytes:
    """The whole body, of which the client declared the length; raises ProtocolError, ClientGone."""
    if length is not None and length > limits.body_bytes:
        raise _too_large(limits)
    try:
        async with asyncio.timeout(limits.body_seconds):
            return await _read(receive, limits, share)
    except TimeoutError:
        raise ProtocolError(
            408, f"the body did not arrive within {limits.body_seconds:g} s", close=True
        ) from None


async def _read(receive: Receive, limits: Limits, share: Share) -> bytes:
    body = b""
    pieces: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        body = message["body"]
        size += len(body)
        if size > limits.body_bytes:
            raise _too_large(limits)
        share.take(len(body))
        pieces.append(body)
        more = message["more_body"]
    return body if len(pieces) == 1 else b"".join(pieces)


def _too_large(limits: Limits) -> ProtocolError:
    # What is still on its way would have to be read to keep the connection: close it instead.
    return ProtocolError(
        413, f"the body is larger than {limits.body_bytes} bytes: send fewer rows", close=True
    )
