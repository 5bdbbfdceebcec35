"""A version of another Dataset: its objects are in content-addressed storage already."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tidemill.store import errors
from tidemill.store.manifest import Entry
from tidemill.store.objects import ObjectInfo
from tidemill_runner.dataset import Version
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.inputs import DatasetVersion
from tidemill_runner.storage import Seen, Storage


@dataclass(frozen=True)
class UpstreamOrigin:
    """A version is its digest: it is that one or corrupt, and never changes."""

    store: Storage
    source: DatasetVersion

    @property
    def where(self) -> str:
        return f"version {self.source.version} of Dataset {self.source.name}"

    @property
    def delivery(self) -> Delivery:
        manifest, schema = self._version.manifest, self._version.schema
        return Delivery(manifest.format, "", schema.csv, hive=bool(schema.partitions))

    def objects(self) -> list[ObjectInfo]:
        return [ObjectInfo(e.key, e.size, etag="") for e in self._version.manifest.entries]

    def fetch(self, info: ObjectInfo, path: Path, seen: Seen) -> str:
        entry = self._entries[info.key]
        self._version.fetch(entry, path, seen)
        return entry.digest

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        return {entry.key: entry for entry in self._version.manifest.entries}

    @cached_property
    def _version(self) -> Version:
        return open_version(self.store, self.source)


def open_version(store: Storage, wanted: DatasetVersion) -> Version:
    """A version of another Dataset, proved as far as its manifest and schema; raises Failure."""
    try:
        return Version(store, wanted)
    except errors.AccessDenied:
        # The keys may read this one manifest and not list beside it: gone reads as denied.
        raise Failure(
            "DatasetCorrupt",
            f"the manifest of version {wanted.version} of Dataset {wanted.name} is gone, or the "
            "store refuses it: restore it, or ingest that Dataset again",
        ) from None
