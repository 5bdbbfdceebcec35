"""A CSV file (RFC 4180) in the dialect that is declared or found, read in blocks.

The reader only splits; what a column means is decided over all rows (see `inference`), and every
complaint names the object and, where it can, the row (the header is row 1, empty lines and comments
are not counted). No complaint shows a value: a column may be confidential.
"""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from tidemill_runner import inference
from tidemill_runner.failures import Failure
from tidemill_runner.files import dialect as dialects
from tidemill_runner.files import magic
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.files.dialect import Dialect
from tidemill_runner.files.text import Text, Uncommented, packing
from tidemill_runner.schema import Column, ColumnType, Found, Schema, check_names

# A row, and so a quoted text, may be as long as a block.
BLOCK = 4 * 1024 * 1024
# How much is read for the header and the rows after it: seldom the larger one.
_SAMPLES = (256 * 1024, 4 * 1024 * 1024)


def inspect(path: Path, key: str, delivery: Delivery) -> tuple[Found, int]:
    """The schema of a file and its number of rows; raises Failure."""
    dialect, names = _opening(path, key, delivery.csv)
    reading = _Reading(path, key, dialect, names)
    notation = _notation(dialect)
    evidence = [inference.Evidence(notation) for _ in names]
    for batch in reading.texts(names, strict=True):
        for column, found in zip(batch.columns, evidence, strict=True):
            found.add(column)
    if reading.rows == 0:
        raise Failure("NoRows", f"{key} has a header and no rows: complete or remove it")
    columns = (
        Column(name, found.type, found.nullable, empty=found.empty)
        for name, found in zip(names, evidence, strict=True)
    )
    return Found(key, Schema(tuple(columns), dialect)), reading.rows


def read(path: Path, key: str, schema: Schema, names: list[str]) -> Iterator[pa.RecordBatch]:
    """The columns named, with the types of the schema, in batches."""
    kinds = {column.name: column.type for column in schema.columns}
    notation = _notation(schema.csv)
    dialect, header = _opening(path, key, schema.csv)
    for batch in _Reading(path, key, dialect, header).texts(names):
        arrays = [_convert(batch.column(n), kinds[n], notation, f"{key}: {n!r}") for n in names]
        yield pa.RecordBatch.from_arrays(arrays, names=names)


def _notation(dialect: Dialect) -> inference.Notation:
    return inference.Notation(decimal=dialect.decimal)


def _opening(path: Path, key: str, dialect: Dialect) -> tuple[Dialect, list[str]]:
    """The dialect, complete, and the names of the columns; raises Failure without any."""
    with Text(path, key) as file:
        start = file.read(magic.LENGTH)
    magic.check(start, key, "CSV")
    dialect = dialects.with_encoding(dialect, start, key)
    text = _first_rows(path, key, dialect)
    dialect = dialects.with_delimiter(dialect, text, key)
    names = dialects.first_row(dialect, text, key)
    if names is None:
        raise Failure("NoRows", f"{key} is empty: deliver it with a header and rows, or remove it")
    if not dialect.header:
        return dialect, [f"column{number}" for number in range(1, len(names) + 1)]
    check_names(key, names)
    if all(_is_number(name) for name in names):
        raise Failure(
            "MalformedFile",
            f"{key} has no header, its first row holds numbers only: add the names of the columns, "
            f"or set {dialects.FIELD}.header to false",
        )
    return dialect, names


def _text(path: Path, key: str, dialect: Dialect) -> Text | Uncommented:
    text = Text(path, key, dialect.codec)
    return Uncommented(text, dialect.comment, dialect.quote) if dialect.comment else text


def _first_rows(path: Path, key: str, dialect: Dialect) -> str:
    """The header and some rows after it, whole where the file goes on; raises Failure."""
    text = ""
    for size in _SAMPLES:
        with _text(path, key, dialect) as file:
            start = file.read(size)
        if b"\x00" in start:
            raise _zero_bytes(key, "")
        whole = len(start) < size
        text = _decoded(start, key, whole=whole)
        if whole or len(dialects.unquoted(dialect, text)) > 1:
            break
    return text


def _decoded(start: bytes, key: str, *, whole: bool) -> str:
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(start, final=whole)
        # A row that is cut off says nothing; a header that is, shows so by itself.
        return text if whole else text[: text.rfind("\n") + 1] or text
    except UnicodeDecodeError as error:
        # The whole file may be named by its row; here only the header matters.
        if b"\n" not in start[: error.start]:
            raise _encoding(key, "the header", start[error.start]) from None
        return start[: error.start].decode("utf-8-sig")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class _Reading:
    """One pass over a file; counts its rows."""

    def __init__(self, path: Path, key: str, dialect: Dialect, names: list[str]) -> None:
        self._path = path
        self._key = key
        self._dialect = dialect
        self._names = names
        self._ragged: list[pacsv.InvalidRow] = []
        self.rows = 0

    def texts(self, wanted: list[str], *, strict: bool = False) -> Iterator[pa.RecordBatch]:
        """Batches of the wanted columns, as text; if strict, the last row must end as it should."""
        file = self._file()
        last = None
        try:
            with pacsv.open_csv(file, **self._options(wanted)) as reader:
                for batch in reader:
                    yield self._decode(batch, strict=strict)
                    self.rows += batch.num_rows
                    last = batch if batch.num_rows else last
        except pa.ArrowInvalid as error:
            raise self._malformed(error) from None
        if strict and last is not None:
            self._check_end(file, last.columns[-1][-1].as_py())

    def _file(self) -> str | Text | Uncommented:
        """A path where nothing is to be done to the bytes: Arrow reads it faster."""
        plain = self._dialect.codec == "utf-8" and not self._dialect.comment
        if plain and packing(self._path) is None:
            return str(self._path)
        return _text(self._path, self._key, self._dialect)

    def _options(self, wanted: list[str]) -> dict[str, Any]:
        dialect = self._dialect
        return {
            # Serial, for only so are rows numbered.
            "read_options": pacsv.ReadOptions(
                block_size=BLOCK,
                use_threads=False,
                column_names=None if dialect.header else self._names,
            ),
            "parse_options": pacsv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote or False,
                newlines_in_values=dialect.quote is not None,
                invalid_row_handler=self._keep,
            ),
            "convert_options": pacsv.ConvertOptions(
                column_types=dict.fromkeys(self._names, pa.binary()),
                include_columns=wanted,
                strings_can_be_null=False,
            ),
        }

    def _keep(self, row: pacsv.InvalidRow) -> str:
        self._ragged.append(row)
        return "error"

    def _row(self, position: int) -> str:
        """A row of the batch that is being read, as messages name it."""
        return f"row {self.rows + position + (2 if self._dialect.header else 1)}"

    def _decode(self, batch: pa.RecordBatch, *, strict: bool) -> pa.RecordBatch:
        columns = []
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if strict and _has_zero(column):
                found = next(i for i, value in enumerate(column.to_pylist()) if b"\x00" in value)
                raise _zero_bytes(self._key, f", {self._row(found)}, column {name!r}")
            try:
                columns.append(column.cast(pa.string()))
            except pa.ArrowInvalid:
                raise self._wrong_encoding(column, name) from None
        return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)

    def _wrong_encoding(self, column: pa.Array, name: str) -> Failure:
        for position, value in enumerate(column.to_pylist()):
            try:
                value.decode("utf-8")
            except UnicodeDecodeError as error:
                where = f"{self._row(position)}, column {name!r}"
                return _encoding(self._key, where, value[error.start])
        return _encoding(self._key, f"column {name!r}", None)

    def _malformed(self, error: pa.ArrowInvalid) -> Failure:
        if self._ragged:
            row = self._ragged[0]
            where = f"row {row.number}" if row.number else "a row"
            return Failure(
                "RaggedRows",
                f"{self._key}, {where}: {row.actual_columns} fields where the first row has "
                f"{len(self._names)}: quote fields that contain the delimiter, "
                "or complete the row",
            )
        if "straddling" in str(error):
            return Failure(
                "MalformedFile",
                f"{self._key}: a row after {self._row(-1)} is longer than "
                f"{BLOCK // 1024 // 1024} MiB, the limit: a quote is not closed?",
            )
        return Failure("MalformedFile", f"{self._key} cannot be read as CSV")

    def _check_end(self, file: str | Text | Uncommented, last: bytes) -> None:
        """Refuse a quote that is never closed: it takes all that follows into the last field."""
        quote = (self._dialect.quote or "").encode()
        if not quote:
            return
        field = quote + last.replace(quote, quote * 2)
        tail = _end_of(self._path, len(field) + 1) if isinstance(file, str) else file.tail
        delimiter = (self._dialect.delimiter or ",").encode()
        if tail.endswith(tuple(before + field for before in (delimiter, b"\n", b"\r"))):
            raise Failure(
                "MalformedFile",
                f"{self._key}: a quote is not closed, the last field goes on to the end of the "
                "file: close it, or double a quote that belongs to a text",
            )


def _has_zero(column: pa.Array) -> bool:
    """Whether a zero byte stands in any of the values."""
    _, offsets, data = column.buffers()
    if data is None or data.size == 0:
        return False
    bounds = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    values = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]
    return len(values) > 0 and int(values.min()) == 0


def _end_of(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - size, 0))
        return file.read()


def _zero_bytes(key: str, where: str) -> Failure:
    return Failure(
        "MalformedFile",
        f"{key}{where}: zero bytes, which no text holds: deliver CSV, or set "
        f"{dialects.FIELD}.encoding where it is UTF-16",
    )


def _encoding(key: str, where: str, byte: int | None) -> Failure:
    detail = "" if byte is None else f" (byte 0x{byte:02x})"
    return Failure(
        "WrongEncoding",
        f"{key}, {where}: not UTF-8{detail}: convert the file, such as with iconv -t UTF-8, "
        f"or declare {dialects.FIELD}.encoding",
    )


def _convert(
    texts: pa.Array, kind: ColumnType, notation: inference.Notation, where: str
) -> pa.Array:
    try:
        return inference.convert(texts, kind, notation)
    except pa.ArrowInvalid:
        raise Failure("DatasetCorrupt", f"{where}: values no longer read as {kind}") from None
