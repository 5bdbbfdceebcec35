"""A point-in-time join: to every row the newest features of its key that were known at its time.

A feature row is known from its timestamp on: it counts for rows of that very moment, never for an
earlier one, and no longer than its greatest age, that moment included. Rows without a key or a time
have no features. A Date is the first moment of its day in UTC. Rows keep their number and order.
"""

from dataclasses import dataclass
from datetime import timedelta

import duckdb
import numpy as np
import pyarrow as pa

from tidemill_runner.database import identifier

_ROW = identifier("row")
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Clock:
    """The columns of a table that say whose row it is, and when it was."""

    key: tuple[str, ...]
    time: str


@dataclass(frozen=True)
class Features:
    """Features: the query for their rows, their clock, how old they may be.

    `columns` are the query's, by the names that they get.
    """

    known: str
    clock: Clock
    columns: dict[str, str]
    max_age: timedelta | None = None


def join(
    connection: duckdb.DuckDBPyConnection, rows: pa.Table, clock: Clock, features: Features
) -> pa.Table:
    """The rows with the feature columns after their own."""
    numbered = pa.table(
        {"row": pa.array(np.arange(rows.num_rows, dtype=np.int64))}
        | {f"k{place}": rows.column(name) for place, name in enumerate(clock.key)}
        | {"t": rows.column(clock.time)}
    )
    connection.register("wanted", numbered)
    try:
        found = connection.sql(_statement(features)).to_arrow_table()
    finally:
        connection.unregister("wanted")
    for name, column in zip(features.columns, found.columns, strict=True):
        rows = rows.append_column(name, column)
    return rows


def _statement(features: Features) -> str:
    keys = range(len(features.clock.key))
    same = " AND ".join(f"l.k{place} = r.k{place}" for place in keys)
    left = ", ".join(f"k{place}" for place in keys)
    right = ", ".join(
        f"{identifier(name)} AS k{place}" for place, name in enumerate(features.clock.key)
    )
    values = ", ".join(
        f"{identifier(name)} AS v{place}" for place, name in enumerate(features.columns.values())
    )
    picked = ", ".join(
        _fresh(f"r.v{place}", features.max_age) for place in range(len(features.columns))
    )
    return (
        f"SELECT {picked} FROM (SELECT {_ROW}, {left}, {_moment('t')} AS t FROM wanted) l "  # noqa: S608
        f"ASOF LEFT JOIN (SELECT {right}, {_moment(identifier(features.clock.time))} AS t, "
        f"{values} FROM ({features.known})) r ON {same} AND l.t >= r.t ORDER BY l.{_ROW}"
    )


def _moment(column: str) -> str:
    """Microseconds since 1970, as versions keep them: moments of all types compare as numbers."""
    return f"CASE WHEN isfinite({column}) THEN epoch_us({column}) END"


def _fresh(value: str, max_age: timedelta | None) -> str:
    if max_age is None:
        return value
    # In 128 bits: between the ends of time there is more than a number of 64 holds.
    return f"CASE WHEN l.t::HUGEINT - r.t <= {max_age // _MICROSECOND} THEN {value} END"
