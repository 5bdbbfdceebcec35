"""Rows of a part, laid out by what was known of it alone, as the whole delivery has them.

A column that is wider in the whole is converted where that gives what reading the file again would
give, to the last bit; where it might not, the part must be read again. Batches are those that
the object gave, so that the files made of them are one worker's, byte for byte.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tidemill_runner import inference, tables
from tidemill_runner.checks.declared import TEXT_FORMATS
from tidemill_runner.files import partitions
from tidemill_runner.inference import Notation
from tidemill_runner.portion import Laid, Portion
from tidemill_runner.schema import Column, ColumnType, Schema

Convert = Callable[[pa.Array], pa.Array]
_INTEGER_TO_FLOAT = (ColumnType.INTEGER, ColumnType.FLOAT)
_DATE_TO_TIMESTAMP = (ColumnType.DATE, ColumnType.TIMESTAMP)


@dataclass(frozen=True)
class Shape:
    """What the rows of a whole delivery are like, and what they were delivered as."""

    format: str
    schema: Schema


@dataclass(frozen=True)
class Piecing:
    """Puts rows of parts into the shape of the whole."""

    whole: Shape

    def rows(
        self, portion: Portion, files: Sequence[Path]
    ) -> Iterator[tuple[str, Iterator[pa.RecordBatch]]] | None:
        """The batches of each object, by its key; None where the part must be read again."""
        laid = portion.laid
        converts = self._converts(laid, files) if laid else None
        if laid is None or converts is None:
            return None
        return self._objects(portion, laid, files, converts)

    def _objects(
        self, portion: Portion, laid: Laid, files: Sequence[Path], converts: dict[str, Convert]
    ) -> Iterator[tuple[str, Iterator[pa.RecordBatch]]]:
        found = _groups(files)
        for one, counts in zip(portion.taken, laid.batches, strict=True):
            key = one.entry.key
            yield key, (self._batch(key, _gathered(found, n), n, converts) for n in counts)

    def _batch(
        self, key: str, table: pa.Table, rows: int, converts: dict[str, Convert]
    ) -> pa.RecordBatch:
        schema = self.whole.schema
        wanted = tables.arrow_schema(schema)
        outside = [name for name in wanted.names if name in schema.partitions]
        values = dict(zip(outside, partitions.columns(key, schema, outside, rows), strict=True))
        for name in wanted.names:
            if name in table.column_names and name in converts:
                values[name] = converts[name](table.column(name).combine_chunks())
            elif name not in values:
                values[name] = pa.nulls(rows, wanted.field(name).type)
        return pa.RecordBatch.from_arrays([values[n] for n in wanted.names], schema=wanted)

    def _converts(self, laid: Laid, files: Sequence[Path]) -> dict[str, Convert] | None:
        """How each column that was laid out becomes one of the whole."""
        found: dict[str, Convert] = {}
        for column in self.whole.schema.columns:
            there = laid.schema.column(column.name)
            if there is None or ColumnType.OTHER in (there.type, column.type):
                continue
            convert = self._convert(there, column)
            if convert is None or not self._exact(there, column, files):
                return None
            found[column.name] = convert
        return found

    def _convert(self, there: Column, column: Column) -> Convert | None:
        kind = inference.ARROW[column.type]
        if there.empty and self.whole.format in TEXT_FORMATS:
            # It was laid out as text: what is missing in it depends on the type.
            notation = Notation(decimal=self.whole.schema.csv.decimal)
            return lambda texts: inference.convert(texts, column.type, notation)
        if there.empty:
            return lambda values: pa.nulls(len(values), kind)
        if there.type is column.type:
            return lambda values: values
        if (there.type, column.type) in (_INTEGER_TO_FLOAT, _DATE_TO_TIMESTAMP):
            return lambda values: pc.cast(values, kind, safe=False)
        return None

    def _exact(self, there: Column, column: Column, files: Sequence[Path]) -> bool:
        """Whether a conversion gives what reading the file as the wider type would give."""
        if there.empty or (there.type, column.type) != _INTEGER_TO_FLOAT:
            return True
        values = (group.column(column.name) for group in _groups(files, [column.name]))
        if self.whole.format == "Parquet":
            return all(map(_whole_floats, values))
        if self.whole.format in TEXT_FORMATS:
            # The text may be -0, which is another number than 0 among floats alone.
            return not any(pc.any(pc.equal(value, 0)).as_py() for value in values)
        return True


def _whole_floats(values: pa.ChunkedArray) -> bool:
    try:
        pc.cast(values, pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _groups(files: Sequence[Path], names: list[str] | None = None) -> Iterator[pa.Table]:
    for path in files:
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(number, columns=names, use_threads=False)


def _gathered(groups: Iterator[pa.Table], rows: int) -> pa.Table:
    """As many groups as a batch was written in."""
    found = [next(groups)]
    while sum(group.num_rows for group in found) < rows:
        found.append(next(groups))
    return pa.concat_tables(found)
