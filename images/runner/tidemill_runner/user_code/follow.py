"""Beside a user's code, with the keys that it has not: its progress is told, its checkpoint kept.

It looks once a second, however often the code writes, and tells only what is new.
"""

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import FrameType

from tidemill.store.errors import StoreError
from tidemill_runner.progress import Progress
from tidemill_runner.storage import Storage
from tidemill_runner.train_input import TrainInput
from tidemill_runner.user_code import telling
from tidemill_runner.user_code.checkpoint import Checkpoint
from tidemill_runner.user_code.rooms import Rooms
from tidemill_runner.user_code.telling import Said

LOOK, KEEP = 1.0, 30.0
# Percents of the whole run that the code's own 0 to 100 are.
SPAN = (20.0, 75.0)
STEP = "fit"
log = logging.getLogger(__name__)


@dataclass
class Follower:
    """Follows the code of one run until it is told to end."""

    rooms: Rooms
    progress: Progress
    checkpoint: Checkpoint | None
    _told: Said | None = None
    _percent: float = 0.0

    def look(self) -> None:
        """Tell what is new."""
        said = telling.last(self.rooms.output)
        if said is None or said == self._told:
            return
        self._told = said
        if said.percent is not None:
            self._percent = said.percent
        if said.metric is not None:
            self.progress.measured(*said.metric)
        low, high = SPAN
        percent = low + (high - low) * self._percent / 100
        self.progress.report(percent, said.message or "the code trains")

    def keep(self) -> None:
        """Keep what is new of the checkpoint; the store may be away for a while."""
        if self.checkpoint is None:
            return
        try:
            if self.checkpoint.keep(self.rooms.checkpoint):
                log.info("the checkpoint is kept")
        except (StoreError, OSError) as error:
            log.warning("the checkpoint was not kept, which is tried again: %s", error)

    def run(self, ended: Callable[[float], bool]) -> None:
        """Look until `ended`, which waits for so many seconds, says so."""
        self.progress.step(STEP)
        if self.checkpoint is not None:
            try:
                self.checkpoint.known()
            except StoreError as error:
                log.warning("what is kept already is not known: %s", error)
        log.info("follows the code in %s", self.rooms.output)
        since = 0.0
        while not ended(LOOK):
            self.look()
            since += LOOK
            if since >= KEEP:
                self.keep()
                since = 0.0
        self.look()
        self.keep()


@dataclass
class Ending:
    """SIGTERM, as something that can be waited for: the pod ends, or whom we follow has."""

    event: Event = field(default_factory=Event)

    def arm(self) -> None:
        signal.signal(signal.SIGTERM, self._end)

    def wait(self, seconds: float) -> bool:
        return self.event.wait(seconds)

    def _end(self, _signum: int, _frame: FrameType | None) -> None:
        self.event.set()


def until_told(
    document: TrainInput, store: Storage, scratch: Path, around: tuple[Rooms, Progress]
) -> None:
    """Follow the code of a run until the pod ends."""
    ending = Ending()
    ending.arm()
    rooms, progress = around
    checkpoint = Checkpoint(store, document.checkpoint, scratch) if document.checkpoint else None
    Follower(rooms, progress, checkpoint).run(ending.wait)
