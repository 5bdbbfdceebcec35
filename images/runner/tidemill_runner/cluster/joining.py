"""A pod that is not the first: it works for the scheduler, and for the next if that one is lost."""

import asyncio
import logging
import time
from collections.abc import Callable

from tidemill_runner.cluster import settings
from tidemill_runner.cluster.board import Board, Notice, own_address
from tidemill_runner.cluster.desk import Desk, DeskWorker
from tidemill_runner.reader import Reader

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
# A scheduler that was lost mostly comes back as another one: so often is looked for that first.
LOOKS = 10


def join(reader: Reader, worker: int, wait: Callable[[float], None] = time.sleep) -> None:
    """Work until the work is over: the first pod says so, and takes all parts away in the end."""
    board = Board(reader.place.store, reader.pool.prefix)
    desk = Desk(reader)
    board.wait_in_line(worker)
    log.info("waiting for a scheduler")
    seen_parts = False
    lost, looks = None, 0
    with settings.applied():
        while (notice := board.look()) is None or notice.address:
            seen_parts = seen_parts or notice is not None
            if notice is not None and (notice != lost or looks >= LOOKS):
                asyncio.run(_work(reader, desk, notice))
                lost, looks = notice, 0
            elif notice is not None:
                looks += 1
            elif reader.pool.look().done:
                seen_parts = True
            elif seen_parts:
                return
            wait(LOOK_SECONDS)


async def _work(reader: Reader, desk: Desk, notice: Notice) -> None:
    """Work for one scheduler until it is gone."""
    place = reader.place
    worker = DeskWorker(
        notice.address,
        host=own_address(),
        nthreads=1,
        security=settings.secured(notice),
        memory_limit=place.limits.memory,
        local_directory=str(reader.fresh("dask")),
        death_timeout=5,
        dashboard=False,
        dashboard_address=settings.INSIDE,
    )
    worker.desk = desk
    try:
        await worker
    except (OSError, TimeoutError) as error:
        log.warning("no scheduler at %s: %s", notice.address, type(error).__name__)
        return
    log.info("working for the scheduler at %s", notice.address)
    await worker.finished()  # type: ignore[no-untyped-call]
    log.info("the scheduler at %s is gone", notice.address)
