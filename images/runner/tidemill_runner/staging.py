"""The rows of a delivery between source and verdict: typed Parquet files in scratch space.

Whatever the format that was delivered, what checks and describes the rows reads these files, in one
way, as often as it needs. Each row bears where it came from: the object's key and its number in it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tidemill_runner.database import Limits, connect, identifier, quoted
from tidemill_runner.failures import Failure
from tidemill_runner.schema import Schema

OBJECT, ROW = "__object", "__row"
VIEW = "rows"
# One file would do; several let the database read with all its threads.
FILE_ROWS = 4_000_000
_PLACES = [
    pa.field(OBJECT, pa.dictionary(pa.int32(), pa.string())),
    pa.field(ROW, pa.int64()),
]


class Staging:
    """Files being written; use as a context, then see `files`.

    Without places they are for somebody else's code, in a compression that all readers know. There
    is one file with all rows where `whole` is asked for.
    """

    def __init__(self, folder: Path, *, placed: bool = True, whole: bool = False) -> None:
        self.folder = folder
        self._whole = whole
        self.rows = 0
        self._placed = placed
        self.files: list[Path] = []
        self._writer: pq.ParquetWriter | None = None
        self._rows = 0

    def __enter__(self) -> "Staging":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def add(self, key: str, batches: Iterable[pa.RecordBatch]) -> None:
        """Write the rows of one object; all batches of all objects have one schema."""
        row = 1
        for batch in batches:
            written = _placed(batch, key, row) if self._placed else batch
            self._file(written.schema).write_batch(written)
            row += batch.num_rows
            self.rows += batch.num_rows
            self._rows += batch.num_rows

    def _file(self, schema: pa.Schema) -> pq.ParquetWriter:
        if self._writer is None or (not self._whole and self._rows >= FILE_ROWS):
            self._close()
            path = self.folder / f"{len(self.files):05d}.parquet"
            self.files.append(path)
            compression = "lz4" if self._placed else "snappy"
            self._writer = pq.ParquetWriter(path, schema, compression=compression)
            self._rows = 0
        return self._writer

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def check_names(schema: Schema) -> None:
    """Refuse names that a database takes for one another, or for a row's place; raises Failure."""
    seen: dict[str, str] = {}
    for name in schema.names():
        folded = name.casefold()
        if folded in (OBJECT, ROW):
            raise Failure("MalformedFile", f"column {name!r} has a reserved name: rename it")
        if folded in seen:
            raise Failure(
                "DuplicateColumns",
                f"columns {seen[folded]!r} and {name!r} differ in upper and lower case only, "
                "which no query tells apart: rename one of them",
            )
        seen[folded] = name


def _placed(batch: pa.RecordBatch, key: str, first: int) -> pa.RecordBatch:
    count = batch.num_rows
    zeros = pa.array([0], pa.int32()).take(pa.array([0] * count, pa.int32()))
    objects = pa.DictionaryArray.from_arrays(zeros, pa.array([key]))
    rows = pa.array(range(first, first + count), pa.int64())
    return pa.RecordBatch.from_arrays(
        [*batch.columns, objects, rows], schema=pa.schema([*batch.schema, *_PLACES])
    )


@contextmanager
def viewed(select: str, folder: Path, limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database that has the view `rows` as `select` says, and reads nothing but the folder."""
    spill = folder / "spill"
    with connect([folder], spill, limits) as connection:
        connection.execute(f"CREATE VIEW {VIEW} AS {select}")
        yield connection


def staged(files: Iterable[Path], *, places: bool = True) -> str:
    """The query for the rows of staged files, with or without their places."""
    hidden = "" if places else f" EXCLUDE ({identifier(OBJECT)}, {identifier(ROW)})"
    names = ", ".join(quoted(str(path)) for path in files)
    return f"SELECT *{hidden} FROM read_parquet([{names}])"  # noqa: S608 - quoted


def whole_file(path: Path, key: str) -> str:
    """The query for the rows of one Parquet file that was not staged, with their places."""
    places = f"{quoted(key)} AS {identifier(OBJECT)}, file_row_number + 1 AS {identifier(ROW)}"
    source = f"read_parquet({quoted(str(path))}, file_row_number = true)"
    return f"SELECT * EXCLUDE (file_row_number), {places} FROM {source}"  # noqa: S608 - quoted
