"""A Parquet file: its types are its own; all values are read, so that damage shows at ingest."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tidemill_runner import inference
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.schema import Column, ColumnType, Found, Schema, check_names

BATCH_ROWS = 64 * 1024


def inspect(path: Path, key: str, delivery: Delivery) -> tuple[Found, int]:  # noqa: ARG001
    """The schema of a file and its number of rows; raises Failure."""
    with _opened(path, key) as file:
        check_names(key, file.schema_arrow.names)
        kinds = [_kind(field.type) for field in file.schema_arrow]
        gaps = [False] * len(kinds)
        for batch in _batches(file, key, None):
            for position, column in enumerate(batch.columns):
                gaps[position] = gaps[position] or _has_gaps(column)
        columns = (
            Column(name, kind, gap, empty=pa.types.is_null(field.type))
            for name, kind, gap, field in zip(
                file.schema_arrow.names, kinds, gaps, file.schema_arrow, strict=True
            )
        )
        return Found(key, Schema(tuple(columns))), file.metadata.num_rows


def read(path: Path, key: str, schema: Schema, names: list[str]) -> Iterator[pa.RecordBatch]:
    """The columns named, with the types of the schema, in batches."""
    kinds = {column.name: column.type for column in schema.columns}
    with _opened(path, key) as file:
        for batch in _batches(file, key, names):
            arrays = [_convert(batch.column(name), kinds[name], name, key) for name in names]
            yield pa.RecordBatch.from_arrays(arrays, names=names)


def _opened(path: Path, key: str) -> pq.ParquetFile:
    try:
        # Old writers' times (INT96) span more years than nanoseconds can count.
        return pq.ParquetFile(path, memory_map=True, coerce_int96_timestamp_unit="us")
    except (pa.ArrowException, OSError) as error:
        raise _malformed(error, key, path.stat().st_size) from None


def _batches(file: pq.ParquetFile, key: str, names: list[str] | None) -> Iterator[pa.RecordBatch]:
    try:
        yield from file.iter_batches(batch_size=BATCH_ROWS, columns=names, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _malformed(error, key, None) from None


def _malformed(error: Exception, key: str, size: int | None) -> Failure:
    if "crypt" in str(error):
        return Failure("MalformedFile", f"{key} is encrypted: deliver it decrypted")
    detail = f" ({size} bytes)" if size is not None else ""
    return Failure(
        "MalformedFile",
        f"{key}{detail} cannot be read as Parquet, it is truncated or of another format: "
        f"{str(error).splitlines()[0][:200]}: deliver it again",
    )


def _kind(kind: pa.DataType) -> ColumnType:
    is_a = pa.types
    if is_a.is_dictionary(kind):
        return _kind(kind.value_type)
    if is_a.is_boolean(kind):
        return ColumnType.BOOLEAN
    if is_a.is_integer(kind):
        return ColumnType.INTEGER
    if is_a.is_floating(kind) or is_a.is_decimal(kind) or is_a.is_null(kind):
        return ColumnType.FLOAT
    if is_a.is_string(kind) or is_a.is_large_string(kind) or is_a.is_string_view(kind):
        return ColumnType.STRING
    if is_a.is_date(kind):
        return ColumnType.DATE
    return ColumnType.TIMESTAMP if is_a.is_timestamp(kind) else ColumnType.OTHER


def _has_gaps(column: pa.Array) -> bool:
    if column.null_count:
        return True
    return pa.types.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py() is True


def _convert(column: pa.Array, kind: ColumnType, name: str, key: str) -> pa.Array:
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    if kind is ColumnType.OTHER:
        return column
    try:
        if kind is ColumnType.TIMESTAMP and not _zoned(column.type):
            column = column.cast(pa.timestamp("us"), safe=False)
        # Times lose what is below a microsecond; numbers must keep their value or be refused.
        return column.cast(inference.ARROW[kind], safe=kind is not ColumnType.TIMESTAMP)
    except pa.ArrowInvalid:
        raise Failure(
            "MalformedFile",
            f"{key}: column {name!r} holds values that are no {kind} of 64 bits, the type of all "
            "files together: deliver it with one type, such as double",
        ) from None


def _zoned(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) and kind.tz is not None
