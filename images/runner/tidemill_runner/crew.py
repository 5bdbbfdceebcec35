"""An ingest by several workers: each reads parts of the delivery, the first makes the version.

Nobody waits for anybody. A worker reads its own parts and ends. The first one then reads whatever
nobody has left, from the end of the listing on, be it that another worker is slow, was lost or
never came: alone it does all. Parts are put together in the order of the listing and judged as
if one worker had read them, so that a version, or a refusal, is the same for any number of workers.
"""

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from tidemill_runner import parts, tables
from tidemill_runner.collect import Collected, Collector
from tidemill_runner.handover import Handover
from tidemill_runner.intake import settled
from tidemill_runner.parts import Part
from tidemill_runner.piecing import Piecing
from tidemill_runner.portion import Portion
from tidemill_runner.reader import Broken, Reader
from tidemill_runner.sources import Origin
from tidemill_runner.sources.origin import changed
from tidemill_runner.staging import Staging
from tidemill_runner.workplace import COLLECTED, STAGED, Workplace

log = logging.getLogger(__name__)
Rows = Iterable[tuple[str, Iterator[pa.RecordBatch]]]


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


class Leader:
    """The intake of the first worker: takes in what all of them have read."""

    def __init__(self, place: Workplace, origin: Origin) -> None:
        self._place = place
        self._origin = origin
        self._portions: dict[int, Portion] = {}
        # Of the parts read here, whose rows are still at hand:
        self._folders: dict[int, Path] = {}
        self._broken: Broken | None = None

    def run(self, rows: Path) -> Handover:
        """Write the rows into a folder, as one worker does. Raises Failure."""
        place = self._place
        reader = Reader.of(place, self._origin)
        total = sum(part.size for part in reader.parts)
        seen = place.counted((0, COLLECTED), total, "reading and copying")
        own = parts.share(reader.parts, 0, place.document.workers)
        for part in own:
            if self._broken is None and part.number not in reader.pool.look().done:
                self._read(reader, part, seen)
        self._collect(reader, own, seen)  # what is wrong with the first parts is told now
        while missing := self._missing(reader):
            self._read(reader, missing, seen)
        made = self._collect(reader, reader.parts, seen).collected(self._origin.where)
        if place.document.prepare is None:
            made = settled(place.document, made)
        told = place.seen((COLLECTED, STAGED), made, "staging")
        with Staging(rows) as staging:
            for part in reader.parts:
                for key, batches in self._rows(reader, part, made):
                    staging.add(key, batches)
                told(part.size)
        return Handover.of(made, staging.files)

    def _read(self, reader: Reader, part: Part, seen: Callable[[int], None]) -> None:
        try:
            self._portions[part.number], self._folders[part.number] = reader.read(part, seen)
        except Broken as broken:
            self._broken = broken

    def _missing(self, reader: Reader) -> Part | None:
        """A part that nobody has left and that matters: what follows a broken one does not."""
        found = reader.pool.look()
        end = self._broken.part.number if self._broken else len(reader.parts)
        left = [
            part
            for part in reader.parts[:end]
            if part.number not in found.done and part.number not in self._portions
        ]
        stumbled = [part for part in left if part.number in found.stumbled]
        # Others work forwards: the last one is the last that anybody else would come to.
        return stumbled[0] if stumbled else left[-1] if left else None

    def _collect(
        self, reader: Reader, found: Iterable[Part], seen: Callable[[int], None]
    ) -> Collector:
        """Count in the first parts, in the order of the listing, as one worker does."""
        place, delivery = self._place, self._origin.delivery
        collector = Collector(None, place.document.cas, place.scratch, delivery)
        for part in found:
            portion = self._portion(reader, part, seen)
            for one in portion.taken:
                collector.take(one)
            if self._broken and self._broken.part is part:
                raise self._broken.failure
        return collector

    def _portion(self, reader: Reader, part: Part, seen: Callable[[int], None]) -> Portion:
        """What was found in a part, up to where it breaks."""
        known = self._portions.get(part.number)
        if known is None and self._broken and self._broken.part is part:
            return Portion(self._broken.taken, None)
        if known is None:
            known = reader.pool.read(part.number)
            if known is None or not _is_of(known, part):
                self._read(reader, part, seen)
                return self._portion(reader, part, seen)
            self._portions[part.number] = known
            seen(part.size)
        return known

    def _rows(self, reader: Reader, part: Part, made: Collected) -> Rows:
        portion = self._portions[part.number]
        folder = self._folders.get(part.number)
        files: list[Path] | None
        if folder is not None:
            files = [folder / file.name for file in portion.laid.files] if portion.laid else []
        else:
            folder = reader.fresh(f"part-{part.number:05d}")
            files = reader.pool.fetch(part.number, portion, folder)
        rows = Piecing(made).rows(portion, files) if files is not None else None
        yield from rows if rows is not None else self._again(reader, part, made)
        shutil.rmtree(folder)

    def _again(self, reader: Reader, part: Part, made: Collected) -> Rows:
        """Read the objects of a part again, now that it is known as what."""
        log.info("part %d is read again, as its columns are in the whole", part.number)
        path = reader.fresh(f"objects-{part.number:05d}") / "object"
        for info, one in zip(part.objects, self._portions[part.number].taken, strict=True):
            if self._origin.fetch(info, path, lambda _: None) != one.entry.digest:
                raise changed(f"{info.key} was replaced while it was read")
            key = one.entry.key
            yield key, tables.normalised(path, key, made.schema, made.format)
            path.unlink()


def _is_of(portion: Portion, part: Part) -> bool:
    found = [(one.found.key, one.entry.size) for one in portion.taken]
    return found == [(info.key, info.size) for info in part.objects]
