"""When requests are due, and how long each took from then on: not from when there was room for it.

A client that asks anew when it is answered asks less while the server is slow, and so leaves out
the very requests that would have had to wait ("coordinated omission"). Here they are due whether
the server keeps up or not, and their waiting counts. Nothing here knows of sockets or clocks.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


@dataclass(frozen=True)
class Question:
    """Bytes to send, the status to be answered; `fresh`: over a connection of its own."""

    kind: str
    data: bytes
    status: int = 200
    fresh: bool = False


@dataclass(slots=True)
class Due:
    """A question, and when it is to be asked."""

    question: Question
    at: float


class Timetable:
    """Questions over and over, from `began` on, so many seconds long; so many a second."""

    def __init__(
        self, questions: Sequence[Question], rate: float, began: float, seconds: float
    ) -> None:
        self._questions, self._rate, self._began = questions, rate, began
        self.count = math.floor(rate * seconds)
        self.given = 0

    @property
    def ended(self) -> bool:
        return self.given >= self.count

    @property
    def next(self) -> float:
        """When something is due again."""
        return math.inf if self.ended else self._began + self.given / self._rate

    def due(self, now: float, room: int) -> Iterator[Due]:  # noqa: ARG002 - room is not waited for
        """Those of which the time has come, each once."""
        while (at := self.next) <= now:
            self.given += 1
            yield Due(self._questions[(self.given - 1) % len(self._questions)], at)


class Rush:
    """The same questions, each as soon as there is room for it: to see how many are possible."""

    def __init__(self, questions: Sequence[Question], began: float, seconds: float) -> None:
        self._questions, self._end = questions, began + seconds
        self.given = 0
        self.ended = False
        self.next = math.inf  # whenever there is room

    def due(self, now: float, room: int) -> Iterator[Due]:
        self.ended = now >= self._end
        for _ in range(0 if self.ended else room):
            yield Due(self._questions[self.given % len(self._questions)], now)
            self.given += 1


@dataclass
class Tally:
    """Milliseconds of each kind, errors in words, and how late the client itself was."""

    took: dict[str, "array[float]"] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    late: "array[float]" = field(default_factory=lambda: array("f"))

    def answered(self, due: Due, status: int, now: float) -> None:
        """It took from when it was due, however it was answered."""
        question = due.question
        self.took.setdefault(question.kind, array("f")).append(1000 * (now - due.at))
        if status != question.status:
            self.errors[f"{question.kind}: {status} instead of {question.status}"] += 1

    def failed(self, due: Due, why: str) -> None:
        self.errors[f"{due.question.kind}: {why}"] += 1

    def noticed(self, due: Due, now: float) -> None:
        self.late.append(1000 * (now - due.at))

    @property
    def answers(self) -> int:
        return sum(map(len, self.took.values()))


def quantiles(times: "Mapping[str, array[float]]") -> dict[str, float]:
    """Of all kinds together; none of nothing."""
    if not any(map(len, times.values())):
        return {}
    every = np.concatenate([np.frombuffer(one, np.float32) for one in times.values()])
    # A time that was measured, never one between two.
    found = np.quantile(every, list(SHARES.values()), method="inverted_cdf")
    return dict(zip(SHARES, found.tolist(), strict=True))


def slope(samples: Sequence[tuple[float, float]], start: float) -> float:
    """By least squares, of samples (when, how much) from a moment on; 0 of fewer than two."""
    kept = [sample for sample in samples if sample[0] >= start]
    if len(kept) < 2:
        return 0.0
    when, much = np.array(kept, dtype=float).T
    when -= when.mean()
    return float(when @ (much - much.mean()) / (when @ when))
