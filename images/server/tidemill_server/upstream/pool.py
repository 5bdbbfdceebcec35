"""Connections to the container: kept for the next question, and never for long.

A connection that was kept may be closed by the other end just when it is used. What was asked then,
and not a byte was answered to, is asked once more, over a new one, where it may be.
"""

import asyncio
from collections.abc import Callable

from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.upstream.connection import Connection, Unanswered
from tidemill_server.upstream.question import Question
from tidemill_server.upstream.reading import Broken, Reply
from tidemill_server.upstream.told import Upstream

# Less than servers keep a connection that nobody uses: Node.js and uvicorn do so for 5 s.
IDLE_SECONDS = 4.0
CONNECT_SECONDS = 5.0
RETRY_SECONDS = 1


class Pool:
    """Asks the container, over as many connections as there are questions at a time."""

    def __init__(self, told: Upstream) -> None:
        self._told = told
        self._idle: list[Connection] = []  # the one used last is at the end
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> int:
        """Connections that wait for a question."""
        return len(self._idle)

    async def ask(
        self, question: Question, most: int, take: Callable[[int], None] | None = None
    ) -> Reply:
        """The container's answer; raises ProtocolError.

        `take` is told of the bytes of the body as they come, and may raise.
        """
        try:
            return await self._asked(question, most, take)
        except Broken as fault:
            raise ProtocolError(502, f"the model's container {fault}") from None
        except Unanswered:
            message = "the model's container closed the connection without an answer"
            raise ProtocolError(502, message) from None

    def close(self) -> None:
        """Keep none."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _asked(
        self, question: Question, most: int, take: Callable[[int], None] | None
    ) -> Reply:
        kept = self._kept()
        if kept is not None:
            try:
                return await self._ask(kept, question, most, take)
            except Unanswered:
                if not question.repeatable:
                    raise
        return await self._ask(await self._connect(), question, most, take)

    async def _ask(
        self,
        connection: Connection,
        question: Question,
        most: int,
        take: Callable[[int], None] | None,
    ) -> Reply:
        reply = await connection.ask(question, most, take)
        if connection.usable:
            self._idle.append(connection)
            if self._timer is None:
                self._look_later()
        return reply

    def _kept(self) -> Connection | None:
        last = asyncio.get_running_loop().time() - IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since > last:
                return connection
            connection.close()
        return None

    async def _connect(self) -> Connection:
        told, loop = self._told, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(Connection, told.host, told.port)
        except (OSError, TimeoutError):
            message = f"the model's container takes no connection on port {told.port}"
            raise ProtocolError(503, message, retry_after=RETRY_SECONDS) from None
        return connection

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS / 4, self._look)

    def _look(self) -> None:
        """Close those that nobody has used for long."""
        self._timer = None
        last = asyncio.get_running_loop().time() - IDLE_SECONDS
        for connection in self._idle:
            if connection.idle_since <= last:
                connection.close()
        self._idle = [one for one in self._idle if one.usable]
        if self._idle:
            self._look_later()
