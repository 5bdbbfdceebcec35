"""One part of a delivery is read: its objects are kept, its rows laid out, word of it is left."""

import hashlib
import logging
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tidemill.store import layout
from tidemill_runner import parts, pool, staging, tables
from tidemill_runner.checks.declared import TEXT_FORMATS, settle
from tidemill_runner.collect import Collector, File, Taken
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_runner.parts import Part
from tidemill_runner.pool import Pool
from tidemill_runner.portion import Laid, Portion, RowFile
from tidemill_runner.schema import Column, ColumnType, Merger, Schema
from tidemill_runner.sources import Origin
from tidemill_runner.staging import Staging
from tidemill_runner.storage import Seen
from tidemill_runner.workplace import Workplace

log = logging.getLogger(__name__)


class Broken(Exception):  # noqa: N818 - a part that cannot be read is what it stands for
    """A part cannot be read: why not, and what was taken of it before."""

    def __init__(self, part: Part, taken: tuple[Taken, ...], failure: Failure) -> None:
        super().__init__(failure.message)
        self.part = part
        self.taken = taken
        self.failure = failure


@dataclass(frozen=True)
class Reader:
    """Reads parts of one delivery into a pool."""

    place: Workplace
    origin: Origin
    parts: tuple[Part, ...]
    pool: Pool

    @classmethod
    def of(cls, place: Workplace, origin: Origin) -> "Reader":
        """List the source; raises Failure."""
        document = place.document
        listing = origin.objects()
        log.info("%d objects for %d workers: %s", len(listing), document.workers, origin.where)
        # Whatever the rows of a part depend on; parts of any other kind are not seen.
        asked = (document.source, document.schema, document.prepare is None, document.workers)
        known = repr((listing, asked, document.copies, pa.__version__, staging.FILE_ROWS))
        mark = hashlib.sha256(known.encode()).hexdigest()[:16]
        prefix = f"{layout.parts_prefix(document.identity.output)}{mark}/"
        return cls(place, origin, parts.cut(listing, document.workers), Pool(place.store, prefix))

    def read(self, part: Part, seen: Seen) -> tuple[Portion, Path]:
        """Read a part, leave it in the pool, and here in a folder; raises Failure or Broken."""
        place, delivery = self.place, self.origin.delivery
        taken: list[Taken] = []
        objects = self.fresh(f"objects-{part.number:05d}")
        store = place.store if place.document.copies else None
        collector = Collector(store, place.document.cas, objects, delivery, taken.append)
        try:
            collector.fetch(self.origin, part.objects, seen)
        except Failure as failure:
            if failure.exit_code not in (Exit.USER, Exit.DATA):
                raise
            raise Broken(part, tuple(taken), failure) from None
        folder = self.fresh(f"part-{part.number:05d}")
        laid = self._lay_out(taken, collector.files, folder)
        shutil.rmtree(objects)
        portion = Portion(tuple(taken), laid)
        self.pool.leave(part.number, portion, folder)
        return portion, folder

    def fresh(self, name: str) -> Path:
        """Make a folder in scratch space, empty whatever was there."""
        shutil.rmtree(self.place.scratch / name, ignore_errors=True)
        return self.place.folder(name)

    def _lay_out(self, taken: list[Taken], files: list[File], folder: Path) -> Laid | None:
        """Write the rows of a part as far as it is known by itself what they are."""
        batches: list[tuple[int, ...]] = []
        try:
            schema = self._schema(taken)
            if not tables.arrow_schema(schema).names:
                return None
            with Staging(folder, placed=False) as rows:
                for file in files:
                    counts: list[int] = []
                    found = tables.normalised(file.path, file.key, schema, self._format)
                    rows.add(file.key, _counted(found, counts))
                    batches.append(tuple(counts))
        except Failure as failure:
            # It may be none beside the other parts, and if it is one, it is told in their order.
            log.info("not laid out: %s: %s", failure.reason, failure.message)
            return None
        names = tuple(RowFile(path.name, pool.digest(path)) for path in rows.files)
        return Laid(schema, tuple(batches), names)

    def _schema(self, taken: list[Taken]) -> Schema:
        """How to lay out a part: by its own types, and text where it knows none."""
        merger = Merger()
        for one in taken:
            merger.add(one.found)
        merged = merger.schema()
        staging.check_names(merged)
        document = self.place.document
        if document.prepare is None:
            merged = settle(document.schema, merged, self._format)
        # Columns of folders are made of the keys, once the type is known.
        own = (column for column in merged.columns if column.name not in merged.partitions)
        columns = tuple(map(self._kept, own))
        return Schema(columns, merged.csv)

    def _kept(self, column: Column) -> Column:
        kind = ColumnType.STRING if self._format in TEXT_FORMATS else column.type
        return Column(column.name, kind, True, empty=True) if column.empty else column

    @property
    def _format(self) -> str:
        return self.origin.delivery.format


def _counted(batches: Iterable[pa.RecordBatch], counts: list[int]) -> Iterator[pa.RecordBatch]:
    """The same, with their numbers of rows noted."""
    for batch in batches:
        counts.append(batch.num_rows)
        yield batch
