"""The newest requests with their answers, within bounds: what is too much drops the oldest.

Whoever watches takes them out and writes them down elsewhere. A request pays for one entry, not for
its rows: arrays are kept as they are. Nobody is ever waited for.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

CELL_BYTES = 64  # about what an object in a matrix takes, a short text with its pointer
ENTRY_BYTES = 500  # beside its arrays


@dataclass(slots=True)
class Captured:
    """One request: when it was answered (nanoseconds since 1970), its id, rows and outputs."""

    at: int
    prediction: str
    rows: np.ndarray
    outputs: Mapping[str, np.ndarray]
    size: int


class Ring:
    """Used on the event loop alone. `rows` of 0 captures nothing."""

    def __init__(self, rows: int, size: int, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._most_rows, self._most_bytes = rows, size
        self._clock = clock
        self._entries: deque[Captured] = deque()
        self.enabled = rows > 0
        self.rows = self.bytes = 0
        self.captured = self.dropped = 0

    def add(self, prediction: str, rows: np.ndarray, outputs: Mapping[str, np.ndarray]) -> None:
        """Keep one request; what was kept longest makes room."""
        count = len(rows)
        size = ENTRY_BYTES + _size(rows)
        kept = {}
        for name, values in outputs.items():
            # They are parts of a batch's, which would be kept whole by any of them.
            kept[name] = values.copy()
            size += values.nbytes if values.dtype.kind != "O" else _size(values)
        self._entries.append(Captured(self._clock(), prediction, rows, kept, size))
        self.rows += count
        self.bytes += size
        self.captured += count
        while self.rows > self._most_rows or self.bytes > self._most_bytes:
            self.dropped += len(self._pop().rows)

    def take(self, most: int) -> list[Captured]:
        """The oldest requests, of so many rows at most, but one in any case; they are kept no more.

        None where nothing is kept.
        """
        taken: list[Captured] = []
        rows = 0
        while self._entries and (not taken or rows + len(self._entries[0].rows) <= most):
            taken.append(self._pop())
            rows += len(taken[-1].rows)
        return taken

    def _pop(self) -> Captured:
        oldest = self._entries.popleft()
        self.rows -= len(oldest.rows)
        self.bytes -= oldest.size
        return oldest


def _size(values: np.ndarray) -> int:
    return values.size * CELL_BYTES if values.dtype.hasobject else values.nbytes
