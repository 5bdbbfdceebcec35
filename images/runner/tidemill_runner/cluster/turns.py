"""What a pod that is not the first does: it works for one scheduler after the other."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from tidemill_runner.cluster.board import Board, Notice

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
# A scheduler that was lost mostly comes back as another one: so often is looked for that first.
LOOKS = 10


@dataclass(frozen=True)
class Turns:
    """A pod's turns; `patience` is after how many looks without a scheduler it goes, None never.

    `work` works for one scheduler, and tells whether that could be reached.
    """

    board: Board
    worker: int
    work: Callable[[Notice], bool]
    patience: int | None = None
    wait: Callable[[float], None] = time.sleep

    def take(self) -> None:
        """Work until the first pod says that all is done."""
        board = self.board
        board.wait_in_line(self.worker)
        log.info("waiting for a scheduler")
        lost, looks, idle = None, 0, 0
        while (notice := board.look()) is None or notice.address:
            if notice is None and not board.is_in_line(self.worker):
                break  # the first pod is done, and what said so is gone
            if notice is not None and (notice != lost or looks >= LOOKS):
                idle = 0 if self.work(notice) else idle
                lost, looks = notice, 0
            looks, idle = looks + 1, idle + 1
            if self.patience is not None and idle > self.patience:
                log.warning("no scheduler has come: the first pod is left alone")
                return
            self.wait(LOOK_SECONDS)
        log.info("the work is over")
