"""The workers of a Dask scheduler as those who have the parts."""

import logging
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from distributed import Client, Future, KilledWorker, as_completed, get_worker

from tidemill_runner.cluster.desk import Desk, DeskWorker, Share
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_runner.rows import Local
from tidemill_runner.spread.room import Room

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")
# So many answers are put together at a time: a profile of wide rows has megabytes.
AT_ONCE = 4


@dataclass(frozen=True)
class DaskCrowd:
    """Parts, each with the address of the worker that has it; `desk` is the one in this process.

    The parts of a worker that is lost are given to others, for good.
    """

    client: Client
    desk: Desk
    shares: Sequence[Share]
    places: list[str]

    @classmethod
    def of(
        cls, client: Client, desk: Desk, shares: Sequence[Share], told: Callable[[Share], None]
    ) -> "DaskCrowd":
        """Have all parts laid out, each by whoever is free; raises Failure."""
        futures = {client.submit(_lay, share, pure=False): share for share in shares}
        places: dict[int, str] = {}
        refused: dict[int, Failure] = {}
        with _lost():
            done = as_completed(list(futures), loop=client.loop)  # type: ignore[no-untyped-call]
            for future in done:
                share = futures[future]
                try:
                    places[share.number] = future.result()
                except Failure as failure:
                    if failure.exit_code not in (Exit.USER, Exit.DATA):
                        raise
                    refused[share.number] = failure
                told(share)
        if refused:  # whoever was first: what comes first in the listing is told
            raise refused[min(refused)]
        found = sorted(set(places.values()))
        log.info("%d parts with %d workers", len(shares), len(found))
        return cls(client, desk, shares, [places[share.number] for share in shares])

    @property
    def workers(self) -> int:
        return len(set(self.places))

    def each(self, ask: Callable[[Local, Room], T]) -> list[T]:
        return self._gather(self._asked(ask))

    def merged(self, ask: Callable[[Local, Room], T], merge: Callable[[Sequence[T]], T]) -> T:
        futures = self._asked(ask)
        while len(futures) > 1:
            groups = [futures[n : n + AT_ONCE] for n in range(0, len(futures), AT_ONCE)]
            futures = [self.client.submit(merge, group, pure=False) for group in groups]
        found: list[T] = self._gather(futures)
        return found[0]

    def dealt(
        self,
        deal: Callable[[Local, Room], list[T]],
        take: Callable[[Sequence[T], Room], R],
        piles: int,
    ) -> list[R]:
        dealt = self._asked(deal)
        taken = []
        for pile in range(piles):
            own = [self.client.submit(operator.getitem, one, pile, pure=False) for one in dealt]
            taken.append(self.client.submit(_take, own, take, pure=False))
        return self._gather(taken)

    @contextmanager
    def here(self) -> Iterator[Room]:
        with self.desk.room() as room:
            yield room

    def _asked(self, ask: Callable[[Local, Room], Any]) -> list[Future[Any]]:
        self._replace_lost()
        return [
            self.client.submit(
                _ask, share, ask, pure=False, workers=[place], allow_other_workers=True
            )
            for share, place in zip(self.shares, self.places, strict=True)
        ]

    def _replace_lost(self) -> None:
        """Share out what workers had that are gone, evenly."""
        there = sorted(self.client.scheduler_info(n_workers=-1)["workers"])
        lost = [n for n, place in enumerate(self.places) if place not in there]
        for turn, number in enumerate(lost if there else ()):
            self.places[number] = there[turn % len(there)]

    def _gather(self, futures: Sequence[Future[Any]]) -> list[Any]:
        with _lost():
            found: list[Any] = self.client.gather(list(futures))  # type: ignore[no-untyped-call]
            return found


def _lay(share: Share) -> str:
    worker = _worker()
    worker.desk.lay(share)
    return str(worker.address)


def _ask(share: Share, ask: Callable[[Local, Room], T]) -> T:
    return _worker().desk.ask(share, ask)


def _take(dealt: Sequence[T], take: Callable[[Sequence[T], Room], R]) -> R:
    with _worker().desk.room() as room:
        return take(dealt, room)


def _worker() -> DeskWorker:
    return cast("DeskWorker", get_worker())


@contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except KilledWorker:
        raise Failure(
            "WorkersLost",
            "several pods were taken away one after the other over the same part of the data: use "
            "nodes that stay (spec.template.nodeSelector), or deliver smaller objects",
        ) from None
