"""Files of rows, whatever their format: `inspect` once at ingest, `read` again for training."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from tidemill_runner import csv_file, parquet_file
from tidemill_runner.failures import Failure
from tidemill_runner.schema import Found, Schema


class _Format(Protocol):
    def inspect(self, path: Path, key: str) -> tuple[Found, int]: ...

    def read(
        self, path: Path, key: str, schema: Schema, names: list[str]
    ) -> Iterator[pa.RecordBatch]: ...


FORMATS: dict[str, _Format] = {"CSV": csv_file, "Parquet": parquet_file}


def inspect(path: Path, key: str, file_format: str) -> tuple[Found, int]:
    """Read all of a file: its schema and its number of rows. Raises Failure, which names `key`."""
    if path.stat().st_size == 0:
        raise Failure("NoRows", f"{key} is empty (0 bytes): deliver it with rows or remove it")
    return FORMATS[file_format].inspect(path, key)


def read(
    path: Path, key: str, schema: Schema, names: list[str], file_format: str
) -> Iterator[pa.RecordBatch]:
    """Batches of the columns named, typed as the schema says."""
    return FORMATS[file_format].read(path, key, schema, names)
