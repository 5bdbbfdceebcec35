"""One connection: uvicorn's protocol, with bounds on what comes before and after a body.

The parser puts no bound on the headers of a request, on the trailers after its body, or on the time
that they take. What goes on without getting anywhere is refused and cut: bytes are counted that
completed neither a head nor a piece of a body.

A client may offer to go on in another protocol, as Java's does with HTTP/2 on every request. The
parser then leaves the body alone, so the offer is declined by reading the request without it.

A client that does not take its answer has a bounded time for it as well: closing waits until all
that was written is taken, so what is left then is thrown away.
"""

import asyncio
from typing import Any, ClassVar

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 200
_REASONS = {
    400: "Bad Request",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
}
_OFFERS = frozenset({b"connection", b"upgrade", b"http2-settings"})


class TooManyHeaders(Exception):  # noqa: N818 - says what is the case
    """Ends the parsing of a request; the parser hides it behind an error of its own."""


class BoundedConnection(HttpToolsProtocol):  # type: ignore[misc]  # uvicorn is not typed here
    """Refuses in the protocol's own form, which the parser's refusals get as well."""

    # Set by `bounded`, in a class of its own for each server.
    head_seconds: ClassVar[float]
    silent_seconds: ClassVar[float]
    _progress = False
    _in_head = False
    # The head to be read anew, where its client offers another protocol.
    _offered: bytes | None = None
    parser: Any
    _pending = 0
    _timer: asyncio.TimerHandle | None = None
    # Until what was written must have been taken.
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.silent_seconds, self._cut)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._taken()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        super().eof_received()
        self._await_taken()  # the transport closes now, which waits as well

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_taken()

    def resume_writing(self) -> None:
        if not self.transport.is_closing():
            self._taken()
        super().resume_writing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_close()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._await_close()

    def shutdown(self) -> None:
        super().shutdown()
        self._await_close()

    def _await_close(self) -> None:
        if self.transport.is_closing():
            self._await_taken()

    def _await_taken(self) -> None:
        if self._taking is None:
            self._taking = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _taken(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def data_received(self, data: bytes) -> None:
        self._progress = False
        self._unset_keepalive_if_required()
        self._feed(data)
        if self._progress:
            self._pending = 0
            if self._in_head:  # of the next request, in the same piece
                self._await_end()
            return
        if not self._pending:
            self._await_end()
        self._pending += len(data)
        if self._pending > MAX_HEAD_BYTES:
            self._refuse(431, f"the headers are larger than {MAX_HEAD_BYTES} bytes")

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if self._offered is None:  # CONNECT, which has no other meaning
                self._refuse(405, "CONNECT is not answered here")
                return
            head, self._offered = self._offered, None
            self.parser = httptools.HttpRequestParser(self)
            self._feed(head + data[offer.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("")

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._moved()
        if len(self.headers) > MAX_HEADERS:
            raise TooManyHeaders
        if self.parser.should_upgrade():
            if self.parser.get_method() != b"CONNECT":
                self._offered = self._without_offer()
            return
        super().on_headers_complete()

    def _without_offer(self) -> bytes:
        """The head that was read, as it is when nothing is offered."""
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/1.1"]
        for name, value in self.headers:
            if b"\r" in value or b"\n" in value:
                raise httptools.HttpParserError("a header of several lines")
            if name == b"connection" and b"close" in value.lower():
                lines.append(b"connection: close")
            elif name not in _OFFERS:
                lines.append(name + b": " + value)
        return b"\r\n".join((*lines, b"", b""))

    def on_body(self, body: bytes) -> None:
        self._moved()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._moved()
        if self._offered is None and self.cycle is not None:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are replaced
        """Whatever the parser does not take."""
        if self.headers is not None and len(self.headers) > MAX_HEADERS:
            self._refuse(431, f"the request has more than {MAX_HEADERS} headers")
        else:
            self._refuse(400, "this is no valid HTTP request")

    def _moved(self) -> None:
        self._progress = True
        if self._timer is not None:
            self._stop_timer()

    def _await_end(self) -> None:
        """A head, or a trailer, that has begun must end soon."""
        self._stop_timer()
        self._timer = self.loop.call_later(self.head_seconds, self._slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _slow(self) -> None:
        self._refuse(408, f"the headers did not arrive within {self.head_seconds:g} s")

    def _cut(self) -> None:
        """Nothing was ever said: nothing is answered."""
        self.transport.close()
        self._await_close()

    def _refuse(self, status: int, message: str) -> None:
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.abort()  # a second answer would be read as part of the one on its way
            return
        body = orjson.dumps({"error": message})
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
        self._await_close()


def bounded(head_seconds: float, silent_seconds: float) -> type[BoundedConnection]:
    """What uvicorn makes of each connection, with the bounds of this server."""
    bounds = {"head_seconds": head_seconds, "silent_seconds": silent_seconds}
    return type("Connection", (BoundedConnection,), bounds)
