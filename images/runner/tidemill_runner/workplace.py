"""Where an ingest works: its task, the store, scratch space, and whom it tells how far it is."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Lock

from tidemill_runner.collect import Collected
from tidemill_runner.database import Limits
from tidemill_runner.inputs import IngestInput
from tidemill_runner.progress import Progress
from tidemill_runner.storage import Storage

Span = tuple[float, float]
# Percents of the progress at which each part ends.
COLLECTED, STAGED, PREPARED, JUDGED = 60, 75, 85, 99


@dataclass(frozen=True)
class Workplace:
    """What all parts of one ingest share."""

    document: IngestInput
    store: Storage
    scratch: Path
    progress: Progress
    limits: Limits
    now: Callable[[], datetime]

    @contextmanager
    def cleared(self) -> Iterator["Workplace"]:
        """The same in a scratch space of its own, of which nothing is left afterwards."""
        with tempfile.TemporaryDirectory(prefix="ingest-", dir=self.scratch) as folder:
            yield replace(self, scratch=Path(folder))

    def folder(self, name: str) -> Path:
        """Make a folder in scratch space."""
        folder = self.scratch / name
        folder.mkdir()
        return folder

    def seen(self, span: Span, of: Collected, message: str) -> Callable[[int], None]:
        """What is to be told the bytes of objects as they pass."""
        return self.counted(span, sum(entry.size for entry in of.entries), message)

    def counted(self, span: Span, total: int, message: str) -> Callable[[int], None]:
        """What is to be told parts of a total as they are done."""
        report = self.progress.share(span, message, total)
        done, one = 0, Lock()

        def seen(amount: int) -> None:
            nonlocal done
            with one:  # several objects are read at a time
                done += amount
                report(done)

        return seen
