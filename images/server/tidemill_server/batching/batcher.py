"""Micro-batching by arrival: what is queued is predicted together, and nothing ever waits for more.

A scikit-learn call costs nearly the same for one row as for sixteen, so under load a batch is
several times cheaper, and a single request is not delayed. Short predictions run on the event loop
(a hop to a thread costs more than they take); long ones run in one thread, during which new
requests queue up and become the next batch.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
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


@dataclass(slots=True)  # not frozen: one is made for each request
class _Job:
    matrix: np.ndarray
    wanted: tuple[str, ...]
    answer: "asyncio.Future[Answer]"
    watch: Watch | None = None


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
        self._queue: deque[_Job] = deque()
        self._turns: deque[_Turn] = deque()
        self._turn_is_due = False
        self._scheduled = False

    def predict(
        self, matrix: np.ndarray, wanted: tuple[str, ...], watch: Watch | None = None
    ) -> "asyncio.Future[Answer]":
        """The outputs wanted for these rows, or a ProtocolError, when it is their turn."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._queue.append(_Job(matrix, wanted, answer, watch))
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
        jobs = self._take()
        self._turn_is_due = True
        if not jobs:
            self._scheduled = bool(self._turns)
            if self._scheduled:
                asyncio.get_running_loop().call_soon(self._flush)
            return
        rows = sum(len(job.matrix) for job in jobs)
        self._on_batch(rows)
        loop = asyncio.get_running_loop()
        if self._pace.is_long(rows):
            done = loop.run_in_executor(self._thread, _predict, self._model, jobs)
            done.add_done_callback(lambda future: self._finish(jobs, future.result()))
        else:
            self._finish(jobs, _predict(self._model, jobs))

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

    def _finish(self, jobs: list[_Job], answers: list[Answer | Exception]) -> None:
        for job, answer in zip(jobs, answers, strict=True):
            if job.answer.done():  # its client has gone
                continue
            if job.watch is not None:
                job.watch.predicted(sum(len(one.matrix) for one in jobs))
            if isinstance(answer, Exception):
                job.answer.set_exception(answer)
            else:
                job.answer.set_result(answer)
        asyncio.get_running_loop().call_soon(self._flush)

    def _take(self) -> list[_Job]:
        jobs: list[_Job] = []
        rows = 0
        while self._queue and (not jobs or rows + len(self._queue[0].matrix) <= self._max_rows):
            job = self._queue.popleft()
            if not job.answer.done():
                jobs.append(job)
                rows += len(job.matrix)
                if job.watch is not None:
                    job.watch.taken()
        return jobs


def _predict(model: Model, jobs: list[_Job]) -> list[Answer | Exception]:
    """One answer or error for each job. Never raises."""
    if len(jobs) == 1:
        return [_predict_one(model, jobs[0])]
    wanted = dict.fromkeys(name for job in jobs for name in job.wanted)
    try:
        together = model.predict(np.concatenate([job.matrix for job in jobs]), wanted)
    except Exception:  # one bad row must not spoil its neighbours: ask for each alone
        return [_predict_one(model, job) for job in jobs]
    answers: list[Answer | Exception] = []
    start = 0
    for job in jobs:
        end = start + len(job.matrix)
        answers.append({name: together[name][start:end] for name in job.wanted})
        start = end
    return answers


def _predict_one(model: Model, job: _Job) -> Answer | Exception:
    try:
        return model.predict(job.matrix, job.wanted)
    except (ValueError, TypeError) as error:
        return refused_values(error)
    except Exception as error:  # whatever a library raises, the server goes on
        log.exception("the model failed")
        return ProtocolError(500, f"the model failed: {type(error).__name__}")


def refused_values(error: Exception) -> ProtocolError:
    """What the pipeline says of values that it does not take: the sender's to correct."""
    return bad_request(f"the model refuses the values: {str(error)[:MAX_MODEL_MESSAGE]}")
