"""The rows of a query to a database: read in one snapshot, sorted, written as one Parquet file.

A server gives rows in any order, so they are sorted by all their columns before they are written:
equal rows give equal bytes, whatever came first. Nothing is compared with what the operator saw:
one transaction reads one state, and what comes later is noticed later.
"""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.store import digests, postgres
from tidemill.store import postgres_errors as errors
from tidemill.store.objects import ObjectInfo
from tidemill.store.postgres import AUTHORITY, PASSWORD, USERNAME, Login
from tidemill.store.postgres_errors import FIELD, DatabaseError
from tidemill.store.postgres_query import ERRORS, Column, Query
from tidemill_runner.database import Limits, connect, memory_for_database, quoted
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.inputs import SqlSource
from tidemill_runner.prepare import ROW_GROUP
from tidemill_runner.sources import sql_values
from tidemill_runner.storage import Seen

FILE = "query.parquet"
STATEMENT_SECONDS = 1800
# A batch is made of whole rows: so many that they come to about this size.
BATCH_BYTES = 4 * 1024 * 1024
FIRST_ROWS, MOST_ROWS = 256, 16_384
# A row group is written from memory; how many rows it has follows from the rows alone.
GROUP_BYTES = 16 * 1024 * 1024
GROUP_STEP = 2048


@dataclass
class _Amount:
    """How much was read."""

    rows: int = 0
    size: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        self.size += sql_values.size(batch)

    @property
    def group(self) -> int:
        """The rows of a row group: as many as come to its size, in whole steps."""
        fit = GROUP_BYTES * max(self.rows, 1) // max(self.size, 1)
        return min(max(fit // GROUP_STEP * GROUP_STEP, GROUP_STEP), ROW_GROUP)


@dataclass(frozen=True)
class SqlOrigin:
    """One file, which the rows become."""

    query: Query
    max_bytes: int
    memory: int = field(default_factory=memory_for_database)

    @classmethod
    def of(cls, source: SqlSource, secret: Path) -> "SqlOrigin":
        """`secret` is the folder of the Secret's keys; raises Failure."""
        username, password, authority = (
            _key(secret / name) for name in (USERNAME, PASSWORD, AUTHORITY)
        )
        if not username or not password:
            raise Failure(
                "AccessDenied",
                f"the Secret {source.secret} lacks the key {PASSWORD if username else USERNAME}: "
                "add it",
            )
        login = Login(source.secret, username, password, authority)
        return cls(Query(source.query, source.server, login), source.max_bytes)

    @property
    def where(self) -> str:
        return f"the query to {self.query.server.where}"

    @property
    def delivery(self) -> Delivery:
        return Delivery("Parquet")

    def objects(self) -> list[ObjectInfo]:
        return [ObjectInfo(FILE, 0, etag="")]

    def fetch(self, info: ObjectInfo, path: Path, seen: Seen) -> str:  # noqa: ARG002
        folder = path.with_name(f"{path.name}-rows")
        folder.mkdir()
        rows = folder / "rows.parquet"
        try:
            amount = asyncio.run(self._read(rows, seen))
            self._sort(rows, path, amount.group)
        except DatabaseError as error:
            raise Failure(error.reason.value, error.message) from None
        except duckdb.OutOfMemoryException:
            raise Failure(
                "QueryInvalid",
                f"{FIELD}.query: {self.memory // 1024 // 1024} MiB of memory and the scratch "
                "space are not enough to sort its rows: raise "
                "spec.template.resources.limits.memory, or ask for fewer or narrower rows",
            ) from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        with path.open("rb") as data:
            return digests.PREFIX + hashlib.file_digest(data, "sha256").hexdigest()

    async def _read(self, path: Path, seen: Seen) -> "_Amount":
        """Write the rows as they come; raises DatabaseError or Failure."""
        query = self.query
        opened = postgres.transaction(query.server, query.login, STATEMENT_SECONDS)
        async with opened as connection:
            columns = await query.columns(connection)
            schema = sql_values.schema(columns)
            amount = _Amount()
            with pq.ParquetWriter(path, schema, compression="lz4") as writer:
                async for batch in self._batches(connection, columns, schema):
                    amount.add(batch)
                    if amount.size > self.max_bytes:
                        raise Failure(
                            "SpecInvalid",
                            f"{self.where} gives more than the {self.max_bytes} bytes of "
                            f"{FIELD}.maxSize: raise it, or ask for fewer rows",
                        )
                    writer.write_batch(batch)
                    seen(sql_values.size(batch))
        return amount

    async def _batches(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg has no types
        columns: tuple[Column, ...],
        schema: pa.Schema,
    ) -> AsyncIterator[pa.RecordBatch]:
        """The rows through a cursor of the server, so that memory holds one batch."""
        wanted = FIRST_ROWS
        try:
            await sql_values.prepare(connection)
            cursor = await connection.cursor(self.query.rows(columns))
            while records := await cursor.fetch(wanted, timeout=STATEMENT_SECONDS + 60):
                batch = sql_values.batch(records, schema)
                yield batch
                each = max(sql_values.size(batch) // len(records), 1)
                wanted = min(max(BATCH_BYTES // each, 1), MOST_ROWS, 2 * wanted)
        except ERRORS as error:
            raise errors.of_run(error, self.query.server.where, self.query.login.values) from None
        except UnicodeDecodeError:
            raise Failure(
                "WrongEncoding",
                f"{self.where} gives text that is not what the database's encoding says: convert "
                "it in the database, or cast the column to bytea and encode() it",
            ) from None

    def _sort(self, rows: Path, path: Path, group: int) -> None:
        """One order for all rows, by their values alone; on one thread, so that bytes are equal."""
        limits = Limits(self.memory, threads=1)
        folders = [rows.parent, path.parent]
        with connect(folders, rows.parent / "spill", limits) as connection:
            connection.execute(
                f"COPY (SELECT * FROM read_parquet({quoted(str(rows))}) ORDER BY ALL NULLS FIRST) "  # noqa: S608 - quoted
                f"TO {quoted(str(path))} "
                f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group})"
            )


def _key(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace").strip() if path.is_file() else ""
