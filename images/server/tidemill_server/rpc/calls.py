"""A call: its headers, its one message as it comes in pieces, and what is said in the end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill_server.limits.budget import Share
from tidemill_server.protocol import compression
from tidemill_server.protocol.errors import ProtocolError, bad_request
from tidemill_server.rpc.frames import Header
from tidemill_server.rpc.status import error_trailers

if TYPE_CHECKING:
    from tidemill_server.models import Model

    # Imported only where traces are recorded.
    from tidemill_server.traces.trace import Trace

MAX_HEADERS = 200
KEPT_BYTES = 256  # of a header: a call holds no more of them than it can mean
KEPT_STATE_BYTES = 1100  # of `tracestate`: one that is longer is not read
PREFIX_BYTES = 5  # whether the message is compressed, and how long it is
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_OK: Header = (b"grpc-status", b"0")


class NotGrpc(Exception):  # noqa: N818 - says what is the case
    """A request that is none of gRPC; it is answered in HTTP's own terms."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True)  # not frozen: one is made for each request
class Call:
    """What one stream brings. `began`: when, by the loop's clock; `seconds`: how long it may take.

    What is wrong with its headers stands in `fault` until its client can be told.
    """

    share: Share
    began: float
    path: bytes = b""
    seconds: float | None = None
    encoding: bytes = b""
    fault: ProtocolError | None = None
    parent: bytes = b""  # and `state`: of the trace that it belongs to
    state: bytes = b""
    trace: "Trace | None" = None  # where it is recorded
    model: "Model | None" = None  # that is asked, as soon as that is known
    _length: int | None = None
    _received: bytes | bytearray = b""

    def read(self, headers: Sequence[Header]) -> None:
        """Take what counts; raises NotGrpc."""
        if len(headers) > MAX_HEADERS:
            raise NotGrpc(431)
        kind = method = b""
        for name, value in headers:
            if name == b":path":
                self.path = value[:KEPT_BYTES]
            elif name == b":method":
                method = value
            elif name == b"content-type":
                kind = value
            elif name == b"grpc-timeout":
                self._read_timeout(value)
            elif name == b"grpc-encoding":
                self.encoding = value[:KEPT_BYTES].strip().lower()
            elif name == b"traceparent":
                # Of two nobody can say which is meant: together they cannot be read.
                self.parent = (self.parent + value)[:KEPT_BYTES]
            elif name == b"tracestate":
                self.state = (self.state + b"," + value)[:KEPT_STATE_BYTES]
        if kind.partition(b";")[0].strip() not in (b"application/grpc", b"application/grpc+proto"):
            raise NotGrpc(415)
        if method != b"POST":
            raise NotGrpc(405)

    @property
    def context(self) -> tuple[Header, ...]:
        """The headers that say which trace it belongs to."""
        if not self.parent:
            return ()
        return (b"traceparent", self.parent), (b"tracestate", self.state)

    def _read_timeout(self, value: bytes) -> None:
        number, unit = value[:-1], value[-1:]
        if number.isdigit() and len(number) <= 8 and unit in _UNITS:
            self.seconds = int(number) * _UNITS[unit]
        else:
            shown = value[:40].decode("latin-1")
            self.fault = bad_request(f"grpc-timeout must be such as 50m, not {shown!r}")

    def add(self, piece: bytes, most: int) -> None:
        """Take a piece of the message; raises ProtocolError."""
        self.share.take(len(piece))
        if not self._received:
            self._received = piece
        else:
            if isinstance(self._received, bytes):
                self._received = bytearray(self._received)
            self._received += piece
        size = len(self._received)
        if self._length is None and size >= PREFIX_BYTES:
            self._length = int.from_bytes(self._received[1:PREFIX_BYTES])
            if self._length > most:
                raise ProtocolError(
                    413, f"the message is larger than {most} bytes: send fewer rows"
                )
        if self._length is not None and size > PREFIX_BYTES + self._length:
            raise bad_request("the call must have one message")

    def message(self) -> bytes:
        """The message, with `encoding` where it is compressed; raises ProtocolError."""
        if self.fault is not None:
            raise self.fault
        data, self._received = self._received, b""
        if self._length is None or len(data) < PREFIX_BYTES + self._length:
            raise bad_request("the call ends before its message does")
        if data[0] > 1:
            raise bad_request("the first byte of a message is 0, or 1 where it is compressed")
        if not data[0]:
            self.encoding = b""
        elif not compression.is_compressed(self.encoding):
            raise bad_request("the message is compressed, and grpc-encoding does not say how")
        return bytes(memoryview(data)[PREFIX_BYTES:])


@dataclass(slots=True)
class Stream:
    """A call in its stream, and how far both sides are."""

    call: Call
    ended: bool = False  # the client has said all
    credit: int = 0  # bytes that it has sent and may send anew
    task: "asyncio.Task[None] | None" = None
    held: Share | None = None  # of an answer that waits


@dataclass(slots=True)  # not frozen: one is made for each request
class Reply:
    """What the client gets: a message or none, and how the call ended."""

    message: bytes | None
    trailers: list[Header]
    encoding: bytes = b""

    @property
    def body(self) -> bytes:
        message = self.message or b""
        return bytes((bool(self.encoding),)) + len(message).to_bytes(4) + message


def good(message: bytes, *trailers: Header) -> Reply:
    return Reply(message, [_OK, *trailers])


def bad(error: ProtocolError, *trailers: Header) -> Reply:
    return Reply(None, [*error_trailers(error), *trailers])
