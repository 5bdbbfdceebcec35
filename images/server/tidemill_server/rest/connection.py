"""One connection: bytes become requests, which are answered one by one in their order.

The parser puts no bound on the headers of a request, on the trailers after its body, or on the time
that they take. What goes on without getting anywhere is refused and cut: bytes are counted that
completed neither a head nor a piece of a body.

A client may offer to go on in another protocol, as Java's does with HTTP/2 on every request. The
parser then leaves the body alone, so the offer is declined by reading the request without it.

A client that does not take its answer has a bounded time for it as well: closing waits until all
that was written is taken, so what is left then is thrown away. A client that leaves cancels its
work.
"""

import asyncio
import logging
from collections import deque
from enum import Enum
from typing import cast

import httptools

from tidemill_server.answers import Answer, error_answer
from tidemill_server.limits.body import Body
from tidemill_server.limits.budget import Share
from tidemill_server.protocol.errors import SHOWN_CHARS, Header, ProtocolError, fault
from tidemill_server.rest import offers
from tidemill_server.rest.eager import begin
from tidemill_server.rest.heads import CLOSE, GO_ON, KEEP
from tidemill_server.rest.request import Request, path_of
from tidemill_server.rest.terms import NEVER, Terms

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 200
MAX_OFFERS = 100  # in what comes at a time

log = logging.getLogger(__name__)


class _Due(Enum):
    """What is to have happened in time."""

    WORD = "a first byte, or a next request"
    HEAD = "the end of a head or a trailer"
    REST = "the end of a body that nobody reads any more"


class _TooManyHeaders(Exception):  # noqa: N818 - says what is the case
    """Ends the parsing of a request; the parser hides it behind an error of its own."""


class Connection(asyncio.Protocol):
    """Everything that one client asks over one connection."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._loop = asyncio.get_running_loop()
        self._parser = self._new_parser()
        self.closed = asyncio.Event()
        self._transport: asyncio.Transport
        # Requests of which the head is there, in their order; the first is being answered.
        self._requests: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._ending = self._writable = False
        # What is wrong with what came behind them.
        self._refusal: tuple[int, str] | None = None
        self._paused = False
        # What is being read.
        self._url = b""
        self._headers: list[Header] = []
        self._in_head = self._expects = False
        self._body: Body | None = None
        # The head to be read anew, where its client offers another protocol.
        self._offered: bytes | None = None
        # What is waited for, and until when.
        self._moved = False
        self._pending = 0
        self._due, self._due_by = _Due.WORD, NEVER
        self._taken_by = NEVER
        self._held: Share | None = None

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        # What follows a request that says it is the last is no reason not to answer it.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    # From the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._writable = True
        self._terms.add(self)
        self._wait_for(_Due.WORD, self._terms.patience.silent)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self.closed.set()
        self._let_go()
        self._terms.connections.discard(self)
        self._due_by = self._taken_by = NEVER
        self._cancel()

    def _hold(self, size: int) -> None:
        """Answers that wait to be taken count with the bodies that are received."""
        if self._terms.budget is None:
            return
        self._let_go()
        self._held = self._terms.budget.share()
        try:
            self._held.take(size)
        except ProtocolError:
            log.warning("no room for an answer to wait: its client is cut", extra={"bytes": size})
            self._transport.abort()

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.free()
            self._held = None

    def eof_received(self) -> None:
        self._await_taken()  # the transport closes now, which waits as well

    def pause_writing(self) -> None:
        self._writable = False
        self._await_taken()
        self._hold(self._transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self._writable = True
        self._let_go()
        if not self._transport.is_closing():
            self._taken_by = NEVER
            self._go_on()

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        self._moved = False
        self._feed(data)
        if self._moved:
            self._pending = 0
            if self._in_head:  # of the next request, in the same piece
                self._wait_for(_Due.HEAD, self._terms.patience.head)
        else:
            self._count(len(data))
        if self._task is None and self._requests:
            self._go_on()

    def _count(self, size: int) -> None:
        """Bytes that have brought nothing to its end."""
        left_alone = self._due is _Due.REST and self._due_by != NEVER
        if not self._pending and not left_alone:
            self._wait_for(_Due.HEAD, self._terms.patience.head)
        self._pending += size
        if self._pending > MAX_HEAD_BYTES:
            self._refuse(431, f"the headers are larger than {MAX_HEAD_BYTES} bytes")

    # From the server.

    def look(self, now: float) -> None:
        """Cut what has had its time."""
        if now >= self._taken_by:
            self._transport.abort()
        elif now >= self._due_by:
            self._late()

    def _late(self) -> None:
        seconds = self._terms.patience.head
        if self._requests:  # those before are answered first, and have bounds of their own
            self._wait_for(self._due, seconds)
        elif self._due is _Due.HEAD:
            self._refuse(408, f"the headers did not arrive within {seconds:g} s")
        else:
            self._close()

    def finish(self) -> None:
        """End when what has been asked is answered."""
        self._ending = True
        if not self._requests:
            self._close()

    def is_done(self) -> bool:
        return not self._requests and not self._transport.get_write_buffer_size()

    def abort(self) -> None:
        self._transport.abort()

    # From the parser.

    def on_message_begin(self) -> None:
        self._in_head, self._expects = True, False
        self._url = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # what follows a body in chunks is no header of its request
        name = name.lower()
        self._headers.append((name, value))
        if name == b"expect":
            self._expects = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._moved, self._due_by = True, NEVER
        if len(self._headers) > MAX_HEADERS:
            raise _TooManyHeaders
        parser = self._parser
        method = parser.get_method()
        if parser.should_upgrade():
            if method != b"CONNECT":
                version = parser.get_http_version().encode()
                asked = method + b" " + self._url + b" HTTP/" + version
                self._offered = offers.without(asked, self._headers)
            return
        self._body = body = Body(self)
        http10 = parser.get_http_version() != "1.1"
        path, kept = path_of(self._url), parser.should_keep_alive()
        expects = self._expects and not http10
        terms = body, kept, expects, http10, self._url
        request = Request(method.decode(), path, self._headers, *terms)
        self._requests.append(request)
        if len(self._requests) > 1:
            self._pause()

    def on_body(self, piece: bytes) -> None:
        self._moved = True
        if self._body is not None:
            self._due_by = NEVER
            self._body.add(piece)

    def on_message_complete(self) -> None:
        self._moved, self._due_by = True, NEVER
        body, self._body = self._body, None
        if body is not None:
            body.end()
        elif self._offered is None and not self._requests:  # the end of a body that nobody read
            self._await_next()

    def _feed(self, data: bytes) -> None:
        seen = 0
        try:
            while data:
                try:
                    self._parser.feed_data(data)
                except httptools.HttpParserUpgrade as offer:
                    seen += 1
                    data = self._declined(data[offer.args[0] :], seen)
                else:
                    return
        except httptools.HttpParserError:
            if len(self._headers) > MAX_HEADERS:
                self._refuse(431, f"the request has more than {MAX_HEADERS} headers")
            else:
                self._refuse(400, "this is no valid HTTP request")

    def _declined(self, rest: bytes, seen: int) -> bytes:
        """What is to be read in place of an offer; nothing where it is refused."""
        if self._offered is None:  # CONNECT, which has no other meaning
            self._refuse(405, "CONNECT is not answered here")
            return b""
        head, self._offered = self._offered, None
        if seen > MAX_OFFERS:  # each costs a copy of all that came with it
            self._refuse(400, "too many offers of another protocol")
            return b""
        self._parser = self._new_parser()
        return head + rest

    # From a body that is being read.

    def wanted(self) -> None:
        request = self._requests[0]
        if request.expects:
            request.expects = False
            self._transport.write(GO_ON)
        self._resume()

    def held(self) -> None:
        self._pause()

    def taken(self) -> None:
        self._resume()  # who reads sees that the client leaves

    # Answers.

    def _go_on(self) -> None:
        """Answer the next, where nothing is in its way."""
        if self._task is None and self._requests and self._writable:
            task = begin(self._loop, self._answer(self._requests[0]))
            self._task = None if task.done() else task

    async def _answer(self, request: Request) -> None:
        try:
            answer = await self._terms.answerer.answer(request)
        except Exception:  # who waits must hear something, whatever is wrong
            log.exception("the request failed", extra={"path": request.path[:SHOWN_CHARS]})
            answer = error_answer(fault())
        if not self._transport.is_closing():
            self._write(request, answer)

    def _write(self, request: Request, answer: Answer) -> None:
        # Who was not told to go on may ask something else where its body is expected.
        untold = request.expects and not request.body.ended
        closes = answer.close or untold or not request.kept
        closes = closes or self._ending or self._terms.retiring
        connection = CLOSE if closes else KEEP if request.http10 else None
        bodiless = request.method == "HEAD"
        heads = self._terms.heads
        self._transport.write(heads.answer(answer, bodiless=bodiless, connection=connection))
        self._requests.popleft()
        self._task = None
        if closes:
            self._close()
            return
        if self._requests:
            self._resume()
            self._loop.call_soon(self._go_on)  # not within this one's task
            return
        if self._refusal is not None:
            self._refuse(*self._refusal)
            return
        self._resume()
        if request.body is self._body:  # answered before all was there: what comes is let go
            self._body = None
            self._wait_for(_Due.REST, self._terms.patience.head)
        else:
            self._await_next()

    def _refuse(self, status: int, message: str) -> None:
        """Say what is wrong, and that is the end; those that came whole before are answered."""
        if self._transport.is_closing():
            return
        if self._body is not None:
            self._requests.pop()
            self._body = None
        if self._requests:
            self._refusal = status, message
            self._pause()
            return
        self._cancel()
        answer = error_answer(ProtocolError(status, message))
        self._transport.write(
            self._terms.heads.answer(answer, bodiless=False, connection=CLOSE),
        )
        self._close()

    def _cancel(self) -> None:
        self._requests.clear()
        self._body = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _close(self) -> None:
        self._due_by = NEVER
        self._transport.close()
        self._await_taken()

    # Time.

    def _await_next(self) -> None:
        if not self._in_head:
            self._wait_for(_Due.WORD, self._terms.patience.silent)

    def _wait_for(self, due: _Due, seconds: float) -> None:
        self._due = due
        self._due_by = self._loop.time() + seconds

    def _await_taken(self) -> None:
        if self._taken_by == NEVER:
            self._taken_by = self._loop.time() + self._terms.patience.head

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._refusal is not None or self._transport.is_closing():
            return
        if self._paused and len(self._requests) < 2:
            self._paused = False
            self._transport.resume_reading()
