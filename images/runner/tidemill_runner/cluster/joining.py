"""A pod that is not the first: it works for the scheduler, and for the next if that one is lost."""

import asyncio
import logging
import time
from collections.abc import Callable

from tidemill_runner.cluster import settings
from tidemill_runner.cluster.board import Board
from tidemill_runner.cluster.desk import Desk, DeskWorker
from tidemill_runner.cluster.member import Member
from tidemill_runner.reader import Reader

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
# A scheduler that was lost mostly comes back as another one: so often is looked for that first.
LOOKS = 10
# So many looks without a scheduler, and without another part read: a quarter of an hour.
PATIENCE = 900


def join(reader: Reader, worker: int, wait: Callable[[float], None] = time.sleep) -> None:
    """Work until the work is over: the first pod says so, and takes all parts away in the end.

    Where nothing comes of waiting, because the first pod finds no room beside those that wait, this
    one makes room.
    """
    board = Board(reader.place.store, reader.pool.prefix)
    desk = Desk(reader)
    board.wait_in_line(worker)
    log.info("waiting for a scheduler")
    lost, looks, idle, parts = None, 0, 0, -1
    with settings.applied():
        while (notice := board.look()) is None or notice.address:
            if notice is not None and (notice != lost or looks >= LOOKS):
                idle = 0 if asyncio.run(_member(reader, desk).work(notice)) else idle
                lost, looks = notice, 0
            looks, idle = looks + 1, idle + 1
            done = len(reader.pool.look().done) if notice is None else max(parts, 1)
            if parts > 0 and not done:
                return
            if done != parts:
                parts, idle = done, 0
            if idle > PATIENCE:
                log.warning("no scheduler has come: the first pod is left alone")
                return
            wait(LOOK_SECONDS)


def _member(reader: Reader, desk: Desk) -> Member[DeskWorker]:
    def equip(worker: DeskWorker) -> None:
        worker.desk = desk

    return Member(DeskWorker, equip, str(reader.fresh("dask")), reader.place.limits.memory)
