"""The rows of one part as the whole delivery has them, from what a worker has left of it."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tidemill_runner import tables
from tidemill_runner.parts import Part
from tidemill_runner.piecing import Piecing, Shape
from tidemill_runner.portion import Portion
from tidemill_runner.reader import Reader
from tidemill_runner.sources.origin import changed

log = logging.getLogger(__name__)
Rows = Iterable[tuple[str, Iterator[pa.RecordBatch]]]


@dataclass(frozen=True)
class Assembly:
    """Puts parts that were read into the shape of the whole."""

    reader: Reader
    whole: Shape

    def rows(self, part: Part, portion: Portion) -> Rows:
        """The batches of each object by its key, from the pool."""
        folder = self.reader.fresh(f"part-{part.number:05d}")
        return self.rows_of(part, portion, self.reader.pool.fetch(part.number, portion, folder))

    def rows_of(self, part: Part, portion: Portion, files: Sequence[Path] | None) -> Rows:
        """The same from files, which go; None where they are not to be had."""
        rows = Piecing(self.whole).rows(portion, files) if files is not None else None
        yield from rows if rows is not None else self._again(part, portion)
        for path in files or ():
            path.unlink(missing_ok=True)

    def _again(self, part: Part, portion: Portion) -> Rows:
        """Read the objects of a part again, now that it is known as what."""
        log.info("part %d is read again, as its columns are in the whole", part.number)
        whole, origin = self.whole, self.reader.origin
        path = self.reader.fresh(f"objects-{part.number:05d}") / "object"
        for info, one in zip(part.objects, portion.taken, strict=True):
            if origin.fetch(info, path, lambda _: None) != one.entry.digest:
                raise changed(f"{info.key} was replaced while it was read")
            key = one.entry.key
            yield key, tables.normalised(path, key, whole.schema, whole.format)
            path.unlink()
