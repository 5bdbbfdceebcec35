"""Who does trials: this process, or several that share the rows.

Each trial works with one thread, here and there: sums of floats depend on how many add them, and
what comes of a trial must not depend on how many run at a time. Processes are forked from one that
is started for it and does nothing else: a process with threads may stand still when it is forked.
"""

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tidemill_runner import threads
from tidemill_runner.failures import Failure
from tidemill_runner.search.trial import Bench, Outcome, Wanted, attempt, reduced

Finished = Callable[[Outcome], None]
PRELOADED = "tidemill_runner.search.preloaded"
log = logging.getLogger(__name__)


class Alone:
    """Trials one after the other, in this process."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def run(self, wanted: Sequence[Wanted], finished: Finished) -> Iterator[Outcome]:
        """The outcomes in their order; `finished` is told of each as soon as it is there."""
        for one in wanted:
            with threadpool_limits(1):
                outcome = attempt(self._bench, one)
            finished(outcome)
            yield outcome


@dataclass(frozen=True)
class Shared:
    """Where processes find the rows: files of numbers, mapped into each, or the rows."""

    bench: Bench
    features: Path | NDArray[Any]
    target: Path | NDArray[Any]
    weights: Path | NDArray[Any] | None

    @classmethod
    def of(cls, bench: Bench, folder: Path) -> "Shared":
        def laid_out(name: str, rows: NDArray[Any]) -> Path | NDArray[Any]:
            if rows.dtype.hasobject:
                return rows
            path = folder / f"{name}.npy"
            np.save(path, rows, allow_pickle=False)
            return path

        weights = None if bench.weights is None else laid_out("weights", bench.weights)
        features, target = laid_out("features", bench.features), laid_out("target", bench.target)
        return cls(reduced(bench), features, target, weights)

    def open(self) -> Bench:
        weights = None if self.weights is None else _rows(self.weights)
        features, target = _rows(self.features), _rows(self.target)
        return replace(self.bench, features=features, target=target, weights=weights)


class Several:
    """Trials side by side, each process at one of them."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def one(self, wanted: Wanted) -> Outcome:
        """The outcome of one trial, when it is there; from any thread."""
        return _result(self._pool.submit(_attempt, wanted))

    def run(self, wanted: Sequence[Wanted], finished: Finished) -> Iterator[Outcome]:
        """As of `Alone`: in their order, whichever is there first."""
        pending: dict[Future[Outcome], int] = {
            self._pool.submit(_attempt, one): one.number for one in wanted
        }
        done: dict[int, Outcome] = {}
        try:
            for one in wanted:
                while one.number not in done:
                    ready, _ = wait(pending, return_when=FIRST_COMPLETED)
                    for future in ready:
                        del pending[future]
                        outcome = _result(future)
                        finished(outcome)
                        done[outcome.number] = outcome
                yield done.pop(one.number)
        finally:
            for future in pending:
                future.cancel()


@contextmanager
def hired(bench: Bench, parallelism: int, folder: Path) -> Iterator[Alone | Several]:
    """Whoever does trials, as many at a time as asked for and as there are CPUs."""
    count = at_once(parallelism)
    if count == 1:
        yield Alone(bench)
        return
    folder.mkdir(parents=True)
    with several(Shared.of(bench, folder), count) as crew:
        yield crew


def warm(parallelism: int) -> None:
    """Begin to start what processes are forked from, where there will be some; waits for nothing.

    It imports for a second or more, in which the rows can be read.
    """
    if min(parallelism, _cpus()) > 1:
        _context()
        with _one_thread_each():
            forkserver.ensure_running()


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED])
    return context


def _cpus() -> int:
    return min(threads.cpu_limit(), len(os.sched_getaffinity(0)))


def at_once(parallelism: int) -> int:
    """How many trials run at a time in this pod: no more than it has CPUs."""
    cpus = _cpus()
    count = min(parallelism, cpus)
    if count < parallelism:
        log.info("%d trials run at a time, not %d: there are %d CPUs", count, parallelism, cpus)
    return count


@contextmanager
def several(shared: Shared, count: int) -> Iterator[Several]:
    """So many processes, which end with the context whatever they are at."""
    pool = ProcessPoolExecutor(
        count,
        mp_context=_context(),
        initializer=_begin,
        initargs=(shared,),
    )
    before = set(multiprocessing.active_children())
    with _one_thread_each():
        try:
            yield Several(pool)
        finally:
            # What still runs is not wanted: whoever is told to stop must not wait for it.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that are started read how many threads they may have when they import numpy."""
    known = {name: os.environ.get(name) for name in threads.VARIABLES}
    os.environ.update(dict.fromkeys(threads.VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in known.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


_bench: list[Bench] = []


def _begin(shared: Shared) -> None:
    _bench[:] = [shared.open()]


def _attempt(wanted: Wanted) -> Outcome:
    with threadpool_limits(1):
        return attempt(_bench[0], wanted)


def _rows(place: Path | NDArray[Any]) -> NDArray[Any]:
    if not isinstance(place, Path):
        return place
    mapped: NDArray[Any] = np.load(place, mmap_mode="r", allow_pickle=False)
    return mapped.view(np.ndarray)


def _result(future: Future[Outcome]) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        raise Failure(
            "OOMKilled",
            "a process of the search was killed, most likely for want of memory: lower "
            "spec.search.parallelism, or raise the memory limit in spec.template",
        ) from None
