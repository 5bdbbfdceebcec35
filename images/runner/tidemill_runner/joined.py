"""The rows of a run with the features of other Datasets that were known at their times.

What can be judged by the schemas is judged first. The tables are staged as files, of which only the
columns needed are kept, and joined by a database that spills to disk where memory ends.
"""

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import duckdb
import pyarrow as pa

from tidemill.api.v1alpha1.durations import parse_duration
from tidemill_runner import feature_join, names, threads
from tidemill_runner.checks.column import MOMENTS
from tidemill_runner.database import LEAST_BYTES, Limits, connect, memory_for_database
from tidemill_runner.dataset import Rows
from tidemill_runner.failures import Failure, no_room
from tidemill_runner.feature_join import Clock, Features
from tidemill_runner.referenced import Referenced
from tidemill_runner.schema import Column, ColumnType, Schema
from tidemill_runner.staging import staged
from tidemill_runner.train_input import FeatureTable, Join

log = logging.getLogger(__name__)
FIELD = "spec.join"


@dataclass(frozen=True)
class Chosen:
    """A feature table as it is joined: its columns by the names that they get, its key's types.

    `time` is the column of the run's own rows that says when.
    """

    table: FeatureTable
    columns: dict[str, Column]
    max_age: timedelta | None
    key_types: tuple[ColumnType, ...]
    time: str

    def lineage(self) -> dict[str, Any]:
        """What a package tells of it; by `lookup` a server asks for the same features by key."""
        table = self.table
        return {
            "name": table.dataset.name,
            "version": table.dataset.version,
            "columns": list(self.columns),
            "key": list(table.key),
            "timestamp": table.timestamp,
            "maxAge": table.max_age,
            "lookup": {
                "key": [
                    {"name": name, "own": own, "type": str(kind)}
                    for name, own, kind in zip(
                        table.key, table.own_key, self.key_types, strict=True
                    )
                ],
                "columns": [
                    {"name": name, "source": column.name, "type": str(column.type)}
                    for name, column in self.columns.items()
                ],
                "time": self.time,
            },
        }


@dataclass(frozen=True)
class Joined:
    """What is joined to the rows of a version; `schema` has the joined columns last."""

    join: Join
    own: Schema
    chosen: tuple[Chosen, ...]
    others: Referenced

    @classmethod
    def of(cls, join: Join, own: Schema, others: Referenced) -> "Joined":
        """Judge what is asked by the schemas; raises Failure."""
        _time(join, own)
        chosen = tuple(_chosen(place, join, own, others) for place in range(len(join.tables)))
        _check_names(own, chosen)
        return cls(join, own, chosen, others)

    @property
    def schema(self) -> Schema:
        """The columns of the rows, then those joined: a row may have no value of these."""
        added = (
            Column(name, column.type, nullable=True)
            for one in self.chosen
            for name, column in one.columns.items()
        )
        return replace(self.own, columns=(*self.own.columns, *added))

    def to_read(self, needed: Collection[str]) -> list[str]:
        """The columns of the version that must be read for those needed of the joined rows."""
        keys = (name for table in self.join.tables for name in table.own_key)
        wanted = (*needed, *keys, self.join.timestamp)
        return [name for name in dict.fromkeys(wanted) if self.own.column(name) is not None]

    def extend(self, rows: Rows, needed: Collection[str]) -> Rows:
        """The same rows in the same order with those of the joined columns that are needed."""
        memory = max(memory_for_database() - rows.table.nbytes, LEAST_BYTES)
        limits = Limits(memory, threads.cpu_limit())
        folder = self.others.folder
        folder.mkdir(parents=True, exist_ok=True)
        table = rows.table
        with connect([folder], folder / "spill", limits) as connection:
            for place, one in enumerate(self.chosen):
                table = self._add(connection, table, one, (place, needed))
        return replace(rows, table=table)

    def _add(
        self,
        connection: duckdb.DuckDBPyConnection,
        rows: pa.Table,
        one: Chosen,
        wanted: tuple[int, Collection[str]],
    ) -> pa.Table:
        place, needed = wanted
        table = one.table
        columns = {name: column.name for name, column in one.columns.items() if name in needed}
        if not columns:
            return rows
        read = dict.fromkeys((*table.key, table.timestamp, *columns.values()))
        files = self.others.rows(table.dataset, list(read))
        known = Features(
            staged(files, places=False), Clock(table.key, table.timestamp), columns, one.max_age
        )
        try:
            found = feature_join.join(
                connection, rows, Clock(table.own_key, self.join.timestamp), known
            )
        except duckdb.Error as error:
            raise _failure(error, f"{FIELD}.tables[{place}]") from None
        log.info("%d columns of Dataset %s joined", len(columns), table.dataset.name)
        return found


def _chosen(place: int, join: Join, own: Schema, others: Referenced) -> Chosen:
    table, field = join.tables[place], f"{FIELD}.tables[{place}]"
    theirs = others.schema(table.dataset)
    for mine, other in zip(table.own_key, table.key, strict=True):
        _check_key(_own(mine, own, f"{field}.key"), _theirs(other, theirs, table, field), field)
    key = {*table.key, table.timestamp}
    listed = table.columns or tuple(name for name in theirs.names() if name not in key)
    if not listed:
        raise _invalid(field, f"Dataset {table.dataset.name} has no column but key and timestamp")
    columns = {
        f"{table.prefix}{name}": _theirs(name, theirs, table, f"{field}.columns") for name in listed
    }
    try:
        max_age = parse_duration(table.max_age) if table.max_age else None
    except (ValueError, OverflowError) as error:
        raise _invalid(f"{field}.maxAge", str(error)) from None
    key_types = tuple(_theirs(name, theirs, table, f"{field}.key").type for name in table.key)
    return Chosen(table, columns, max_age, key_types, join.timestamp)


def _time(join: Join, own: Schema) -> None:
    field = f"{FIELD}.timestamp"
    column = _own(join.timestamp, own, field)
    if column.type not in MOMENTS:
        kinds = " or ".join(MOMENTS)
        raise _invalid(field, f"column {column.name!r} is {column.type}, it must be {kinds}")


def _check_key(mine: Column, theirs: Column, field: str) -> None:
    if mine.type is ColumnType.OTHER or mine.type is not theirs.type:
        raise _invalid(
            f"{field}.key",
            f"column {mine.name!r} is {mine.type}, {theirs.name!r} of the feature table is "
            f"{theirs.type}: they must be of one type, which spec.schema of a Dataset can declare",
        )


def _check_names(own: Schema, chosen: tuple[Chosen, ...]) -> None:
    """Refuse two columns of one name."""
    taken = dict.fromkeys(own.names(), "the run's own rows")
    for field, one, name in _named(chosen):
        mine = f"Dataset {one.table.dataset.name}"
        if name in taken:
            raise _invalid(
                field,
                f"column {name!r} would be there twice, from {taken[name]} and from {mine}: "
                "set prefix, or name the columns that are joined",
            )
        taken[name] = f"{mine} ({field})"


def _named(chosen: tuple[Chosen, ...]) -> Iterator[tuple[str, Chosen, str]]:
    for place, one in enumerate(chosen):
        for name in one.columns:
            yield f"{FIELD}.tables[{place}]", one, name


def _own(name: str, own: Schema, field: str) -> Column:
    column = own.column(name)
    if column is None:
        near = names.suggestion(name, own.names())
        raise _invalid(field, f"the data set has no column {name!r}{near}")
    return column


def _theirs(name: str, theirs: Schema, table: FeatureTable, field: str) -> Column:
    column = theirs.column(name)
    if column is None:
        near = names.suggestion(name, theirs.names())
        raise _invalid(field, f"Dataset {table.dataset.name} has no column {name!r}{near}")
    return column


def _failure(error: duckdb.Error, field: str) -> Failure:
    if full := no_room(error):
        return full
    if isinstance(error, duckdb.OutOfMemoryException):
        return Failure(
            "FitFailed",
            f"{field}: memory and scratch space are not enough: raise "
            "spec.template.resources.limits.memory, or join fewer columns",
        )
    # What it says may quote a value of the data.
    return Failure("InternalError", f"{field}: the join failed with {type(error).__name__}")


def _invalid(field: str, detail: str) -> Failure:
    return Failure("SpecInvalid", f"{field}: {detail}")
