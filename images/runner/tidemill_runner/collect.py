"""The first half of an ingest: every object of a source read once, proved, and kept by its digest.

What is copied is what was delivered, byte for byte. The files stay in scratch space until their
rows have been staged: only when all are read is it known which types the columns have.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tidemill.store import layout
from tidemill.store.manifest import Entry
from tidemill.store.objects import ObjectInfo
from tidemill_runner import staging, tables
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.schema import Found, Merger, Schema
from tidemill_runner.sources import Origin
from tidemill_runner.staging import Staging
from tidemill_runner.storage import Storage

log = logging.getLogger(__name__)
Seen = Callable[[int], None]


@dataclass(frozen=True)
class File:
    """An object in scratch space: its key in the manifest, its path."""

    key: str
    path: Path


@dataclass(frozen=True)
class Collected:
    """Objects of one schema: what the manifest says of them, and where they lie meanwhile."""

    format: str
    schema: Schema
    entries: tuple[Entry, ...]
    rows: int
    files: tuple[File, ...]

    def stage(self, folder: Path, seen: Seen) -> list[Path]:
        """Write the rows as typed files and drop the objects; `seen` is told bytes."""
        with Staging(folder) as rows:
            for file in self.files:
                size = file.path.stat().st_size
                rows.add(file.key, self._rows(file))
                file.path.unlink()
                seen(size)
        return rows.files

    def _rows(self, file: File) -> Iterator[pa.RecordBatch]:
        return tables.normalised(file.path, file.key, self.schema, self.format)


class Collector:
    """Takes objects one by one into a folder and, where there is one, a store."""

    def __init__(self, store: Storage | None, cas: str, folder: Path, delivery: Delivery) -> None:
        self._store = store
        self._cas = cas
        self._folder = folder
        self._delivery = delivery
        self._merger = Merger()
        self._entries: list[Entry] = []
        self._files: list[File] = []
        self._rows = 0

    def fetch(self, origin: Origin, info: ObjectInfo, seen: Seen) -> None:
        """Copy an object of a source; raises Failure."""
        path = self._path()
        digest = origin.fetch(info, path, seen)
        key = info.key.removeprefix(self._delivery.prefix) or info.key
        found, rows = tables.inspect(path, info.key, self._delivery)
        size = path.stat().st_size
        self._take(File(key, path), found, rows)
        self._keep(path, digest)
        self._entries.append(Entry(key, digest, size, info.version or info.etag or None))
        log.info("%s: %d rows, %d bytes, %s", info.key, rows, size, digest)

    def add(self, path: Path, key: str, digest: str) -> None:
        """Take a file that was made here."""
        found, rows = tables.inspect(path, key, self._delivery)
        self._take(File(key, path), found, rows)
        self._keep(path, digest)
        self._entries.append(Entry(key, digest, path.stat().st_size))

    def collected(self, where: str) -> Collected:
        """All that was taken; raises Failure where it is nothing."""
        if self._rows == 0:
            raise Failure("NoRows", f"no rows in {where}: deliver data with rows")
        schema = self._merger.schema()
        staging.check_names(schema)
        return Collected(
            self._delivery.format, schema, tuple(self._entries), self._rows, tuple(self._files)
        )

    def _path(self) -> Path:
        return self._folder / f"{len(self._files):06d}"

    def _take(self, file: File, found: Found, rows: int) -> None:
        self._merger.add(found)
        self._files.append(file)
        self._rows += rows

    def _keep(self, path: Path, digest: str) -> None:
        if self._store is None:
            return
        key = layout.cas_key(self._cas, digest)
        if self._store.size_of(key) != path.stat().st_size:
            self._store.upload(path, key)
