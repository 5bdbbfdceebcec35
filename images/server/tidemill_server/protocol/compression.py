"""Compressed bodies, both ways, within the bound that plain ones have.

A body that grows beyond the bound is refused while it grows, however small it came.
"""

import zlib
from collections.abc import Callable

from tidemill_server.protocol.errors import ProtocolError, bad_request

ENCODINGS = (b"gzip", b"deflate")
_ALIASES = {b"x-gzip": b"gzip"}  # which HTTP wants taken for the same
PIECE = 64 * 1024
LEAST_BYTES = 8 * 1024  # a smaller answer is sent sooner than it is compressed
LEVEL = 1  # the first halving is nearly free, every further byte costs the client's time
_WINDOWS = {b"gzip": 31, b"deflate": 15}
_RAW = -15
_MAX_OFFERS = 20
_MAX_MEMBERS = 10_000  # each takes time, also an empty one


def is_compressed(encoding: bytes) -> bool:
    """Tell how the body comes; raises ProtocolError where nobody here can read it."""
    if encoding in (b"", b"identity"):
        return False
    if _ALIASES.get(encoding, encoding) in ENCODINGS:
        return True
    known = b", ".join(ENCODINGS)
    raise ProtocolError(
        415,
        f"bodies compressed by {encoding[:40].decode('latin-1')!r} are not read here: "
        f"send one by {known.decode()}, or plain",
        headers=((b"accept-encoding", known),),
    )


def known(encoding: bytes) -> bytes:
    """Give the name that every client knows."""
    return _ALIASES.get(encoding, encoding)


def _let(_: int) -> None:
    """Nobody counts."""


def decompress(
    body: bytes, encoding: bytes, max_bytes: int, take: Callable[[int], None] = _let
) -> bytes:
    """The body as it was, of which `take` is told the size as it grows; raises ProtocolError."""
    encoding = _ALIASES.get(encoding, encoding)
    window = _WINDOWS[encoding]
    if encoding == b"deflate" and not _is_zlib(body):
        window = _RAW
    source = _Source(body, window)
    pieces: list[bytes] = []
    size = 0
    while not source.ended:
        piece = source.next()
        size += len(piece)
        if size > max_bytes:
            raise ProtocolError(
                413, f"the body is larger than {max_bytes} bytes when it is decompressed"
            )
        take(len(piece))
        pieces.append(piece)
    return b"".join(pieces)


class _Source:
    """A compressed body, fed in slices: what is left over of one is all that is ever copied."""

    def __init__(self, body: bytes, window: int) -> None:
        self._body = memoryview(body)
        self._window = window
        self._stream = zlib.decompressobj(window)
        self._members = 1
        self._place = 0
        self._fed: bytes | memoryview = b""

    @property
    def ended(self) -> bool:
        return self._stream.eof and self._left == 0

    @property
    def _left(self) -> int:
        return len(self._body) - self._place + len(self._stream.unused_data)

    def next(self) -> bytes:
        """The next piece, which may be empty; raises ProtocolError."""
        if self._stream.eof:
            self._open_member()
        if not self._fed:
            self._fed = self._body[self._place : self._place + PIECE]
            self._place += len(self._fed)
        last = not self._fed
        try:
            piece = self._stream.decompress(self._fed, PIECE)
        except zlib.error as error:
            raise _broken(str(error)) from None
        if last and not piece and not self._stream.eof:
            raise _broken("it ends too early")
        self._fed = self._stream.unconsumed_tail
        return piece

    def _open_member(self) -> None:
        """What gzip packed in parts is read as one."""
        if self._window != _WINDOWS[b"gzip"]:
            raise _broken("bytes follow its end")
        if self._members == _MAX_MEMBERS:
            raise _broken(f"it has more than {_MAX_MEMBERS} parts")
        self._members += 1
        self._place -= len(self._stream.unused_data)
        self._fed = b""
        self._stream = zlib.decompressobj(self._window)


def _is_zlib(body: bytes) -> bool:
    """HTTP's deflate has zlib's two bytes before it, which some clients forget."""
    return len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0


def _broken(why: str) -> ProtocolError:
    return bad_request(f"the compressed body cannot be read: {why}")


def accepted(offers: bytes) -> bytes:
    """The first of our encodings that the client takes, or nothing."""
    taken = set()
    for offer in offers.lower().split(b",", _MAX_OFFERS)[:_MAX_OFFERS]:
        name, _, quality = offer.partition(b";")
        if quality.replace(b" ", b"").rstrip(b"0") not in (b"q=", b"q=0."):
            taken.add(_ALIASES.get(name.strip(), name.strip()))
    return next((encoding for encoding in ENCODINGS if encoding in taken), b"")


def compress(body: bytes, encoding: bytes) -> bytes:
    stream = zlib.compressobj(LEVEL, wbits=_WINDOWS[encoding])
    return stream.compress(body) + stream.flush()
