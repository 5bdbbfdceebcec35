"""What a request's headers say of its body and of the answer that its client takes.

Read in one pass, before the body: what cannot be read is refused before it is received.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tidemill_server.protocol.errors import ProtocolError, bad_request

Headers = Iterable[tuple[bytes, bytes]]

MAX_TIMEOUT_MS = 3_600_000
_DIGITS = 18  # more cannot be meant, and are slow to read


@dataclass(slots=True)  # not frozen: one is made for each request
class Framing:
    """The headers that count; what was not sent is None or empty."""

    length: int | None = None
    # How many bytes of the body, when it is decompressed, are JSON; tensors follow them.
    json_bytes: int | None = None
    encoding: bytes = b""
    accepted: bytes = b""
    content_type: bytes = b""
    seconds: float | None = None


def read_framing(headers: Headers) -> Framing:
    """Read them; raises ProtocolError."""
    framing = Framing()
    for name, value in headers:
        # HTTP allows these names in any case; the server has them in lower case.
        if name == b"content-length":
            framing.length = _number(value)
        elif name == b"content-type":
            framing.content_type = value.partition(b";")[0].strip().lower()
        elif name == b"accept-encoding":
            framing.accepted = value
        elif name == b"content-encoding":
            framing.encoding = value.strip().lower()
        elif name == b"inference-header-content-length":
            framing.json_bytes = _json_bytes(value)
        elif name == b"x-tidemill-timeout-ms":
            framing.seconds = _seconds(value)
    return framing


def _number(value: bytes) -> int | None:
    return int(value) if value.isdigit() and len(value) <= _DIGITS else None


def _json_bytes(value: bytes) -> int:
    count = _number(value.strip())
    if not count:
        raise bad_request(
            "Inference-Header-Content-Length must be the number of bytes of the JSON before "
            f"the tensors, not {value[:40].decode('latin-1')!r}"
        )
    return count


def _seconds(value: bytes) -> float:
    count = _number(value.strip())
    if not count or count > MAX_TIMEOUT_MS:
        raise bad_request(
            f"X-Tidemill-Timeout-Ms must be a whole number from 1 to {MAX_TIMEOUT_MS}, "
            f"not {value[:40].decode('latin-1')!r}"
        )
    return count / 1000


def check_tensors(framing: Framing) -> None:
    """Refuse a body of bytes that nothing describes."""
    if framing.json_bytes is None and framing.content_type == b"application/octet-stream":
        raise ProtocolError(
            415,
            "a body of application/octet-stream needs the header Inference-Header-Content-Length, "
            "which says where its tensors begin; else send application/json",
        )
