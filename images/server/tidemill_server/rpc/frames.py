"""HTTP/2 frames as bytes (RFC 9113): cut out of what comes, and put together for what goes.

Header blocks are read by `hpack`, because compression has a state and its attacks. Written they are
without any compression: nothing has to be kept in step with the client, and what never changes is
written once.
"""

from collections.abc import Iterable
from enum import IntEnum

Header = tuple[bytes, bytes]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES = 9
MAX_FRAME_BYTES = 16_384  # the least that every client must take, and the most that is taken
MAX_WINDOW = 2**31 - 1
FIRST_WINDOW = 65_535
TABLE_BYTES = 4096  # of header compression, unless the client wants less
NO_TABLE = b"\x20"  # begins the next header block then: none is kept

END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY_FIELDS = 0x1, 0x1, 0x4, 0x8, 0x20


class Kind(IntEnum):
    """What a frame is."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Code(IntEnum):
    """Why a stream or a connection ends."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class Setting(IntEnum):
    """What one end tells the other about itself."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Broken(Exception):  # noqa: N818 - says what is the case
    """The client does what HTTP/2 forbids: the connection ends."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def frame(kind: Kind, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame of at most MAX_FRAME_BYTES."""
    head = len(payload) << 16 | kind << 8 | flags
    return head.to_bytes(5) + stream.to_bytes(4) + payload


def settings(values: Iterable[tuple[Setting, int]]) -> bytes:
    payload = b"".join(name.to_bytes(2) + value.to_bytes(4) for name, value in values)
    return frame(Kind.SETTINGS, 0, 0, payload)


def read_settings(payload: bytes) -> tuple[dict[int, int], dict[int, int]]:
    """What a client sets: the least value of each that it names, and the last; raises Broken."""
    if len(payload) % 6:
        raise Broken(Code.FRAME_SIZE_ERROR, "settings of an odd size")
    least: dict[int, int] = {}
    last: dict[int, int] = {}
    for place in range(0, len(payload), 6):
        name = int.from_bytes(payload[place : place + 2])
        last[name] = value = int.from_bytes(payload[place + 2 : place + 6])
        least[name] = min(value, least.get(name, value))
        if name == Setting.INITIAL_WINDOW_SIZE and value > MAX_WINDOW:
            raise Broken(Code.FLOW_CONTROL_ERROR, f"a first window of {value} bytes")
    return least, last


def window_update(stream: int, size: int) -> bytes:
    return frame(Kind.WINDOW_UPDATE, 0, stream, size.to_bytes(4))


def reset(stream: int, code: Code) -> bytes:
    return frame(Kind.RST_STREAM, 0, stream, code.to_bytes(4))


def goaway(last: int, code: Code, message: str = "") -> bytes:
    payload = last.to_bytes(4) + code.to_bytes(4) + message.encode()[:200]
    return frame(Kind.GOAWAY, 0, 0, payload)


def header_frame(stream: int, block: bytes, *, last: bool = False) -> bytes:
    """A header block that fits into one frame; ours all do."""
    return frame(Kind.HEADERS, END_HEADERS | (END_STREAM if last else 0), stream, block)


def block(headers: Iterable[Header]) -> bytes:
    """A header block without compression: each a literal that is not remembered."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in headers)


def _text(value: bytes) -> bytes:
    size = len(value)
    if size < 127:
        return bytes((size,)) + value
    rest, head = size - 127, bytearray((127,))
    while rest >= 128:
        head.append(rest & 127 | 128)
        rest >>= 7
    head.append(rest)
    return bytes(head) + value


def without_padding(flags: int, payload: bytes) -> bytes:
    """What the frame carries; raises Broken."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise Broken(Code.PROTOCOL_ERROR, "the padding is longer than the frame")
    return payload[1 : len(payload) - payload[0]]


def header_fragment(flags: int, payload: bytes) -> bytes:
    """The part of a header block in a HEADERS frame; raises Broken."""
    found = without_padding(flags, payload)
    if not flags & PRIORITY_FIELDS:
        return found
    if len(found) < 5:
        raise Broken(Code.FRAME_SIZE_ERROR, "HEADERS end in their priority")
    return found[5:]
