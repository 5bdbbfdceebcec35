"""Both ends of a connection of REST's: a transport that is none, and what answers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tidemill_server.answers import Answer
from tidemill_server.rest.connection import Connection
from tidemill_server.rest.heads import Heads
from tidemill_server.rest.request import Request
from tidemill_server.rest.terms import Patience, Terms


class Wire(asyncio.Transport):
    """What the connection does to its transport."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closing = self.aborted = self.paused = False
        self.waiting = 0  # bytes that nobody has taken
        self.news = asyncio.Event()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ARG002
        return default

    def write(self, data: Any) -> None:
        assert not self.closing
        self.sent += bytes(data)
        self.news.set()

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True
        self.news.set()

    def abort(self) -> None:
        self.aborted = True
        self.news.set()

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        assert self.paused
        self.paused = False

    async def until(self, condition: Callable[["Wire"], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(30):
            while not condition(self):
                self.news.clear()
                await self.news.wait()

    def statuses(self) -> list[int]:
        parts = self.sent.split(b"HTTP/1.1 ")[1:]
        return [int(part[:3]) for part in parts]


@dataclass
class Answerer:
    """Answers with the path and what it took of the body, when it is let."""

    reads: bool = True
    go: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[Request] = field(default_factory=list)
    cancelled: int = 0

    async def answer(self, request: Request) -> Answer:
        self.asked.append(request)
        try:
            body = b""
            while self.reads:
                ended = request.body.ended
                body += request.body.take()
                if ended:
                    break
                await request.body.more()
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Answer(200, request.path.encode() + b"=" + body)


@dataclass
class Line:
    """A connection and its both ends."""

    answerer: Answerer
    wire: Wire
    terms: Terms
    connection: Connection

    def say(self, data: bytes) -> None:
        self.connection.data_received(data)


def line(head_seconds: float = 60, silent_seconds: float = 60, *, reads: bool = True) -> Line:
    answerer = Answerer(reads)
    answerer.go.set()
    patience = Patience(head_seconds, silent_seconds)
    terms = Terms(answerer, Heads([(b"x-every", b"1")]), patience)
    connection, wire = Connection(terms), Wire()
    connection.connection_made(wire)
    return Line(answerer, wire, terms, connection)


async def answers(found: Line, count: int) -> None:
    await found.wire.until(lambda wire: len(wire.statuses()) == count)
