"""The first pod: it starts the scheduler, says where it is, and works itself."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tidemill.store import errors
from tidemill_runner.cluster import settings
from tidemill_runner.cluster.board import Board, Notice
from tidemill_runner.cluster.crowd import DaskCrowd
from tidemill_runner.cluster.desk import Desk, DeskWorker, Share, digest_of
from tidemill_runner.cluster.member import GATHER_SECONDS, Member
from tidemill_runner.collect import Collected
from tidemill_runner.crew import Leader
from tidemill_runner.piecing import Shape
from tidemill_runner.workplace import COLLECTED, STAGED, Workplace


@contextmanager
def crowd(place: Workplace, leader: Leader, made: Collected) -> Iterator[DaskCrowd]:
    """All workers with the parts that the leader has gathered; raises Failure.

    Who comes later helps, too. After a failure the notice is taken away, for the next try has
    another; else it says that the work is over.
    """
    reader = leader.reader
    desk, board = Desk(reader), Board(place.store, reader.pool.prefix)
    whole = Shape(made.format, made.schema)
    shares = [
        Share(part.number, digest_of(leader.portions[part.number]), whole) for part in reader.parts
    ]
    seen = place.seen((COLLECTED, STAGED), made, "laying out the parts")
    with settings.applied(), _member(place, desk).leading() as (client, notice):
        try:
            board.put(notice)
            with suppress(TimeoutError):
                # Who is there already is to have its share of the parts.
                client.wait_for_workers(1 + board.waiting(), timeout=GATHER_SECONDS)
            yield DaskCrowd.of(client, desk, shares, lambda s: seen(reader.parts[s.number].size))
        except BaseException:
            with suppress(errors.StoreError):  # what went wrong is to be told, not this
                board.clear()
            raise
        board.put(Notice())


def _member(place: Workplace, desk: Desk) -> Member[DeskWorker]:
    def equip(worker: DeskWorker) -> None:
        worker.desk = desk

    return Member(DeskWorker, equip, str(place.folder("dask")), place.limits.memory)
