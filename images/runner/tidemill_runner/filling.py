"""Filling an online store with the newest rows: what differs, or all of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from tidemill.store import online
from tidemill.store.online import Meta
from tidemill_runner.newest import Extent, Newest
from tidemill_runner.online_writer import BATCH_BYTES, BATCH_NAMES, Change, OnlineWriter


@dataclass
class Counts:
    """How many names have been written and removed so far."""

    written: int = 0
    removed: int = 0


@dataclass(frozen=True)
class Rows:
    """The rows to be there, those that are there as far as is known, and the database of both."""

    database: duckdb.DuckDBPyConnection
    newest: Newest
    before: Newest | None
    extent: Extent


@dataclass(frozen=True)
class Filling:
    """Writes rows; `seen` is told the share of them that is written."""

    writer: OnlineWriter
    rows: Rows
    counts: Counts
    seen: Callable[[float], None]

    async def fill(self, begun: Meta) -> None:
        """Write; `begun` says what is under way, and is marked before anything is changed."""
        if self.rows.before is None:
            await self.writer.mark(begun)
            await self._all()
        else:
            await self._difference(self.rows.before, begun)

    async def _difference(self, before: Newest, begun: Meta) -> None:
        database, newest = self.rows.database, self.rows.newest
        changed = self._changes(newest.changed(database, before))
        gone = self._removals(newest.gone(database, before))
        marked = False
        for batch in _packed(changed, gone):
            if not marked:
                await self.writer.mark(begun)
                marked = True
            await self._send(batch)

    async def _all(self) -> None:
        database = self.rows.database
        database.execute("CREATE TABLE found (name VARCHAR)")
        database.execute("CREATE TABLE kept (name VARCHAR)")
        others = False
        async for some in self.writer.names():
            others = others or bool(some)
            _add(database, "found", some)
        for changes in _packed(self._changes(self.rows.newest.all(database))):
            await self._send(changes)
            if others:
                _add(database, "kept", [change.name for change in changes])
        left = database.execute("SELECT DISTINCT name FROM found ANTI JOIN kept USING (name)")
        while batch := left.fetchmany(BATCH_NAMES):
            await self._send([Change(name) for (name,) in batch])

    async def _send(self, batch: list[Change]) -> None:
        removed = await self.writer.write(batch)
        self.counts.written += sum(1 for change in batch if change.text)
        self.counts.removed += removed
        self.seen(min(self.counts.written / max(self.rows.extent.rows, 1), 1))

    def _changes(self, batches: Iterable[list[tuple[Any, ...]]]) -> Iterator[Change]:
        """Rows as texts under their names."""
        table, shape = self.writer.table, self.rows.newest.shape
        features, keys = [column.name for column in shape.columns], len(shape.key)
        for batch in batches:
            for row in batch:
                known = row[keys]
                values = dict(zip(features, row[keys + 1 :], strict=True))
                till = None if shape.ttl is None else known // 1000 + shape.ttl
                yield Change(table.row(row[:keys]), online.encode(known, values), till)

    def _removals(self, batches: Iterable[list[tuple[Any, ...]]]) -> Iterator[Change]:
        keys = len(self.rows.newest.shape.key)
        for batch in batches:
            for row in batch:
                yield Change(self.writer.table.row(row[:keys]))


def _packed(*parts: Iterable[Change]) -> Iterator[list[Change]]:
    """Batches of few enough names and bytes for the store to take each in one step."""
    batch: list[Change] = []
    size = 0
    for part in parts:
        for change in part:
            batch.append(change)
            size += change.size
            if len(batch) >= BATCH_NAMES or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _add(database: duckdb.DuckDBPyConnection, table: str, some: list[str]) -> None:
    database.register("batch", pa.table({"name": pa.array(some, pa.string())}))
    database.execute(f"INSERT INTO {table} SELECT name FROM batch")  # noqa: S608 - a name of ours
    database.unregister("batch")
