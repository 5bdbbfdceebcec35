"""gRPC's status codes, and which of them says what REST says by a status of HTTP."""

from enum import IntEnum
from urllib.parse import quote

from tidemill_server.protocol.errors import ProtocolError, TooLate
from tidemill_server.rpc.frames import Header

MAX_MESSAGE_CHARS = 1000
MAX_MESSAGE_BYTES = 4096  # as it goes: clients bound all headers of an answer by 8 KiB
# Printable ASCII goes as it is, the rest percent-encoded: gRPC's own rule for its messages.
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


class Status(IntEnum):
    """How a call ended."""

    OK = 0
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


_OF_HTTP = {
    401: Status.UNAUTHENTICATED,
    403: Status.PERMISSION_DENIED,
    404: Status.NOT_FOUND,
    408: Status.DEADLINE_EXCEEDED,
    413: Status.RESOURCE_EXHAUSTED,
    415: Status.UNIMPLEMENTED,
    429: Status.RESOURCE_EXHAUSTED,
    431: Status.RESOURCE_EXHAUSTED,
    501: Status.UNIMPLEMENTED,
    503: Status.UNAVAILABLE,
}


def status_of(error: ProtocolError) -> Status:
    if isinstance(error, TooLate):
        return Status.DEADLINE_EXCEEDED
    return _OF_HTTP.get(error.status, Status(3) if error.status < 500 else Status.INTERNAL)


def error_trailers(error: ProtocolError) -> list[Header]:
    """Code, words, and when to come again."""
    message = _quoted(error.message[:MAX_MESSAGE_CHARS])
    trailers = [
        (b"grpc-status", str(int(status_of(error))).encode()),
        (b"grpc-message", message.encode()),
    ]
    if error.retry_after is not None:
        # The second is read by clients' own policies of trying again.
        trailers.append((b"retry-after", str(error.retry_after).encode()))
        trailers.append((b"grpc-retry-pushback-ms", str(error.retry_after * 1000).encode()))
    if error.status == 415:
        trailers.append((b"grpc-accept-encoding", b"identity,gzip,deflate"))
    return trailers


def _quoted(text: str) -> str:
    """No more than may go, and no half of a character."""
    while len(quoted := quote(text, safe=_PLAIN)) > MAX_MESSAGE_BYTES:
        text = text[: len(text) * MAX_MESSAGE_BYTES // len(quoted)]
    return quoted
