"""The verb `materialise`: an online store gets the newest row of each key of a version.

Where the store tells which rows it has, and they can still be read, only what differs is written;
else all is, and names that the version has not are removed. Whatever was done before a Job ended in
the middle, the next one ends right: what is under way is marked first, what is there last.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from tidemill.store import online
from tidemill.store.online import Meta, Shape, State, Whole
from tidemill.store.online_client import connected
from tidemill.store.online_errors import OnlineError
from tidemill.store.online_server import OnlineLogin
from tidemill_runner import names
from tidemill_runner.checks.column import MOMENTS
from tidemill_runner.database import Limits, connect
from tidemill_runner.failures import Failure, no_room
from tidemill_runner.filling import Counts, Filling, Rows
from tidemill_runner.newest import Newest, shape_of
from tidemill_runner.online_input import MaterialiseInput
from tidemill_runner.online_writer import Lost, OnlineWriter, Overtaken
from tidemill_runner.progress import Progress
from tidemill_runner.referenced import Referenced
from tidemill_runner.schema import Column, Schema
from tidemill_runner.staging import staged
from tidemill_runner.storage import Storage

log = logging.getLogger(__name__)
FIELD = "spec.entity"
# Percents of the progress at which each part ends.
FOUND, WRITTEN = 50, 99


@dataclass(frozen=True)
class Materialise:
    """One materialisation: of what, by which login, with which scratch space and limits."""

    document: MaterialiseInput
    login: OnlineLogin
    store: Storage
    scratch: Path
    progress: Progress
    limits: Limits
    now: Callable[[], datetime]
    _counts: Counts = field(default_factory=Counts)

    def run(self) -> dict[str, Any]:
        """Do it; the result without its times of day. Raises Failure."""
        began = time.monotonic()
        try:
            found = self._materialise()
        except Overtaken:
            log.info("a Job of a newer version writes: this one is of no use any more")
            found = {"overtaken": True}
        except Lost:
            raise Failure(
                "OnlineStoreUnavailable",
                f"the online store at {self.document.server.where} was emptied while it was "
                "written to; it is tried again",
            ) from None
        except OnlineError as error:
            raise Failure(error.reason.value, error.message) from None
        except duckdb.Error as error:
            raise _failure(error) from None
        counts = {"written": self._counts.written, "removed": self._counts.removed}
        seconds = round(time.monotonic() - began, 3)
        return {"version": self.document.version.version, **counts, **found, "seconds": seconds}

    def _materialise(self) -> dict[str, Any]:
        versions = Referenced(self.store, self.scratch / "rows")
        shape = self._shape(versions.schema(self.document.version))
        # First: from now on nobody who began before us changes what we compare with.
        meta = asyncio.run(self._claim(shape))
        target = State(self.document.version.version, self.document.moment)
        if meta.shape == shape and meta.whole and meta.whole.state == target and not meta.writing:
            return self._told(meta.whole, target)
        self.scratch.joinpath("rows").mkdir(exist_ok=True)
        with connect([self.scratch], self.scratch / "spill", self.limits) as database:
            rows = self._rows(database, versions, shape, self._base(meta, shape, target))
            whole = asyncio.run(self._write(rows, meta, target))
            return self._told(whole, meta.whole.state if rows.before and meta.whole else None)

    def _told(self, whole: Whole, base: State | None) -> dict[str, Any]:
        unchanged = whole.rows - self._counts.written if base else 0
        log.info(
            "%d rows, %d written, %d removed",
            whole.rows,
            self._counts.written,
            self._counts.removed,
        )
        return {
            "base": base.version if base else None,
            "rows": whole.rows,
            "unchanged": unchanged,
            "newest": whole.newest,
            "next": whole.next,
        }

    def _shape(self, schema: Schema) -> Shape:
        key = [_column(name, f"{FIELD}.key", schema) for name in self.document.key]
        time_ = _column(self.document.timestamp, f"{FIELD}.timestamp", schema)
        if time_.type not in MOMENTS:
            kinds = " or ".join(MOMENTS)
            message = (
                f"{FIELD}.timestamp: column {time_.name!r} is {time_.type}, it must be {kinds}"
            )
            raise Failure("SpecInvalid", message)
        used = {*self.document.key, self.document.timestamp}
        features = [column for column in schema.columns if column.name not in used]
        return shape_of(key, time_, features, self.document.ttl)

    def _base(self, meta: Meta, shape: Shape, target: State) -> State | None:
        """The state that what lies in the store can be told from, if there is one."""
        if meta.whole is None or meta.shape != shape:
            return None
        # Where another state was being written, a row may be that one's.
        return meta.whole.state if meta.writing in (None, target) else None

    def _rows(
        self,
        database: duckdb.DuckDBPyConnection,
        versions: Referenced,
        shape: Shape,
        base: State | None,
    ) -> Rows:
        self.progress.report(0, "reading the version")
        rows = staged(versions.rows(self.document.version), places=False)
        moment = self.document.moment
        newest = Newest.made(database, rows, shape, (moment, self.scratch / "newest.parquet"))
        extent = newest.extent(database, rows, moment)
        return Rows(database, newest, self._before(database, versions, shape, base), extent)

    def _before(
        self,
        database: duckdb.DuckDBPyConnection,
        versions: Referenced,
        shape: Shape,
        base: State | None,
    ) -> Newest | None:
        if base is None:
            return None
        try:
            rows = staged(versions.rows(self.document.other(base.version)), places=False)
        except Failure as error:
            log.warning("all is written anew: version %s cannot be read: %s", base.version, error)
            return None
        path = self.scratch / "before.parquet"
        return Newest.made(database, rows, shape, (base.moment, path))

    @asynccontextmanager
    async def _writer(self) -> AsyncIterator[OnlineWriter]:
        document = self.document
        async with connected(document.server, self.login, document.secret) as client:
            yield OnlineWriter(client, document.table, document.sequence)

    async def _claim(self, shape: Shape) -> Meta:
        async with self._writer() as writer:
            return await writer.claim(shape)

    async def _write(self, rows: Rows, meta: Meta, target: State) -> Whole:
        begun = Meta(rows.newest.shape, self.document.sequence, None, target)
        if rows.before:
            begun = replace(begun, whole=meta.whole)
        async with self._writer() as writer:
            await Filling(writer, rows, self._counts, self._written).fill(begun)
            extent, now = rows.extent, online.microseconds(self.now())
            whole = Whole(target, extent.rows, extent.newest, extent.next, now)
            await writer.mark(replace(begun, whole=whole, writing=None))
        return whole

    def _written(self, share: float) -> None:
        self.progress.report(FOUND + share * (WRITTEN - FOUND), "writing rows")


def _column(name: str, where: str, schema: Schema) -> Column:
    column = schema.column(name)
    if column is None:
        near = names.suggestion(name, schema.names())
        message = f"{where}: the version has no column {name!r} that can be compared{near}"
        raise Failure("SpecInvalid", message)
    return column


def _failure(error: duckdb.Error) -> Failure:
    if full := no_room(error):
        return full
    if isinstance(error, duckdb.OutOfMemoryException):
        return Failure(
            "OOMKilled",
            "memory and scratch space are not enough to find the newest rows: raise "
            "spec.template.resources.limits.memory",
        )
    # What it says may quote a value of the data.
    return Failure("InternalError", f"the newest rows: {type(error).__name__}")
