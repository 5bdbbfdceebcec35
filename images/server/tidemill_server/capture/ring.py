"""The newest batches with their answers, within bounds: what is too much drops the oldest.

Whoever watches takes them out and writes them down elsewhere. Kept is what a batch was predicted
from and to, as it is: a request pays for its part of an entry, and nothing is copied. Who takes a
batch out may split it, in a thread of its own if need be. Nobody is ever waited for.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

CELL_BYTES = 64  # about what an object in a matrix takes, a short text with its pointer
BATCH_BYTES, REQUEST_BYTES = 1000, 120  # beside its arrays; of a request its id, for the most part


@dataclass(slots=True)
class Captured:
    """One request: when it was answered (nanoseconds since 1970), its id, rows and outputs.

    Parts of its batch's arrays: whoever keeps one keeps all of them, unless it copies.
    """

    at: int
    prediction: str
    rows: np.ndarray
    outputs: Mapping[str, np.ndarray]


@dataclass(slots=True)
class Batch:
    """Requests that were predicted together.

    For each its id, how many rows of the matrix are its own, and which outputs it was answered. No
    id: it was not answered, as its client had gone. `rows` are those of the others.
    """

    at: int
    predictions: Sequence[str]
    counts: Sequence[int]
    wanted: Sequence[tuple[str, ...]]
    matrix: np.ndarray
    outputs: Mapping[str, np.ndarray]
    rows: int
    size: int

    def requests(self) -> Iterator[Captured]:
        """Those that were answered, in order, each with what it was answered."""
        start = 0
        of_each = zip(self.predictions, self.counts, self.wanted, strict=True)
        for prediction, count, wanted in of_each:
            end = start + count
            if prediction:
                outputs = {name: self.outputs[name][start:end] for name in wanted}
                yield Captured(self.at, prediction, self.matrix[start:end], outputs)
            start = end


class Ring:
    """Used on the event loop alone. `rows` of 0 captures nothing."""

    def __init__(self, rows: int, size: int, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._most_rows, self._most_bytes = rows, size
        self._clock = clock
        self._entries: deque[Batch] = deque()
        self.enabled = rows > 0
        self.rows = self.bytes = 0
        self.captured = self.dropped = 0

    def add(
        self,
        predictions: Sequence[str],
        counts: Sequence[int],
        wanted: Sequence[tuple[str, ...]],
        matrix: np.ndarray,
        outputs: Mapping[str, np.ndarray],
    ) -> None:
        """Keep one batch (see `Batch`); what was kept longest makes room."""
        rows = len(matrix)
        if "" in predictions:
            rows = sum(n for one, n in zip(predictions, counts, strict=True) if one)
            if not rows:
                return
        size = BATCH_BYTES + REQUEST_BYTES * len(predictions) + _size(matrix)
        for values in outputs.values():
            size += _size(values)
        batch = Batch(self._clock(), predictions, counts, wanted, matrix, outputs, rows, size)
        if len(predictions) > 1 and (rows > self._most_rows or size > self._most_bytes):
            # It would drop all that is kept, and itself: its newest requests still find room.
            for one in batch.requests():
                self._keep(_apart(one))
        else:
            self._keep(batch)

    def take(self, most: int) -> list[Batch]:
        """The oldest batches, of so many rows at most, but one in any case; they are kept no more.

        None where nothing is kept.
        """
        taken: list[Batch] = []
        rows = 0
        while self._entries and (not taken or rows + self._entries[0].rows <= most):
            taken.append(self._pop())
            rows += taken[-1].rows
        return taken

    def _keep(self, batch: Batch) -> None:
        self._entries.append(batch)
        self.rows += batch.rows
        self.bytes += batch.size
        self.captured += batch.rows
        while self.rows > self._most_rows or self.bytes > self._most_bytes:
            self.dropped += self._pop().rows

    def _pop(self) -> Batch:
        oldest = self._entries.popleft()
        self.rows -= oldest.rows
        self.bytes -= oldest.size
        return oldest


def _apart(one: Captured) -> Batch:
    """A request as a batch of its own, with copies: its part would hold the others' rows."""
    matrix, count = one.rows.copy(), len(one.rows)
    outputs = {name: values.copy() for name, values in one.outputs.items()}
    size = BATCH_BYTES + REQUEST_BYTES + sum(map(_size, (matrix, *outputs.values())))
    wanted = tuple(outputs)
    return Batch(one.at, [one.prediction], [count], [wanted], matrix, outputs, count, size)


def _size(values: np.ndarray) -> int:
    return values.size * CELL_BYTES if values.dtype.hasobject else values.nbytes
