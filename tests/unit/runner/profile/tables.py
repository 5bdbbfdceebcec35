"""Rows for profiles: a table in memory seen as the view `rows`, whole or some of its objects."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from tidemill_runner import inference
from tidemill_runner.profile.document import Profile
from tidemill_runner.profile.measure import Grouping, measure
from tidemill_runner.schema import Column, ColumnType, Schema

ARROW = {**inference.ARROW, ColumnType.OTHER: pa.list_(pa.int64())}


def schema(kinds: Mapping[str, ColumnType]) -> Schema:
    return Schema(tuple(Column(name, kind, nullable=True) for name, kind in kinds.items()))


def table(
    kinds: Mapping[str, ColumnType], columns: Mapping[str, Sequence[Any]], objects: Sequence[str]
) -> pa.Table:
    """`objects` says in which object each row is; rows are numbered within it."""
    seen: dict[str, int] = {}
    numbers = []
    for key in objects:
        seen[key] = seen.get(key, 0) + 1
        numbers.append(seen[key])
    arrays = {name: pa.array(columns[name], ARROW[kind]) for name, kind in kinds.items()}
    places = {
        "__object": pa.array(objects, pa.string()),
        "__row": pa.array(numbers, pa.int64()),
    }
    return pa.table({**arrays, **places})


def profile(
    rows: pa.Table,
    kinds: Mapping[str, ColumnType],
    sensitive: Sequence[str] = (),
    grouping: Grouping | None = None,
) -> Profile:
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        connection.register("rows", rows)
        return measure(connection, schema(kinds), frozenset(sensitive), grouping)


def profile_of(**columns: tuple[ColumnType, Sequence[Any]]) -> Profile:
    """The profile of a few columns, all rows in one object."""
    kinds = {name: kind for name, (kind, _) in columns.items()}
    values = {name: cells for name, (_, cells) in columns.items()}
    rows = len(next(iter(values.values())))
    return profile(table(kinds, values, ["part.csv"] * rows), kinds)
