"""The newest row of each key of a version at a moment, and what differs between two of these.

A row counts from its timestamp on, that very moment included; with a time to live it counts until
that has passed. Rows without a key or a timestamp never do. Everything lies in files of scratch
space, and the database spills there too, so that memory does not grow with the number of keys.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from tidemill.store import online
from tidemill.store.online import Shape
from tidemill_runner.checks import column as columns
from tidemill_runner.database import identifier, quoted
from tidemill_runner.schema import Column, ColumnType

BATCH = 10_000
_MILLISECOND = 1000


@dataclass(frozen=True)
class Extent:
    """How many rows there are, when the newest became known, when the next one will."""

    rows: int
    newest: int | None
    next: int | None


@dataclass(frozen=True)
class Newest:
    """A file with a row a key: k0… the key, t the time in microseconds, v0… the values."""

    shape: Shape
    path: Path

    @property
    def query(self) -> str:
        """The query for its rows."""
        return f"SELECT * FROM read_parquet({quoted(str(self.path))})"  # noqa: S608 - quoted

    @classmethod
    def made(
        cls,
        connection: duckdb.DuckDBPyConnection,
        rows: str,
        shape: Shape,
        at: tuple[int, Path],
    ) -> "Newest":
        """Find them among the rows of a query, as of a moment, and write them to a file."""
        moment, path = at
        keys = ", ".join(f"k{place}" for place in range(len(shape.key)))
        known = f"SELECT * FROM ({_typed(rows, shape)}) WHERE {_present(shape, moment)}"  # noqa: S608
        connection.execute(
            f"COPY (WITH known AS ({known}) SELECT known.* FROM known JOIN "  # noqa: S608
            f"(SELECT {keys}, max(t) AS t FROM known GROUP BY {keys}) USING ({keys}, t)) "
            f"TO {quoted(str(path))} (FORMAT parquet, COMPRESSION lz4_raw)"
        )
        return cls(shape, path)

    def extent(self, connection: duckdb.DuckDBPyConnection, rows: str, moment: int) -> Extent:
        """Count them; `rows` is the query that they were found in."""
        count, newest = _one(connection, f"SELECT count(*), max(t) FROM ({self.query})")  # noqa: S608
        [later] = _one(
            connection,
            f"SELECT min(t) FROM ({_typed(rows, self.shape)}) "  # noqa: S608
            f"WHERE {_whole(self.shape)} AND t > {moment}",
        )
        return Extent(count, newest, later)

    def all(self, connection: duckdb.DuckDBPyConnection) -> Iterator[list[tuple[Any, ...]]]:
        """All rows, in batches."""
        return _batches(connection, self.query)

    def changed(
        self, connection: duckdb.DuckDBPyConnection, before: "Newest"
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Rows that are not, or not the same, among others."""
        names = ["t", *(f"v{place}" for place in range(len(self.shape.columns)))]
        differs = [f"n.{name} IS DISTINCT FROM o.{name}" for name in names]
        # Zero and minus zero are equal, but their texts are not.
        differs += [
            f"signbit(n.v{place}) IS DISTINCT FROM signbit(o.v{place})"
            for place, column in enumerate(self.shape.columns)
            if column.type == ColumnType.FLOAT
        ]
        return _batches(
            connection,
            f"SELECT n.* FROM ({self.query}) n LEFT JOIN ({before.query}) o "  # noqa: S608
            f"ON {self._same_key()} WHERE {' OR '.join(differs)}",
        )

    def gone(
        self, connection: duckdb.DuckDBPyConnection, before: "Newest"
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of others whose keys have none any more."""
        return _batches(
            connection,
            f"SELECT o.* FROM ({before.query}) o ANTI JOIN ({self.query}) n ON {self._same_key()}",  # noqa: S608
        )

    def _same_key(self) -> str:
        return " AND ".join(f"n.k{place} = o.k{place}" for place in range(len(self.shape.key)))


def shape_of(
    key: Sequence[Column], timestamp: Column, features: Sequence[Column], ttl: int | None
) -> Shape:
    """How rows of these columns lie in the store."""
    every = [[online.Column(c.name, str(c.type)) for c in part] for part in (key, features)]
    time = online.Column(timestamp.name, str(timestamp.type))
    return Shape(tuple(every[0]), time, tuple(every[1]), ttl)


def _typed(rows: str, shape: Shape) -> str:
    """The columns by their places, each as the store's texts take it."""
    keys = [f"{_key(one)} AS k{place}" for place, one in enumerate(shape.key)]
    values = [f"{_value(one)} AS v{place}" for place, one in enumerate(shape.columns)]
    time = f"{columns.moment(_column(shape.timestamp))} AS t"
    return f"SELECT {', '.join([*keys, time, *values])} FROM ({rows})"  # noqa: S608


def _column(column: online.Column) -> Column:
    return Column(column.name, ColumnType(column.type), nullable=True)


def _key(column: online.Column) -> str:
    # One name for zero and minus zero, which are one key.
    return f"{_value(column)} + 0.0" if column.type == ColumnType.FLOAT else _value(column)


def _value(column: online.Column) -> str:
    name = identifier(column.name)
    if column.type == ColumnType.TIMESTAMP:
        return columns.value(_column(column))
    if column.type == ColumnType.DATE:
        return f"CAST({name} AS VARCHAR)"
    return name


def _whole(shape: Shape) -> str:
    names = ["t", *(f"k{place}" for place in range(len(shape.key)))]
    return " AND ".join(f"{name} IS NOT NULL" for name in names)


def _present(shape: Shape, moment: int) -> str:
    known = f"{_whole(shape)} AND t <= {moment}"
    if shape.ttl is None:
        return known
    # In 128 bits: between the ends of time there is more than a number of 64 holds.
    return f"{known} AND t::HUGEINT + {shape.ttl * _MILLISECOND} > {moment}"


def _one(connection: duckdb.DuckDBPyConnection, statement: str) -> tuple[Any, ...]:
    found = connection.execute(statement).fetchone()
    return found if found is not None else ()


def _batches(
    connection: duckdb.DuckDBPyConnection, statement: str
) -> Iterator[list[tuple[Any, ...]]]:
    # A cursor of its own: others may be open at the same time.
    found = connection.cursor().execute(statement)
    while batch := found.fetchmany(BATCH):
        yield batch
