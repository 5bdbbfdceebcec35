"""One answer of the container, as it comes: bytes become status, headers and body, within bounds.

The container is nobody's but the user's, so of its answers nothing is believed: heads, trailers and
bodies that do not end, words that are no HTTP, lengths that contradict each other.
"""

from dataclasses import dataclass

import httptools

from tidemill_server.protocol.errors import Header

MAX_HEAD_BYTES = 64 * 1024
MAX_INTERIM = 100  # answers such as 100 and 103, before the one that counts
_SWITCHING = 101
_WITHOUT_BODY = frozenset({204, 304})


class Broken(Exception):  # noqa: N818 - says what is the case
    """The answer is of no use; says why, of the container."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that came whole. Names of headers are in lower case."""

    status: int
    headers: list[Header]
    body: bytes


class Reading:
    """Takes bytes until the answer has ended. `most` is how large its body may be."""

    def __init__(self, most: int, *, wants_body: bool = True) -> None:
        self._most, self._wants_body = most, wants_body
        self._parser = httptools.HttpResponseParser(self)
        self._status = self._size = self._head_bytes = self._interim = 0
        self._headers: list[Header] = []
        self._body = bytearray()  # one: a container may send it byte by byte
        self._fault = ""
        self._in_head = True
        self._until_end = False
        self._moved, self._pending = False, 0
        self.began = self.ended = False
        # Whether the connection may be used again.
        self.kept = False

    @property
    def reply(self) -> Reply:
        return Reply(self._status, self._headers, bytes(self._body))

    def feed(self, data: bytes) -> int:
        """How many bytes of the body they brought; raises Broken."""
        self.began = True
        before, self._moved = self._size, False
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # What follows an answer that is whole takes nothing from it.
            self.kept = False
            if not self.ended:
                raise Broken(self._fault or "did not answer in HTTP") from None
        if self._fault and not self.ended:
            raise Broken(self._fault)
        self._count(len(data))
        return self._size - before

    def end(self) -> None:
        """The connection has ended; raises Broken where the answer had not."""
        if self._until_end and not self._fault:
            self.ended, self.kept = True, False
        if not self.ended:
            raise Broken("closed the connection in the middle of its answer")

    def _count(self, size: int) -> None:
        """Bytes that brought neither a head nor a piece of a body: sizes of chunks, trailers."""
        self._pending = 0 if self._moved else self._pending + size
        if self._pending > MAX_HEAD_BYTES and not self.ended:
            raise Broken(f"answered with more than {MAX_HEAD_BYTES} bytes of headers")

    # From the parser. What is wrong is noted here, and raised when it is done with its bytes.

    def on_message_begin(self) -> None:
        if self.ended:
            self.kept = False  # more than was asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._wrong(f"answered with more than {MAX_HEAD_BYTES} bytes of headers")
        elif self._in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self.ended:
            return
        self._moved = True
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = []
            self._interim += 1
            if status < 100 or status == _SWITCHING or self._interim > MAX_INTERIM:
                self._wrong(f"answered with the status {status}, which ends nothing")
            return
        self._status, self._in_head = status, False
        self.kept = self._parser.should_keep_alive()
        if not self._wants_body:
            self.ended = True
        elif status not in _WITHOUT_BODY:
            self._expect_body()

    def _expect_body(self) -> None:
        found = self._headers
        codings = [value.strip().lower() for name, value in found if name == b"transfer-encoding"]
        length = next((int(value) for name, value in found if name == b"content-length"), None)
        if codings not in ([], [b"chunked"]):
            self._wrong("answered in a transfer encoding that is not read")
        elif length is not None and length > self._most:
            self._too_large()
        self._until_end = not codings and length is None

    def on_body(self, piece: bytes) -> None:
        self._moved = True
        if self.ended:
            self.kept = False  # a body that was not asked for
            return
        self._size += len(piece)
        if self._size > self._most:
            self._too_large()
            self._body.clear()
        else:
            self._body += piece

    def on_message_complete(self) -> None:
        self._moved = True
        if not self._in_head and not self._fault:
            self.ended = True

    def _too_large(self) -> None:
        self._wrong(f"answered with more than {self._most} bytes")

    def _wrong(self, fault: str) -> None:
        self._fault = self._fault or fault
