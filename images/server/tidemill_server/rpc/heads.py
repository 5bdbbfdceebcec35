"""A client's header blocks, in one frame or several: put together, read, and bounded.

Blocks are read by `hpack`, in step with the client: what is only too large for a call is still
read, so that other calls on the connection go on.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import hpack

from tidemill_server.rpc.calm import Calm
from tidemill_server.rpc.frames import END_HEADERS, Broken, Code, Header

MAX_HEADER_BYTES = 64 * 1024  # of one call
MOST_HEADER_BYTES = 4 * MAX_HEADER_BYTES  # beyond it nothing is read any more
_SHORT = 4096  # what takes no time, whatever it holds
_DEAR = 1024  # so many bytes take about the time of a frame
_MAX_SIZE_UPDATES = 2  # of HPACK's table; more say nothing
_FIELD_BYTES = 32  # what a header counts beside its text, by HTTP/2


@dataclass(slots=True)
class Block:
    """A header block on its way."""

    stream: int
    flags: int
    data: bytearray


@dataclass(frozen=True, slots=True)
class Head:
    """Headers that were read; of those that are too large, nothing is kept."""

    headers: list[Header]
    too_large: bool = False


class Heads:
    """The state of a connection's header compression."""

    def __init__(self, calm: Calm) -> None:
        self._calm = calm
        self._decoder = hpack.Decoder(MOST_HEADER_BYTES)

    def is_whole(self, block: Block, flags: int) -> bool:
        """Whether nothing of it is on its way; raises Broken where it grows too long."""
        if len(block.data) > MOST_HEADER_BYTES:
            raise _too_many()
        return bool(flags & END_HEADERS)

    def read(self, block: Block) -> Head:
        """Read a block that is complete; raises Broken."""
        data = bytes(block.data)
        self._calm.count(len(data) // _DEAR)
        try:
            if len(data) <= _SHORT:
                _check_updates(data)
                found: list[Header] = list(self._decoder.decode(data, raw=True))
            else:
                found = self._one_by_one(data)
        except hpack.OversizedHeaderListError:
            raise _too_many() from None
        except hpack.HPACKError:
            raise _unreadable() from None
        size = sum(_FIELD_BYTES + len(name) + len(value) for name, value in found)
        return Head([], too_large=True) if size > MAX_HEADER_BYTES else Head(found)

    def _one_by_one(self, data: bytes) -> list[Header]:
        """Give the decoder each field alone: it copies all that follows, for each."""
        found: list[Header] = []
        size = updates = 0
        for field in _fields(data):
            if field[0] & 0xE0 == 0x20:
                updates += 1
                if found or updates > _MAX_SIZE_UPDATES:
                    raise _unreadable()
            for name, value in self._decoder.decode(field, raw=True):
                found.append((name, value))
                size += _FIELD_BYTES + len(name) + len(value)
            if size > MOST_HEADER_BYTES:
                raise _too_many()
        return found


def _too_many() -> Broken:
    return Broken(Code.ENHANCE_YOUR_CALM, f"headers of more than {MOST_HEADER_BYTES} bytes")


def _unreadable() -> Broken:
    return Broken(Code.COMPRESSION_ERROR, "headers that cannot be read")


def _check_updates(data: bytes) -> None:
    """Changes of the table's size come first, and two say all that there is to say."""
    place = found = 0
    while place < len(data) and data[place] & 0xE0 == 0x20:
        found += 1
        if found > _MAX_SIZE_UPDATES:
            raise _unreadable()
        _, place = _integer(data, place, 5)


def _fields(data: bytes) -> Iterator[bytes]:
    """Cut a block where its fields end (RFC 7541, section 6)."""
    place = 0
    while place < len(data):
        start, first = place, data[place]
        if first & 0x80:
            _, place = _integer(data, place, 7)
        elif first & 0xE0 == 0x20:
            _, place = _integer(data, place, 5)
        else:
            index, place = _integer(data, place, 6 if first & 0x40 else 4)
            for _ in range(1 if index else 2):
                length, place = _integer(data, place, 7)
                place += length
        yield data[start:place]


def _integer(data: bytes, place: int, bits: int) -> tuple[int, int]:
    """A number of HPACK, and where it ends; raises Broken."""
    most = (1 << bits) - 1
    found = data[place] & most if place < len(data) else 0
    if found < most:
        return found, place + 1
    for turn in range(5):
        place += 1
        byte = data[place] if place < len(data) else 0x80
        found += (byte & 127) << 7 * turn
        if byte < 128:
            return found, place + 1
    raise _unreadable()
