"""Files of rows, whatever their format: `inspect` once at ingest, `read` again for training."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from tidemill.store import listing
from tidemill_runner import inference
from tidemill_runner.failures import Failure
from tidemill_runner.files import csv_file, json_lines, parquet_file, partitions
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.schema import ColumnType, Found, Schema


class _Format(Protocol):
    def inspect(self, path: Path, key: str, delivery: Delivery) -> tuple[Found, int]: ...

    def read(
        self, path: Path, key: str, schema: Schema, names: list[str]
    ) -> Iterator[pa.RecordBatch]: ...


FORMATS: dict[str, _Format] = {
    "CSV": csv_file,
    "JSONLines": json_lines,
    "Parquet": parquet_file,
}


def inspect(path: Path, key: str, delivery: Delivery) -> tuple[Found, int]:
    """Read all of a file: its schema and its number of rows. Raises Failure, which names `key`."""
    if path.stat().st_size == 0:
        raise Failure("NoRows", f"{key} is empty (0 bytes): deliver it with rows or remove it")
    found, rows = FORMATS[delivery.format].inspect(path, key, delivery)
    if delivery.hive:
        found = partitions.extend(found, listing.below(key, delivery.prefix), delivery.field)
    return found, rows


def read(
    path: Path, key: str, schema: Schema, names: list[str], file_format: str
) -> Iterator[pa.RecordBatch]:
    """Batches of the columns named, typed as the schema says; `key` is relative to the prefix."""
    inside = [name for name in names if name not in schema.partitions]
    outside = [name for name in names if name in schema.partitions]
    # One column of the file is read in any case, for the number of rows.
    needed = inside or [schema.columns[0].name]
    for batch in FORMATS[file_format].read(path, key, schema, needed):
        if not outside:
            yield batch
            continue
        values = dict(zip(needed, batch.columns, strict=True))
        values |= zip(
            outside, partitions.columns(key, schema, outside, batch.num_rows), strict=True
        )
        yield pa.RecordBatch.from_arrays([values[name] for name in names], names=names)


def normalised(path: Path, key: str, schema: Schema, file_format: str) -> Iterator[pa.RecordBatch]:
    """All rows of a file as every other of its version has them: `arrow_schema(schema)`.

    Columns of type Other are left out, as they need not be of one type in all files. A NaN is
    missing, as it is in the schema. `key` is relative to the prefix.
    """
    wanted = arrow_schema(schema)
    names = wanted.names or [schema.columns[0].name]
    for batch in read(path, key, schema, names, file_format):
        if not wanted.names:
            # Without columns, but with rows.
            yield pa.RecordBatch.from_struct_array(pa.array([{}] * batch.num_rows, pa.struct([])))
            continue
        yield pa.RecordBatch.from_arrays([_without_nan(c) for c in batch.columns], schema=wanted)


def arrow_schema(schema: Schema) -> pa.Schema:
    """Names and types of the batches that `normalised` gives."""
    return pa.schema(
        [
            pa.field(column.name, inference.ARROW[column.type])
            for column in schema.columns
            if column.type is not ColumnType.OTHER
        ]
    )


def _without_nan(column: pa.Array) -> pa.Array:
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
