"""An ingest by several workers: each reads parts of the delivery, the first makes the version.

Nobody waits for anybody. A worker reads its own parts and ends. The first one then reads whatever
nobody has left, from the end of the listing on, be it that another worker is slow, was lost or
never came: alone it does all. Parts are put together in the order of the listing and judged as
if one worker had read them, so that a version, or a refusal, is the same for any number of workers.
"""

import logging
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from tidemill_runner import parts
from tidemill_runner.assembly import Assembly, Rows
from tidemill_runner.collect import Collected, Collector
from tidemill_runner.handover import Handover
from tidemill_runner.intake import settled
from tidemill_runner.parts import Part
from tidemill_runner.piecing import Shape
from tidemill_runner.portion import Portion
from tidemill_runner.reader import Broken, Reader
from tidemill_runner.sources import Origin
from tidemill_runner.staging import Staging
from tidemill_runner.workplace import COLLECTED, STAGED, Workplace

log = logging.getLogger(__name__)


def lend_a_hand(place: Workplace, origin: Origin, worker: int) -> None:
    """Read the parts of a worker that is not the first. Raises Failure.

    What cannot be read is left to the first one, who tells of what comes first in the listing.
    """
    with place.cleared() as inside:
        reader = Reader.of(inside, origin)
        for part in parts.share(reader.parts, worker, place.document.workers):
            if part.number in reader.pool.look().done:
                continue
            try:
                _, folder = reader.read(part, lambda _: None)
            except Broken as broken:
                log.warning("%s: %s", broken.failure.reason, broken.failure.message)
                reader.pool.stumble(part.number)
                return
            shutil.rmtree(folder)
        if place.document.distributed:
            from tidemill_runner.cluster import joining  # noqa: PLC0415 - only who needs it pays

            joining.join(reader, worker)


class Leader:
    """The intake of the first worker: takes in what all of them have read."""

    def __init__(self, place: Workplace, origin: Origin) -> None:
        self._place = place
        self.reader = Reader.of(place, origin)
        self.portions: dict[int, Portion] = {}
        # Of the parts read here, whose rows are still at hand:
        self._folders: dict[int, Path] = {}
        self._broken: Broken | None = None

    def gather(self) -> Collected:
        """See to it that all parts are read, and say what they are together. Raises Failure."""
        place, reader = self._place, self.reader
        total = sum(part.size for part in reader.parts)
        seen = place.counted((0, COLLECTED), total, "reading and copying")
        own = parts.share(reader.parts, 0, place.document.workers)
        for part in own:
            if self._broken is None and part.number not in reader.pool.look().done:
                self._read(part, seen)
        self._collect(own, seen)  # what is wrong with the first parts is told now
        while missing := self._missing():
            self._read(missing, seen)
        made = self._collect(reader.parts, seen).collected(reader.origin.where)
        return made if place.document.prepare else settled(place.document, made)

    def run(self, rows: Path) -> Handover:
        """Gather, and write the rows into a folder, as one worker does. Raises Failure."""
        made = self.gather()
        told = self._place.seen((COLLECTED, STAGED), made, "staging")
        assembly = Assembly(self.reader, Shape(made.format, made.schema))
        with Staging(rows) as staging:
            for part in self.reader.parts:
                for key, batches in self._rows(part, assembly):
                    staging.add(key, batches)
                told(part.size)
        return Handover.of(made, staging.files)

    def _read(self, part: Part, seen: Callable[[int], None]) -> None:
        try:
            self.portions[part.number], folder = self.reader.read(part, seen)
            if self._place.document.distributed:
                shutil.rmtree(folder)  # the rows are in the pool, and need not be here
            else:
                self._folders[part.number] = folder
        except Broken as broken:
            self._broken = broken

    def _missing(self) -> Part | None:
        """A part that nobody has left and that matters: what follows a broken one does not."""
        reader = self.reader
        found = reader.pool.look()
        end = self._broken.part.number if self._broken else len(reader.parts)
        left = [
            part
            for part in reader.parts[:end]
            if part.number not in found.done and part.number not in self.portions
        ]
        stumbled = [part for part in left if part.number in found.stumbled]
        # Others work forwards: the last one is the last that anybody else would come to.
        return stumbled[0] if stumbled else left[-1] if left else None

    def _collect(self, found: Iterable[Part], seen: Callable[[int], None]) -> Collector:
        """Count in the first parts, in the order of the listing, as one worker does."""
        place, delivery = self._place, self.reader.origin.delivery
        collector = Collector(None, place.document.cas, place.scratch, delivery)
        for part in found:
            portion = self._portion(part, seen)
            for one in portion.taken:
                collector.take(one)
            if self._broken and self._broken.part is part:
                raise self._broken.failure
        return collector

    def _portion(self, part: Part, seen: Callable[[int], None]) -> Portion:
        """What was found in a part, up to where it breaks."""
        known = self.portions.get(part.number)
        if known is None and self._broken and self._broken.part is part:
            return Portion(self._broken.taken, None)
        if known is None:
            known = self.reader.pool.read(part.number)
            if known is None or not _is_of(known, part):
                self._read(part, seen)
                return self._portion(part, seen)
            self.portions[part.number] = known
            seen(part.size)
        return known

    def _rows(self, part: Part, assembly: Assembly) -> Rows:
        portion, folder = self.portions[part.number], self._folders.get(part.number)
        if folder is None:
            return assembly.rows(part, portion)
        names = [file.name for file in portion.laid.files] if portion.laid else []
        return assembly.rows_of(part, portion, [folder / name for name in names])


def _is_of(portion: Portion, part: Part) -> bool:
    found = [(one.found.key, one.entry.size) for one in portion.taken]
    return found == [(info.key, info.size) for info in part.objects]
