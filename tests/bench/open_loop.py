"""A client that asks at its times: one thread, some connections, a core of its own.

It waits in `select`, which alone counts in microseconds: of event loops the timers count in
milliseconds, and several requests are due in each. Answers are told by status and length, no more.
"""

import gc
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.timetable import Due, Question, Rush, Tally, Timetable

PATIENCE = 10.0  # for the answers that are still to come at the end
LONGEST_WAIT = 0.1
_LENGTH = b"\r\ncontent-length: "


@dataclass(frozen=True)
class Load:
    """What is asked, how often a second (None: as often as possible) and for how long."""

    port: int
    questions: Sequence[Question]
    rate: float | None
    seconds: float
    connections: int = 16

    def table(self, began: float) -> Timetable | Rush:
        if self.rate is None:
            return Rush(self.questions, began, self.seconds)
        return Timetable(self.questions, self.rate, began, self.seconds)


class Line:
    """One connection, and the question that is asked over it now."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due: Due | None = None
        self._received = b""

    def fileno(self) -> int:
        return self._socket.fileno()

    def ask(self, due: Due) -> None:
        self.due, self._received = due, b""
        self._socket.sendall(due.question.data)

    def status(self) -> int | None:
        """Read what is there: the status when it is all; raises OSError where it ends before."""
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionResetError("the connection was closed")
        self._received = data = self._received + data if self._received else data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return None
        length = data.index(_LENGTH, 0, end + 2) + len(_LENGTH)
        whole = end + 4 + int(data[length : data.find(b"\r", length)])
        return int(data[9:12]) if len(data) >= whole else None

    def close(self) -> None:
        self._socket.close()


class _Client:
    """All connections, and who waits for one."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self.tally = Tally()
        self._lines = {self._line() for _ in range(load.connections)}
        self._idle = deque(self._lines)
        self._waiting: deque[Due] = deque()

    def run(self) -> float:
        """Ask until the end; the seconds until the last answer."""
        began = time.perf_counter()
        table, last = self._load.table(began), began + self._load.seconds + PATIENCE
        while (now := time.perf_counter()) < last:
            self._ask(table, now)
            if table.ended and not self._waiting and len(self._idle) == len(self._lines):
                break
            wait = min(max(table.next - time.perf_counter(), 0.0), LONGEST_WAIT)
            for line in select.select(self._lines, (), (), wait)[0]:
                self._read(line)
        took = time.perf_counter() - began
        for due in self._waiting:
            self.tally.failed(due, f"not asked within {PATIENCE:.0f} s of the end: it lags behind")
        for line in self._lines:
            if line.due is not None:
                self.tally.failed(line.due, f"no answer within {PATIENCE:.0f} s of the end")
            line.close()
        return took

    def _line(self) -> Line:
        return Line(self._load.port)

    def _ask(self, table: Timetable | Rush, now: float) -> None:
        for due in table.due(now, len(self._idle)):
            self.tally.noticed(due, now)
            if due.question.fresh:
                line = self._line()
                self._lines.add(line)
                self._send(line, due)
            else:
                self._waiting.append(due)
        while self._waiting and self._idle:
            self._send(self._idle.popleft(), self._waiting.popleft())

    def _send(self, line: Line, due: Due) -> None:
        try:
            line.ask(due)
        except OSError as error:
            self._lost(line, str(error))

    def _read(self, line: Line) -> None:
        try:
            status = line.status()
        except OSError as error:
            self._lost(line, str(error))
            return
        due = line.due
        if status is None or due is None:
            return
        self.tally.answered(due, status, time.perf_counter())
        line.due = None
        if due.question.fresh:
            self._lines.discard(line)
            line.close()
        else:
            self._idle.append(line)

    def _lost(self, line: Line, why: str) -> None:
        """The server has closed it; who was not asked for one of its own has another instead."""
        if line.due is not None:
            self.tally.failed(line.due, why)
        self._lines.discard(line)
        line.close()
        if line in self._idle:
            self._idle.remove(line)
        if line.due is None or not line.due.question.fresh:
            another = self._line()
            self._lines.add(another)
            self._idle.append(another)


def offer(load: Load) -> tuple[Tally, float]:
    """Ask; what came of it, and the seconds until the last answer."""
    gc.freeze()  # what is there stays, and need not be looked through meanwhile
    client = _Client(load)
    return client.tally, client.run()
