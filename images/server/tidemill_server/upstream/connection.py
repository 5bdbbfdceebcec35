"""One connection to the container, which is asked one thing at a time."""

import asyncio
from collections.abc import Callable
from typing import cast

from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.upstream.question import Question
from tidemill_server.upstream.reading import Broken, Reading, Reply

JOINED_BYTES = 64 * 1024  # a body of so many is sent with its head


class Unanswered(Exception):  # noqa: N818 - says what is the case
    """The connection ended before a byte of the answer came."""


class Connection(asyncio.Protocol):
    """Used again as long as both ends keep to the protocol."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._reading: Reading | None = None
        self._answered: asyncio.Future[None] | None = None
        self._take: Callable[[int], None] | None = None
        self._lost = False
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether something can be asked now."""
        return not self._lost and not self._transport.is_closing()

    async def ask(
        self, question: Question, most: int, take: Callable[[int], None] | None = None
    ) -> Reply:
        """The answer; raises Unanswered, Broken, or what `take` raises of the bytes that come.

        Whatever else than a whole answer ends it ends the connection, so that the container learns
        that nobody waits any more.
        """
        reading = Reading(most, wants_body=question.wants_body)
        self._reading, self._take = reading, take
        self._answered = self._loop.create_future()
        kept = False
        try:
            self._send(question)
            await self._answered
            # An answer that came before all was said leaves the rest of the question on its way.
            kept = reading.kept and not self._transport.get_write_buffer_size()
        finally:
            self._reading = self._answered = self._take = None
            if not kept:
                self._transport.abort()
        self.idle_since = self._loop.time()
        return reading.reply

    def close(self) -> None:
        self._transport.abort()

    def _send(self, question: Question) -> None:
        if len(question.body) <= JOINED_BYTES:
            self._transport.write(question.head + question.body)
        else:
            self._transport.write(question.head)
            self._transport.write(question.body)

    # From the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        reading, answered = self._reading, self._answered
        if reading is None or answered is None:
            self._transport.abort()  # nobody has asked
            return
        try:
            size = reading.feed(data)
            if size and self._take is not None:
                self._hold(size, self._take)
        except (Broken, ProtocolError) as fault:
            if not answered.done():
                answered.set_exception(fault)
            return
        if reading.ended and not answered.done():
            answered.set_result(None)

    def _hold(self, size: int, take: Callable[[int], None]) -> None:
        """Count what has come; raises ProtocolError where there is no room for it.

        What was asked is done by then, so nobody is told to ask again.
        """
        try:
            take(size)
        except ProtocolError:
            message = "there is no room for the answer of the model's container: too many at a time"
            raise ProtocolError(503, message) from None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._lost = True
        reading, answered = self._reading, self._answered
        if reading is None or answered is None or answered.done():
            return
        if not reading.began:
            answered.set_exception(Unanswered())
            return
        try:
            reading.end()
        except Broken as fault:
            answered.set_exception(fault)
        else:
            answered.set_result(None)
