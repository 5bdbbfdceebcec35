"""Answers on their way: as fast as the client's windows allow, and all at the same pace."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from tidemill_server.rpc.frames import (
    FIRST_WINDOW,
    MAX_FRAME_BYTES,
    MAX_WINDOW,
    Broken,
    Code,
    Kind,
    frame,
    header_frame,
)


@dataclass(slots=True)
class _Answer:
    """What is left of an answer, and since when its client has not taken a frame's worth."""

    body: memoryview
    trailers: bytes
    since: float
    moved: int = 0


class Outbox:
    """The client's windows, and the answers that do not fit into them yet.

    Whoever opens a window by little must not make all that waits be looked at: what can move is
    kept apart from what waits for a window of its own.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        sent: Callable[[int], None],
        full: Callable[[], None],
    ) -> None:
        self._write = write
        self._sent = sent  # told of each stream whose answer is written
        self._full = full  # told of each frame that is as large as may be
        self._window = FIRST_WINDOW
        self._first = FIRST_WINDOW
        self._windows: dict[int, int] = {}
        self._waiting: dict[int, _Answer] = {}
        # Of those that wait: whose own window is open, the next one first.
        self._ready: OrderedDict[int, None] = OrderedDict()
        self.paused = False

    def open(self, stream: int) -> None:
        self._windows[stream] = self._first

    def close(self, stream: int) -> None:
        """Whatever is left of its answer is not wanted."""
        self._windows.pop(stream, None)
        self._waiting.pop(stream, None)
        self._ready.pop(stream, None)

    def waiting_since(self, then: float) -> list[int]:
        """The streams whose answers are not taken since before."""
        return [stream for stream, answer in self._waiting.items() if answer.since < then]

    def has_room(self, stream: int, size: int) -> bool:
        """Whether an answer goes at once."""
        room = min(self._window, self._windows[stream])
        return size <= room and not self._ready and not self.paused

    def send(self, stream: int, parts: tuple[bytes, bytes, bytes], now: float) -> None:
        """Headers, body and trailers of an answer: at once where there is room."""
        head, body, trailers = parts
        size = len(body)
        if size <= MAX_FRAME_BYTES and self.has_room(stream, size):
            self._window -= size
            data = frame(Kind.DATA, 0, stream, body)
            self._write(head + data + trailers)
            self._sent(stream)
            return
        self._write(head)
        self._waiting[stream] = _Answer(memoryview(body), trailers, now)
        self._wake(stream)
        self.flush(now)

    def flush(self, now: float) -> None:
        """One frame of each that can move, in turns."""
        while self._ready and self._window > 0 and not self.paused:
            stream, _ = self._ready.popitem(last=False)
            self._move(stream, now)

    def _move(self, stream: int, now: float) -> None:
        answer = self._waiting[stream]
        size = min(len(answer.body), self._window, self._windows[stream], MAX_FRAME_BYTES)
        self._window -= size
        self._windows[stream] -= size
        self._write(frame(Kind.DATA, 0, stream, bytes(answer.body[:size])))
        if size == MAX_FRAME_BYTES:
            self._full()
        answer.body = answer.body[size:]
        answer.moved += size
        if answer.moved >= MAX_FRAME_BYTES:  # byte by byte is not taking it
            answer.moved, answer.since = 0, now
        if answer.body:
            self._wake(stream)
        else:
            self._write(answer.trailers)
            self._sent(stream)

    def _wake(self, stream: int) -> None:
        if self._windows[stream] > 0:
            self._ready[stream] = None

    def grant(self, stream: int, size: int, now: float) -> None:
        """The client takes more, of one stream or (0) of all; raises Broken."""
        if stream == 0:
            self._window += size
            found = self._window
        elif stream in self._windows:
            self._windows[stream] += size
            found = self._windows[stream]
        else:
            return  # of a stream that has ended
        if found > MAX_WINDOW or not size:
            raise Broken(Code.FLOW_CONTROL_ERROR, f"a window of {found} bytes, {size} more")
        if stream in self._waiting:
            self._wake(stream)
        self.flush(now)

    def resize(self, first: int, now: float) -> None:
        """Every stream's window begins with another size: those that are open change as well."""
        change, self._first = first - self._first, first
        self._ready.clear()
        for stream in self._windows:
            self._windows[stream] += change
            if stream in self._waiting:
                self._wake(stream)
        self.flush(now)


def answer_parts(
    stream: int, head: bytes, body: bytes, trailers: bytes
) -> tuple[bytes, bytes, bytes]:
    """An answer as frames, but for its body."""
    return header_frame(stream, head), body, header_frame(stream, trailers, last=True)
