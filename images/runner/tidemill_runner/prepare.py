"""The step between a source and a version: one SQL query, whose rows are what is versioned.

The same data and the same query give the same bytes: the query is refused where it could not be
repeated, and it runs on one thread, because rows that no ORDER BY sorts come in the order in which
threads end, and floats are added in it. The version names query and engine (`header`).
"""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from tidemill_runner import query
from tidemill_runner.database import Limits, connect, identifier, quoted
from tidemill_runner.failures import Failure, no_room

FIELD = "spec.prepare.sql"
SOURCE = "source"
FILE = "prepared.parquet"
ROW_GROUP = 122_880
ENGINE = f"duckdb {duckdb.__version__}"
_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True)
class Room:
    """Folders in scratch space: where the tables lie, where the result goes, where to spill."""

    tables: tuple[Path, ...]
    into: Path
    spill: Path

    @property
    def folders(self) -> list[Path]:
        """What the query's process may touch."""
        return [*self.tables, self.into]


@dataclass(frozen=True)
class Preparation:
    """A query over tables; `seconds` is how long it may take.

    `inputs` are the digests of the versions that are tables beside the source, by their names.
    """

    sql: str
    seconds: float
    inputs: Mapping[str, str] = field(default_factory=dict)

    def header(self) -> dict[str, Any]:
        """What a version's manifest says of how its rows were made."""
        header: dict[str, Any] = {"engine": ENGINE, "sql": self.sql}
        return header | ({"inputs": dict(self.inputs)} if self.inputs else {})

    def run(self, tables: Mapping[str, str], room: "Room", memory: int) -> Path:
        """Run the query over tables, each given by the query for its rows; gives the file made."""
        query.check(self.sql, tables.keys(), FIELD)
        target = room.into / FILE
        limits = Limits(memory, threads=1)
        with connect(room.folders, room.spill, limits) as connection, self._errors(memory):
            for name, rows in tables.items():
                connection.execute(f"CREATE VIEW {identifier(name)} AS {rows}")
            copy = (
                f"COPY (FROM (\n{self.sql.rstrip().rstrip(';')}\n)) TO {quoted(str(target))} "
                f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
            )
            with self._timed(connection):
                connection.execute(copy)
        return target

    @contextmanager
    def _timed(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        timer = threading.Timer(self.seconds, connection.interrupt)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @contextmanager
    def _errors(self, memory: int) -> Iterator[None]:
        try:
            yield
        except duckdb.InterruptException:
            raise Failure(
                "PrepareFailed",
                f"{FIELD}: not done after {self.seconds:.0f} s: make the query cheaper",
            ) from None
        except duckdb.OutOfMemoryException:
            raise Failure(
                "PrepareFailed",
                f"{FIELD}: {memory // 1024 // 1024} MiB of memory and the scratch space are not "
                "enough: raise spec.template.resources.limits.memory, or make the query cheaper",
            ) from None
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
            raise Failure("PrepareInvalid", f"{FIELD}: {_first_line(error)}") from None
        except duckdb.Error as error:
            # What it quotes may be a value of the data, which messages never show.
            if full := no_room(error):
                raise full from None
            told = _LITERAL.sub("'…'", _first_line(error))
            raise Failure("PrepareFailed", f"{FIELD}: {told}") from None


def _first_line(error: duckdb.Error) -> str:
    text = str(error).strip().splitlines()[0]
    return text.partition(": ")[2] or text
