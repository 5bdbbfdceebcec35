"""Micro-batching by arrival: what is queued is predicted together, and nothing ever waits for more.

A scikit-learn call costs nearly the same for one row as for sixteen, so under load a batch is
several times cheaper, and a single request is not delayed. Short predictions run on the event loop
(a hop to a thread costs more than they take); long ones run in one thread, during which new
requests queue up and become the next batch.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from tidemill_server.protocol.errors import ProtocolError, bad_request

Answer = dict[str, np.ndarray]
T = TypeVar("T")

LONG_SECONDS = 0.010
MAX_MODEL_MESSAGE = 500

log = logging.getLogger(__name__)


class Model(Protocol):
    """What is needed of a model."""

    def predict(self, matrix: np.ndarray, wanted: Iterable[str]) -> Answer:
        """The outputs wanted, one row for each row of the matrix."""


@dataclass(frozen=True)
class Pace:
    """How long the model takes: measured at warm-up, used to choose where a batch runs."""

    call_seconds: float
    row_seconds: float

    def is_long(self, rows: int) -> bool:
        return self.call_seconds + rows * self.row_seconds > LONG_SECONDS


class Watch(Protocol):
    """What is told of a job that somebody watches."""

    def queued(self, rows: int) -> None:
        """It waits for its batch."""

    def taken(self) -> None:
        """Its batch begins."""

    def predicted(self, rows: int) -> None:
        """Its batch, of so many rows, has ended."""


class Keeper(Protocol):
    """Who keeps what was predicted."""

    def add(
        self,
        predictions: Sequence[str],
        counts: Sequence[int],
        wanted: Sequence[tuple[str, ...]],
        matrix: np.ndarray,
        outputs: Mapping[str, np.ndarray],
    ) -> None:
        """Of each job its id, its rows, and the outputs it is answered; no id: it is answered none.

        Matrix and outputs are those of all of them, in order.
        """


@dataclass(slots=True)  # not frozen: one is made for each request
class _Job:
    matrix: np.ndarray
    wanted: tuple[str, ...]
    answer: "asyncio.Future[Answer]"
    watch: Watch | None
    prediction: str


@dataclass(slots=True)
class _Call:
    """What the model was asked at a time, and what it said; a failure is one job's alone."""

    jobs: list[_Job]
    counts: tuple[int, ...]
    matrix: np.ndarray
    outputs: Answer | Exception

    def answers(self) -> list[Answer | Exception]:
        """To each job."""
        outputs = self.outputs
        if len(self.jobs) == 1 or isinstance(outputs, Exception):
            return [outputs]
        answers: list[Answer | Exception] = []
        start = 0
        try:
            for job, count in zip(self.jobs, self.counts, strict=True):
                end = start + count
                answers.append({name: outputs[name][start:end] for name in job.wanted})
                start = end
        except Exception as error:  # an answer that is none must not keep everybody waiting
            log.exception("the model answers otherwise than it was asked")
            self.outputs = _failed(error)
            return [self.outputs] * len(self.jobs)
        return answers


@dataclass(slots=True)
class _Turn:
    work: Callable[[], Any]
    answer: "asyncio.Future[Any]"


class Batcher:
    """Owns the model's queue. All methods are called on the event loop's thread."""

    def __init__(
        self,
        model: Model,
        pace: Pace,
        *,
        max_rows: int,
        thread: Executor,
        on_batch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._model = model
        self._pace = pace
        self._max_rows = max_rows
        self._thread = thread
        self._on_batch = on_batch
        self.keeper: Keeper | None = None
        self._queue: deque[_Job] = deque()
        self._turns: deque[_Turn] = deque()
        self._turn_is_due = False
        self._scheduled = False

    def predict(
        self,
        matrix: np.ndarray,
        wanted: tuple[str, ...],
        watch: Watch | None = None,
        prediction: str = "",
    ) -> "asyncio.Future[Answer]":
        """The outputs wanted for these rows, or a ProtocolError, when it is their turn.

        `prediction`: the id that they are kept by, where there is a keeper; without one they
        are not kept.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._queue.append(_Job(matrix, wanted, answer, watch, prediction))
        if watch is not None:
            watch.queued(len(matrix))
        self._schedule(loop)
        return answer

    def turn(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Something else that asks the model, alone and in the thread.

        Turns and batches take turns, so that what is to be predicted waits for one at most.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._turns.append(_Turn(work, answer))
        self._schedule(loop)
        return answer

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._scheduled:
            # After everything else that is ready now: those requests belong to the same batch.
            self._scheduled = True
            loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._turns and (self._turn_is_due or not self._queue):
            self._turn_is_due = False
            self._begin_turn(self._turns.popleft())
            return
        jobs, rows = self._take()
        self._turn_is_due = True
        if not jobs:
            self._scheduled = bool(self._turns)
            if self._scheduled:
                asyncio.get_running_loop().call_soon(self._flush)
            return
        self._on_batch(rows)
        loop = asyncio.get_running_loop()
        if self._pace.is_long(rows):
            done = loop.run_in_executor(self._thread, _predict, self._model, jobs)
            done.add_done_callback(lambda future: self._finish(future.result(), rows))
        else:
            self._finish(_predict(self._model, jobs), rows)

    def _begin_turn(self, turn: _Turn) -> None:
        loop = asyncio.get_running_loop()
        if turn.answer.done():  # its client has gone
            loop.call_soon(self._flush)
            return
        done = loop.run_in_executor(self._thread, turn.work)
        done.add_done_callback(lambda future: self._end_turn(turn, future))

    def _end_turn(self, turn: _Turn, done: "asyncio.Future[Any]") -> None:
        error = done.exception()
        if not turn.answer.done():
            if error is None:
                turn.answer.set_result(done.result())
            else:
                turn.answer.set_exception(error)
        asyncio.get_running_loop().call_soon(self._flush)

    def _finish(self, calls: list[_Call], rows: int) -> None:
        for call in calls:
            for job, answer in zip(call.jobs, call.answers(), strict=True):
                if job.answer.done():  # its client has gone
                    job.prediction = ""
                    continue
                if job.watch is not None:
                    job.watch.predicted(rows)
                if isinstance(answer, Exception):
                    job.answer.set_exception(answer)
                else:
                    job.answer.set_result(answer)
        asyncio.get_running_loop().call_soon(self._flush)
        if self.keeper is not None:  # last: whatever befalls it, all are answered and it goes on
            for call in calls:
                _keep(self.keeper, call)

    def _take(self) -> tuple[list[_Job], int]:
        """The jobs of the next batch, and their rows."""
        jobs: list[_Job] = []
        rows = 0
        while self._queue and (not jobs or rows + len(self._queue[0].matrix) <= self._max_rows):
            job = self._queue.popleft()
            if not job.answer.done():
                jobs.append(job)
                rows += len(job.matrix)
                if job.watch is not None:
                    job.watch.taken()
        return jobs, rows


def _keep(keeper: Keeper, call: _Call) -> None:
    if isinstance(call.outputs, Exception):
        return
    # Tuples, not lists: those of texts and numbers Python's collector looks through only once.
    names = tuple([job.prediction for job in call.jobs])
    wanted = tuple([job.wanted for job in call.jobs])
    keeper.add(names, call.counts, wanted, call.matrix, call.outputs)


def _predict(model: Model, jobs: list[_Job]) -> list[_Call]:
    """All jobs in one call or, where it fails, in one for each. Never raises."""
    if len(jobs) == 1:
        return [_predict_one(model, jobs[0])]
    wanted = {job.wanted for job in jobs}
    names = wanted.pop() if len(wanted) == 1 else dict.fromkeys(n for one in wanted for n in one)
    parts = [job.matrix for job in jobs]
    try:
        matrix = np.concatenate(parts)
        return [_Call(jobs, tuple(map(len, parts)), matrix, model.predict(matrix, names))]
    except Exception:  # one bad row must not spoil its neighbours: ask for each alone
        return [_predict_one(model, job) for job in jobs]


def _predict_one(model: Model, job: _Job) -> _Call:
    outputs: Answer | Exception
    try:
        outputs = model.predict(job.matrix, job.wanted)
    except (ValueError, TypeError) as error:
        outputs = refused_values(error)
    except Exception as error:  # whatever a library raises, the server goes on
        log.exception("the model failed")
        outputs = _failed(error)
    return _Call([job], (len(job.matrix),), job.matrix, outputs)


def _failed(error: Exception) -> ProtocolError:
    return ProtocolError(500, f"the model failed: {type(error).__name__}")


def refused_values(error: Exception) -> ProtocolError:
    """What the pipeline says of values that it does not take: the sender's to correct."""
    return bad_request(f"the model refuses the values: {str(error)[:MAX_MODEL_MESSAGE]}")
