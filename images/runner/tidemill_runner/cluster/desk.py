"""What one worker has of the rows: parts laid out in its scratch space, each in the whole's shape.

Any worker can lay out any part, from what was left of it in the pool. Whoever is asked for a part
that it does not have, because another one was lost, fetches it.

One thing is done at a time: what a scheduler that was lost had asked for is ended before the next.
"""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import TypeVar

import pyarrow as pa
from distributed import Worker

from tidemill.store import digests
from tidemill_runner import rows as judged
from tidemill_runner import tables
from tidemill_runner.assembly import Assembly
from tidemill_runner.database import LEAST_BYTES
from tidemill_runner.parts import Part
from tidemill_runner.piecing import Shape
from tidemill_runner.portion import Portion
from tidemill_runner.reader import Broken, Reader
from tidemill_runner.rows import Local, OtherKeys
from tidemill_runner.sources.origin import changed
from tidemill_runner.spread.room import Room
from tidemill_runner.staging import Staging

log = logging.getLogger(__name__)
T = TypeVar("T")
# Of what one database might take alone.
DATABASE_SHARE = 0.75


@dataclass(frozen=True)
class Share:
    """A part as the leader has counted it in: by the digest of what was found in it."""

    number: int
    found: str
    whole: Shape


class DeskWorker(Worker):
    """Dask's worker, with its desk: what a task needs beside its arguments."""

    desk: "Desk"


def digest_of(portion: Portion) -> str:
    return digests.sha256_digest(portion.to_bytes())


class Desk:
    """The parts that one worker has."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._folder = reader.fresh("desk")
        self._files: dict[Share, Path] = {}
        self._one = RLock()
        place = reader.place
        # Beside the database the process holds answers for others: see `settings`.
        share = max(LEAST_BYTES, int(place.limits.memory * DATABASE_SHARE))
        self._limits = replace(place.limits, memory=share)
        self._lookup = OtherKeys.of(place.store, self._folder, place.document.cas)

    def lay(self, share: Share) -> Path:
        """The file with a part's rows; raises Failure."""
        with self._one:
            if share not in self._files:
                self._files[share] = self._laid(share)
            return self._files[share]

    def ask(self, share: Share, ask: Callable[[Local, Room], T]) -> T:
        """Ask the rows of a part."""
        with (
            self._one,
            judged.opened([self.lay(share)], self._lookup, self._limits) as rows,
            self.room() as room,
        ):
            return ask(rows, room)

    @contextmanager
    def room(self) -> Iterator[Room]:
        """Scratch space in which the database of a part may write."""
        with (
            self._one,
            tempfile.TemporaryDirectory(prefix="room-", dir=self._folder) as folder,
        ):
            yield Room(Path(folder), self._limits)

    def _laid(self, share: Share) -> Path:
        part = self._reader.parts[share.number]
        portion = self._portion(part, share)
        assembly = Assembly(self._reader, share.whole)
        path = self._folder / f"{share.number:05d}.parquet"
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            with Staging(Path(folder), whole=True) as staging:
                for key, batches in assembly.rows(part, portion):
                    staging.add(key, batches)
                if not staging.files:
                    schema = tables.arrow_schema(share.whole.schema)
                    staging.add("", [pa.RecordBatch.from_pylist([], schema=schema)])
            (file,) = staging.files
            return file.rename(path)

    def _portion(self, part: Part, share: Share) -> Portion:
        found = self._reader.pool.read(part.number)
        if found is None:
            try:
                found, _ = self._reader.read(part, lambda _: None)
            except Broken as broken:
                raise broken.failure from None
        if digest_of(found) != share.found:
            raise changed(f"part {part.number} was replaced while it was read")
        return found
