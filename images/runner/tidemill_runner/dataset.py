"""A version of a data set, read back: every byte proved against the manifest before it is used."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tidemill.store import digests, errors, layout
from tidemill.store import manifest as manifests
from tidemill.store.manifest import Entry, Manifest, Place
from tidemill_runner import schema as schemas
from tidemill_runner import tables
from tidemill_runner.failures import Failure
from tidemill_runner.inputs import DatasetVersion
from tidemill_runner.schema import Schema
from tidemill_runner.storage import Storage
from tidemill_runner.uncopied import Uncopied

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rows:
    """Columns of a version in the order of its manifest, and where each object's rows begin."""

    table: pa.Table
    starts: tuple[tuple[str, int], ...]

    def where(self, row: int) -> str:
        """The object and the row in it (the first data row is 1), for a message."""
        key, start = next(item for item in reversed(self.starts) if item[1] <= row)
        return f"{key}, data row {row - start + 1}"


class Version:
    """A version whose manifest and schema have been proved; its rows are read on demand."""

    def __init__(self, storage: Storage, wanted: DatasetVersion) -> None:
        self._storage = storage
        self._wanted = wanted
        self._elsewhere: Uncopied | None = None
        self.manifest = self._load_manifest()
        self.schema = self._load_schema()

    def read(self, names: Sequence[str], scratch: Path, seen: Callable[[int], None]) -> Rows:
        """Load the columns named; every object is proved whole, whatever is used of it."""
        batches: list[pa.RecordBatch] = []
        starts: list[tuple[str, int]] = []
        rows = 0
        for entry in self.manifest.entries:
            starts.append((entry.key, rows))
            for batch in self._object(entry, list(names), scratch, seen):
                batches.append(batch)
                rows += batch.num_rows
        log.info("%d rows of %d columns read and verified", rows, len(names))
        return Rows(pa.Table.from_batches(batches), tuple(starts))

    def fetch(self, entry: Entry, path: Path, seen: Callable[[int], None]) -> None:
        """Copy an object to a file; raises Failure unless every byte is as it was."""
        if self.manifest.place is not None:
            self._uncopied(self.manifest.place).fetch(entry, path, seen)
            return
        key = layout.cas_key(self._wanted.cas, entry.digest)
        try:
            hasher = self._storage.download(key, path, seen=seen)
        except errors.NotFound:
            raise _corrupt(f"{entry.key} ({key}) is gone") from None
        if hasher.digest != entry.digest:
            raise _corrupt(f"{entry.key} ({key}) has digest {hasher.digest}")

    def _uncopied(self, place: Place) -> Uncopied:
        if self._elsewhere is None:
            self._elsewhere = Uncopied(place, self._wanted, self._storage.config.ca_file)
        return self._elsewhere

    def _object(
        self, entry: Entry, names: list[str], scratch: Path, seen: Callable[[int], None]
    ) -> list[pa.RecordBatch]:
        path = scratch / "object"
        try:
            self.fetch(entry, path, seen)
            return list(tables.read(path, entry.key, self.schema, names, self.manifest.format))
        finally:
            path.unlink(missing_ok=True)

    def _load_manifest(self) -> Manifest:
        try:
            data = self._storage.get(self._wanted.manifest, manifests.MAX_BYTES)
            return manifests.parse(data, self._wanted.version)
        except errors.NotFound:
            raise _corrupt(f"the manifest {self._wanted.manifest} is gone") from None
        except manifests.ManifestError as error:
            raise _corrupt(f"{self._wanted.manifest}: {error}") from None

    def _load_schema(self) -> Schema:
        key = layout.cas_key(self._wanted.cas, self.manifest.schema)
        try:
            data = self._storage.get(key, schemas.MAX_BYTES)
            if digests.sha256_digest(data) != self.manifest.schema:
                raise _corrupt(f"the schema {key} does not match its digest")
            return schemas.parse(data)
        except errors.NotFound:
            raise _corrupt(f"the schema {key} is gone") from None
        except ValueError as error:
            raise _corrupt(f"the schema {key}: {error}") from None


def _corrupt(detail: str) -> Failure:
    return Failure(
        "DatasetCorrupt", f"{detail}: restore it in the store, or ingest the source again"
    )
