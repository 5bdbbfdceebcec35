"""A CSV file: UTF-8, comma, quotes doubled, one header. Read in blocks, whatever its size.

The reader only splits; what a column means is decided over all rows (see `inference`), and every
complaint names the object and, where it can, the row (the header is row 1, empty lines are not
counted).
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from tidemill_runner import inference
from tidemill_runner.failures import Failure
from tidemill_runner.schema import Column, ColumnType, Found, Schema, check_names

# A row, and so a quoted text, may be as long as a block.
BLOCK = 4 * 1024 * 1024
_HEADER_LIMIT = 4 * 1024 * 1024
_MAGIC = {
    b"PAR1": "Parquet: set spec.source.s3.format to Parquet",
    b"\x1f\x8b": "gzip: deliver it uncompressed",
    b"PK\x03\x04": "zip: deliver the files in it",
    b"\x28\xb5\x2f\xfd": "zstd: deliver it uncompressed",
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def inspect(path: Path, key: str) -> tuple[Found, int]:
    """The schema of a file and its number of rows; raises Failure."""
    names = header(path, key)
    evidence = [inference.Evidence() for _ in names]
    rows = 0
    for batch in _texts(path, key, names, names):
        for column, found in zip(batch.columns, evidence, strict=True):
            found.add(column)
        rows += batch.num_rows
    if rows == 0:
        raise Failure("NoRows", f"{key} has a header and no rows: complete or remove it")
    columns = (
        Column(name, found.type, found.nullable, empty=found.empty)
        for name, found in zip(names, evidence, strict=True)
    )
    return Found(key, Schema(tuple(columns))), rows


def read(path: Path, key: str, schema: Schema, names: list[str]) -> Iterator[pa.RecordBatch]:
    """The columns named, with the types of the schema, in batches."""
    kinds = {column.name: column.type for column in schema.columns}
    for batch in _texts(path, key, names, header(path, key)):
        arrays = [_convert(batch.column(name), kinds[name], name, key) for name in names]
        yield pa.RecordBatch.from_arrays(arrays, names=names)


def header(path: Path, key: str) -> list[str]:
    """The names of the columns; raises Failure where there is no usable header."""
    with path.open("rb") as file:
        start = file.read(_HEADER_LIMIT)
    _check_start(start, key)
    try:
        # A character cut in two at the limit is beyond any header.
        text = start.decode("utf-8-sig", "strict" if len(start) < _HEADER_LIMIT else "ignore")
    except UnicodeDecodeError as error:
        # The whole file may be named by its row; here only the header matters.
        if b"\n" not in start[: error.start]:
            raise _encoding(key, "the header", start[error.start]) from None
        text = start[: error.start].decode("utf-8-sig")
    rows = (row for row in csv.reader(io.StringIO(text, newline="")) if row)
    try:
        names = next(rows, None)
    except csv.Error as error:
        raise Failure("MalformedFile", f"{key}: the header cannot be read: {error}") from None
    if names is None:
        raise Failure("NoRows", f"{key} is empty: deliver it with a header and rows, or remove it")
    _check_names(key, names)
    return names


def _check_start(start: bytes, key: str) -> None:
    for magic, way_out in _MAGIC.items():
        if start.startswith(magic):
            raise Failure("MalformedFile", f"{key} is not CSV but {way_out}")
    if start.startswith(_UTF16):
        raise Failure("WrongEncoding", f"{key} is UTF-16: convert it to UTF-8")
    if b"\x00" in start:
        raise Failure("MalformedFile", f"{key} is not CSV: it holds zero bytes")


def _check_names(key: str, names: list[str]) -> None:
    for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(names) == 1 and separator in names[0]:
            raise Failure(
                "MalformedFile", f"{key} is separated by {word}: save it separated by commas"
            )
    check_names(key, names)
    if all(_is_number(name) for name in names):
        raise Failure(
            "MalformedFile",
            f"{key} has no header: its first row is {','.join(names)[:100]!r}; add the names",
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _texts(path: Path, key: str, wanted: list[str], names: list[str]) -> Iterator[pa.RecordBatch]:
    """Batches of the wanted columns, as text."""
    ragged: list[pacsv.InvalidRow] = []

    def keep(row: pacsv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    first_row = 2
    try:
        with pacsv.open_csv(
            str(path),
            # Serial, for only so are rows numbered.
            read_options=pacsv.ReadOptions(block_size=BLOCK, use_threads=False),
            parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.binary()),
                include_columns=wanted,
                strings_can_be_null=False,
            ),
        ) as reader:
            for batch in reader:
                yield _decode(batch, key, first_row)
                first_row += batch.num_rows
    except pa.ArrowInvalid as error:
        raise _malformed(error, ragged, len(names), key) from None


def _decode(batch: pa.RecordBatch, key: str, first_row: int) -> pa.RecordBatch:
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            columns.append(column.cast(pa.string()))
        except pa.ArrowInvalid:
            raise _wrong_encoding(column, name, key, first_row) from None
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _wrong_encoding(column: pa.Array, name: str, key: str, first_row: int) -> Failure:
    for position, value in enumerate(column.to_pylist()):
        try:
            value.decode("utf-8")
        except UnicodeDecodeError as error:
            where = f"row {first_row + position}, column {name!r}"
            return _encoding(key, where, value[error.start])
    return _encoding(key, f"column {name!r}", None)


def _encoding(key: str, where: str, byte: int | None) -> Failure:
    detail = "" if byte is None else f" (byte 0x{byte:02x})"
    return Failure(
        "WrongEncoding",
        f"{key}, {where}: not UTF-8{detail}: convert the file, such as with iconv -t UTF-8",
    )


def _convert(texts: pa.Array, kind: ColumnType, name: str, key: str) -> pa.Array:
    try:
        return inference.convert(texts, kind)
    except pa.ArrowInvalid as error:
        raise Failure(
            "DatasetCorrupt", f"{key}: column {name!r} no longer reads as {kind}: {error}"
        ) from None


def _malformed(
    error: pa.ArrowInvalid, ragged: list[pacsv.InvalidRow], expected: int, key: str
) -> Failure:
    if ragged:
        row = ragged[0]
        where = f"row {row.number}" if row.number else "a row"
        return Failure(
            "RaggedRows",
            f"{key}, {where}: {row.actual_columns} fields where the header has {expected} "
            f"({row.text[:80]!r}): quote fields that contain commas, or complete the row",
        )
    if "straddling" in str(error):
        return Failure(
            "MalformedFile",
            f"{key}: a row is longer than {BLOCK // 1024 // 1024} MiB: a quote is not closed?",
        )
    return Failure("MalformedFile", f"{key} cannot be read as CSV: {error}")
