"""Offers to go on in another protocol, as Java's clients make with every request: declined."""

from collections.abc import Iterable

import httptools

from tidemill_server.protocol.errors import Header

_OFFERS = frozenset({b"upgrade", b"http2-settings"})


def without(asked: bytes, headers: Iterable[Header]) -> bytes:
    """The head that begins with the line `asked`, as it is when nothing is offered."""
    found = [asked]
    for name, value in headers:
        if b"\r" in value or b"\n" in value:
            raise httptools.HttpParserError("a header of several lines")
        if name == b"connection":
            words = (word.strip() for word in value.split(b","))
            found.append(b"connection: " + b",".join(w for w in words if w.lower() not in _OFFERS))
        elif name not in _OFFERS:
            found.append(name + b": " + value)
    return b"\r\n".join((*found, b"", b""))
