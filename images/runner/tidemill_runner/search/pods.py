"""Trials over the pods of one Job: the first hands them out, all of them do them.

The pods form a Dask cluster. Each has read the rows itself, so that a trial is a number and some
parameters on its way there and an outcome on its way back. Who does a trial is a process of its own
with one thread, as where there is one pod: what comes of it is the same.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, cast

from distributed import Client, Future, KilledWorker, Worker, get_worker

from tidemill.store import errors
from tidemill_runner.cluster import settings
from tidemill_runner.cluster.board import Board, Notice
from tidemill_runner.cluster.member import GATHER_SECONDS, Member
from tidemill_runner.cluster.turns import Turns
from tidemill_runner.failures import Failure
from tidemill_runner.search.trial import Bench, Outcome, Wanted
from tidemill_runner.search.workers import Finished, Several, Shared, at_once, several

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
# So many looks without a scheduler: half an hour, in which the first pod may read its rows anew.
PATIENCE = 1800


@dataclass(frozen=True)
class Team:
    """The pods of one search: where they find each other, how many they are, where to write."""

    board: Board
    workers: int
    folder: Path
    # A digest of what they work on: data and image.
    matter: str = ""

    def each(self, parallelism: int) -> int:
        """How many trials a pod does at a time."""
        return at_once(-(-parallelism // self.workers))


class TrialWorker(Worker):
    """Dask's worker, with the processes that do what it is asked for."""

    crew: Several


class Spread:
    """Trials with all pods that are there; the cluster is started when there is one to be done."""

    def __init__(self, start: Callable[[], Client]) -> None:
        self._start = start
        self._client: Client | None = None

    def run(self, wanted: Sequence[Wanted], finished: Finished) -> Iterator[Outcome]:
        """As of `Several`: in their order; `finished` is told of each as soon as it is there."""
        if not wanted:
            return
        client = self._client = self._client or self._start()
        left, done = deque(wanted), dict[int, Outcome]()
        pending: set[Future[Outcome]] = set()
        ended: SimpleQueue[Future[Outcome]] = SimpleQueue()
        try:
            for one in wanted:
                while one.number not in done:
                    # No more than can be begun: who comes later is to have some of them, too.
                    while left and len(pending) < _places(client):
                        future = client.submit(_do, left.popleft(), pure=False)
                        pending.add(future)
                        future.add_done_callback(ended.put)  # type: ignore[no-untyped-call]
                    with suppress(Empty):
                        future = ended.get(timeout=LOOK_SECONDS)
                        pending.discard(future)
                        outcome = _result(future)
                        finished(outcome)
                        done[outcome.number] = outcome
                yield done.pop(one.number)
        finally:
            if pending:
                client.cancel(list(pending))  # type: ignore[no-untyped-call]


@contextmanager
def led(bench: Bench, parallelism: int, team: Team) -> Iterator[Spread]:
    """All pods of a team, by the first one. After a failure the next try has another notice."""
    with ExitStack() as stack:
        spread = Spread(lambda: stack.enter_context(_scheduling(bench, parallelism, team)))
        try:
            yield spread
        except BaseException:
            with suppress(errors.StoreError):  # what went wrong is to be told, not this
                team.board.clear()
            raise
        team.board.put(Notice())


@contextmanager
def _scheduling(bench: Bench, parallelism: int, team: Team) -> Iterator[Client]:
    count = team.each(parallelism)
    member = _member(team, count, lambda _: None)
    with (
        settings.applied(),
        member.leading() as (client, notice),
        # Its processes end before the cluster: whoever waits for one of them is let go.
        several(Shared.of(bench, team.folder), count) as crew,
    ):
        client.cluster.workers[0].crew = crew  # type: ignore[union-attr]
        team.board.put(notice)
        with suppress(TimeoutError):
            client.wait_for_workers(1 + team.board.waiting(), timeout=GATHER_SECONDS)
        log.info("searching with %d trials at a time", _places(client))
        yield client


def join(
    bench: Bench,
    parallelism: int,
    team: Team,
    worker: int,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Do trials for the first pod until it says that the search is over; by any other but it."""
    count, shared = team.each(parallelism), Shared.of(bench, team.folder)

    def work(notice: Notice) -> bool:
        return _work(team, count, shared, notice)

    with settings.applied():
        Turns(team.board, worker, work, PATIENCE, wait).take()


def _work(team: Team, count: int, shared: Shared, notice: Notice) -> bool:
    """Work for one scheduler. What it had asked for when it was lost ends with the processes."""
    with several(shared, count) as crew:

        def equip(worker: TrialWorker) -> None:
            worker.crew = crew

        return asyncio.run(_member(team, count, equip).work(notice))


def _member(team: Team, count: int, equip: Callable[[TrialWorker], None]) -> Member[TrialWorker]:
    return Member(TrialWorker, equip, str(team.folder), memory=0, threads=count)


def _do(wanted: Wanted) -> Outcome:
    return cast("TrialWorker", get_worker()).crew.one(wanted)


def _places(client: Client) -> int:
    """How many trials can be under way in all pods that are there; at least one."""
    return max(1, sum(client.nthreads().values()))  # type: ignore[no-untyped-call]


def _result(future: Future[Any]) -> Outcome:
    try:
        found: Outcome = future.result()
    except KilledWorker:
        raise Failure(
            "WorkersLost",
            "several pods were taken away one after the other over the same trial: use nodes that "
            "stay (spec.template.nodeSelector); what was done is kept",
        ) from None
    return found
