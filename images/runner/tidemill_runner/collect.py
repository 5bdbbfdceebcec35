"""The first half of an ingest: every object of a source read once, proved, and kept by its digest.

What is copied is what was delivered, byte for byte. The files stay in scratch space until their
rows have been staged: only when all are read is it known which types the columns have.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
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

# What is waited for is mostly the network; memory and scratch space hold a group at a time.
AT_ONCE = 8
GROUP = 16
GROUP_BYTES = 16 * 1024 * 1024
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

    def stage(self, folder: Path, seen: Seen, *, placed: bool = True) -> list[Path]:
        """Write the rows as typed files and drop the objects; `seen` is told bytes."""
        with Staging(folder, placed=placed) as rows:
            for file in self.files:
                size = file.path.stat().st_size
                rows.add(file.key, self._rows(file))
                file.path.unlink()
                seen(size)
        return rows.files

    def _rows(self, file: File) -> Iterator[pa.RecordBatch]:
        return tables.normalised(file.path, file.key, self.schema, self.format)


@dataclass(frozen=True)
class Taken:
    """One object that was read: what the manifest says of it, and what was found in it."""

    entry: Entry
    found: Found
    rows: int


class Collector:
    """Takes objects one by one into a folder and, where there is one, a store.

    `taking`, where it is given, is told of each in place of counting it in.
    """

    def __init__(
        self,
        store: Storage | None,
        cas: str,
        folder: Path,
        delivery: Delivery,
        taking: Callable[[Taken], None] | None = None,
    ) -> None:
        self._store = store
        self._cas = cas
        self._folder = folder
        self._delivery = delivery
        self._taking = taking or self.take
        self._merger = Merger()
        self._entries: list[Entry] = []
        self.files: list[File] = []
        self._rows = 0

    def fetch(self, origin: Origin, infos: Iterable[ObjectInfo], seen: Seen) -> None:
        """Copy the objects of a source, small ones some at a time; raises Failure."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="object") as threads:
            for group in _groups(infos):
                paths = [self._folder / f"{len(self.files) + n:06d}" for n in range(len(group))]
                run = threads.map if len(group) > 1 else map
                digests = list(run(partial(origin.fetch, seen=seen), group, paths))
                for info, path, digest in zip(group, paths, digests, strict=True):
                    self._fetched(info, path, digest)
                self._keep(dict(zip(digests, paths, strict=True)), threads)

    def add(self, path: Path, key: str, digest: str) -> None:
        """Take a file that was made here."""
        found, rows = tables.inspect(path, key, self._delivery)
        self._taking(Taken(Entry(key, digest, path.stat().st_size), found, rows))
        self.files.append(File(key, path))
        with ThreadPoolExecutor(1, thread_name_prefix="object") as threads:
            self._keep({digest: path}, threads)

    def take(self, one: Taken) -> None:
        """Count in an object that was read; raises Failure where it does not fit those before."""
        self._merger.add(one.found)
        self._entries.append(one.entry)
        self._rows += one.rows

    def collected(self, where: str) -> Collected:
        """All that was taken; raises Failure where it is nothing."""
        if self._rows == 0:
            raise Failure("NoRows", f"no rows in {where}: deliver data with rows")
        schema = self._merger.schema()
        staging.check_names(schema)
        return Collected(
            self._delivery.format, schema, tuple(self._entries), self._rows, tuple(self.files)
        )

    def _fetched(self, info: ObjectInfo, path: Path, digest: str) -> None:
        key = info.key.removeprefix(self._delivery.prefix) or info.key
        found, rows = tables.inspect(path, info.key, self._delivery)
        size = path.stat().st_size
        entry = Entry(key, digest, size, info.version or info.etag or None)
        self._taking(Taken(entry, found, rows))
        self.files.append(File(key, path))
        log.info("%s: %d rows, %d bytes, %s", info.key, rows, size, digest)

    def _keep(self, files: Mapping[str, Path], threads: Executor) -> None:
        """Copy files under their digests, but for those that are there already."""
        if self._store is None:
            return
        wanted = {layout.cas_key(self._cas, digest): path for digest, path in files.items()}
        sizes = self._store.sizes_of(wanted)
        absent = [key for key, path in wanted.items() if sizes[key] != path.stat().st_size]
        list(threads.map(self._store.upload, [wanted[key] for key in absent], absent))


def _groups(infos: Iterable[ObjectInfo]) -> Iterator[list[ObjectInfo]]:
    """Objects in their order, together as long as they are small: a large one comes alone."""
    group: list[ObjectInfo] = []
    for info in infos:
        full = len(group) == GROUP or sum(one.size for one in group) + info.size > GROUP_BYTES
        if group and full:
            yield group
            group = []
        group.append(info)
    if group:
        yield group
