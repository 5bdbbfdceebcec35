"""Versions of other Datasets as rows in scratch space: for a query to join, a check to look into.

Their objects are in content-addressed storage already. Each is fetched, proved, written as typed
Parquet and dropped before the next, so that scratch space holds the rows once.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from tidemill.store.manifest import Entry
from tidemill_runner import tables
from tidemill_runner.dataset import Version
from tidemill_runner.inputs import DatasetVersion
from tidemill_runner.schema import ColumnType, Schema
from tidemill_runner.sources.upstream import open_version
from tidemill_runner.staging import Staging, check_names
from tidemill_runner.storage import Storage

log = logging.getLogger(__name__)


@dataclass
class Referenced:
    """Stages versions below a folder, each once for the same columns."""

    store: Storage
    folder: Path
    _open: dict[str, Version] = field(default_factory=dict)
    _staged: dict[tuple[str, tuple[str, ...]], list[Path]] = field(default_factory=dict)

    def schema(self, wanted: DatasetVersion) -> Schema:
        """The columns that can be staged: those of type Other are not."""
        found = self._version(wanted).schema
        check_names(found)
        return Schema(tuple(c for c in found.columns if c.type is not ColumnType.OTHER))

    def rows(self, wanted: DatasetVersion, names: Sequence[str] | None = None) -> list[Path]:
        """Files with the columns named, by default all, and the places; raises Failure."""
        chosen = tuple(self.schema(wanted).names() if names is None else names)
        if (wanted.version, chosen) not in self._staged:
            self._staged[wanted.version, chosen] = self._stage(self._version(wanted), chosen)
            log.info("version %s of Dataset %s staged", wanted.version, wanted.name)
        return self._staged[wanted.version, chosen]

    def lay_out(self, wanted: DatasetVersion, folder: Path) -> Staging:
        """Write all rows into a folder of somebody else's, without their places."""
        names = tuple(self.schema(wanted).names())
        return self._write(self._version(wanted), names, Staging(folder, placed=False))

    def _stage(self, version: Version, names: tuple[str, ...]) -> list[Path]:
        folder = self.folder / str(len(self._staged))
        folder.mkdir(parents=True)
        return self._write(version, names, Staging(folder)).files

    def _write(self, version: Version, names: tuple[str, ...], into: Staging) -> Staging:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "object"
        with into as rows:
            for entry in version.manifest.entries:
                version.fetch(entry, path, lambda _: None)
                rows.add(entry.key, _batches(version, entry, path, names))
                path.unlink()
        return rows

    def _version(self, wanted: DatasetVersion) -> Version:
        if wanted.version not in self._open:
            self._open[wanted.version] = open_version(self.store, wanted)
        return self._open[wanted.version]


def _batches(
    version: Version, entry: Entry, path: Path, names: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    """The columns named of one object; all objects have one schema."""
    for batch in tables.normalised(path, entry.key, version.schema, version.manifest.format):
        yield batch.select(list(names))
