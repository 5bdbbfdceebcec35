"""The schema of a data set: its columns in order, each with a plain type, as found over all rows.

The schema is a document in content-addressed storage, named by the manifest's header, so training
reads the values with exactly the types that ingest has proved.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from tidemill.store import digests
from tidemill_runner.failures import Failure
from tidemill_runner.files import dialect as dialects
from tidemill_runner.files.dialect import PLAIN, Dialect

VERSION = 1
MAX_BYTES = 64 * 1024 * 1024


class ColumnType(StrEnum):
    INTEGER = "Integer"
    FLOAT = "Float"
    BOOLEAN = "Boolean"
    STRING = "String"
    DATE = "Date"
    TIMESTAMP = "Timestamp"
    OTHER = "Other"


# A column without any value fits every type; it is a Float full of gaps where nobody knows better.
WIDER = {
    frozenset({ColumnType.INTEGER, ColumnType.FLOAT}): ColumnType.FLOAT,
    frozenset({ColumnType.DATE, ColumnType.TIMESTAMP}): ColumnType.TIMESTAMP,
}


@dataclass(frozen=True)
class Column:
    name: str
    type: ColumnType
    nullable: bool
    # No value at all in what was read: the type is not known yet.
    empty: bool = False


@dataclass(frozen=True)
class Schema:
    """The columns, and what else is needed to read the files in the same way again."""

    columns: tuple[Column, ...]
    csv: Dialect = PLAIN
    # Columns that stand in the folders' names, not in the files; the last ones.
    partitions: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """The document that is stored; what is usual is left out of it."""
        document: dict[str, Any] = {"columns": self.summary(), "v": VERSION}
        if self.csv != PLAIN:
            document["csv"] = dialects.stored(self.csv)
        if self.partitions:
            document["partitions"] = list(self.partitions)
        return digests.canonical_json(document)

    def summary(self) -> list[dict[str, Any]]:
        """The columns as result and status show them."""
        columns = (asdict(column) for column in self.columns)
        return [{k: c[k] for k in ("name", "type", "nullable")} for c in columns]

    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


def parse(data: bytes) -> Schema:
    """Read a stored schema; raises ValueError."""
    try:
        document = json.loads(data)
        return Schema(
            tuple(
                Column(c["name"], ColumnType(c["type"]), bool(c["nullable"]))
                for c in document["columns"]
            ),
            dialects.restored(document.get("csv", {})),
            tuple(document.get("partitions", ())),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a schema: {error}") from None


@dataclass(frozen=True)
class Found:
    """The schema of one file."""

    key: str
    schema: Schema
    # A column may be absent where no row of the file has a value of it.
    sparse: bool = False


class Merger:
    """The schema of all files: same columns everywhere, numbers and times widened, else refused.

    In a sparse format a column that a file lacks is missing in its rows; one must be in common.
    """

    def __init__(self) -> None:
        self._first: Found | None = None
        self._columns: dict[str, Column] = {}
        # Which file gave a column its type, for the message.
        self._origin: dict[str, str] = {}

    def add(self, found: Found) -> None:
        if self._first is None:
            self._first = found
            self._columns = {column.name: column for column in found.schema.columns}
            self._origin = dict.fromkeys(self._columns, found.key)
            return
        self._check_names(self._first, found)
        self._check_dialect(self._first, found)
        for absent in self._columns.keys() - set(found.schema.names()):
            self._columns[absent] = replace(self._columns[absent], nullable=True)
        for column in found.schema.columns:
            if column.name in self._columns:
                self._columns[column.name] = self._merge(column, found)
            else:
                self._columns[column.name] = replace(column, nullable=True)
                self._origin[column.name] = found.key

    def schema(self) -> Schema:
        """The merged one; the columns of partitions stand last."""
        if self._first is None:
            return Schema(())
        last = self._first.schema.partitions
        own = [column for name, column in self._columns.items() if name not in last]
        columns = (*own, *(self._columns[name] for name in last))
        return replace(self._first.schema, columns=columns)

    def _check_names(self, first: Found, found: Found) -> None:
        here, there = set(found.schema.names()), set(self._columns)
        if found.sparse:
            strict = {*first.schema.partitions, *found.schema.partitions}
            if here - strict and not (here - strict) & there:
                raise _differ(f"{found.key} has no column in common with the files before it")
            here, there = here & strict, there & strict
        for missing in sorted(there - here):
            raise _differ(f"column {missing!r} is in {first.key} and not in {found.key}")
        for extra in sorted(here - there):
            raise _differ(f"column {extra!r} is in {found.key} and not in {first.key}")

    def _check_dialect(self, first: Found, found: Found) -> None:
        """One version has one dialect, which its schema holds: a guess is never made twice."""
        if first.schema.csv != found.schema.csv:
            difference = dialects.difference(first.schema.csv, found.schema.csv)
            raise _differ(f"{first.key} and {found.key} are written as CSV with {difference}")

    def _merge(self, new: Column, found: Found) -> Column:
        key = found.key
        old = self._columns[new.name]
        nullable = old.nullable or new.nullable
        if new.empty:
            return Column(old.name, old.type, nullable=True, empty=old.empty)
        if old.empty:
            self._origin[new.name] = key
            return Column(new.name, new.type, nullable=True)
        if old.type is new.type:
            return Column(old.name, old.type, nullable)
        wider = WIDER.get(frozenset({old.type, new.type}))
        if wider is None and new.name in found.schema.partitions:
            # Each object has one value of it: all together they are one column of text.
            wider = ColumnType.STRING
        if wider is None:
            raise _differ(
                f"column {new.name!r} is {old.type} in {self._origin[new.name]} "
                f"and {new.type} in {key}"
            )
        if wider is new.type:
            self._origin[new.name] = key
        return Column(old.name, wider, nullable)


def check_names(key: str, names: Iterable[str]) -> None:
    """Refuse columns without a name and two of one name."""
    seen: set[str] = set()
    for position, name in enumerate(names, start=1):
        if not name.strip():
            raise Failure(
                "MalformedFile",
                f"{key}: column {position} has no name: give it one or remove it",
            )
        if name in seen:
            raise Failure(
                "DuplicateColumns", f"{key}: two columns are named {name!r}: rename one of them"
            )
        seen.add(name)


def _differ(detail: str) -> Failure:
    return Failure(
        "SchemasDiffer",
        f"{detail}: deliver files with the same columns, or narrow the source to those that have",
    )
