"""The schema of a data set: its columns in order, each with a plain type, as found over all rows.

The schema is a document in content-addressed storage, named by the manifest's header, so training
reads the values with exactly the types that ingest has proved.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from tidemill.store import digests
from tidemill_runner.failures import Failure

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
_WIDER = {
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
    columns: tuple[Column, ...]

    def to_bytes(self) -> bytes:
        return digests.canonical_json({"columns": self.summary(), "v": VERSION})

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
            )
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a schema: {error}") from None


@dataclass(frozen=True)
class Found:
    """The schema of one file."""

    key: str
    schema: Schema


class Merger:
    """The schema of all files: same columns everywhere, numbers and times widened, else refused."""

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
        for column in found.schema.columns:
            self._columns[column.name] = self._merge(column, found.key)

    def schema(self) -> Schema:
        return Schema(tuple(self._columns.values()))

    def _check_names(self, first: Found, found: Found) -> None:
        here, there = set(found.schema.names()), set(self._columns)
        for missing in sorted(there - here):
            raise _differ(f"column {missing!r} is in {first.key} and not in {found.key}")
        for extra in sorted(here - there):
            raise _differ(f"column {extra!r} is in {found.key} and not in {first.key}")

    def _merge(self, new: Column, key: str) -> Column:
        old = self._columns[new.name]
        nullable = old.nullable or new.nullable
        if new.empty:
            return Column(old.name, old.type, nullable=True, empty=old.empty)
        if old.empty:
            self._origin[new.name] = key
            return Column(new.name, new.type, nullable=True)
        if old.type is new.type:
            return Column(old.name, old.type, nullable)
        wider = _WIDER.get(frozenset({old.type, new.type}))
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
                f"{key}: column {position} has no name in the header: give it one or remove it",
            )
        if name in seen:
            raise Failure(
                "DuplicateColumns", f"{key}: two columns are named {name!r}: rename one of them"
            )
        seen.add(name)


def _differ(detail: str) -> Failure:
    return Failure(
        "SchemasDiffer",
        f"{detail}: deliver files with the same columns, or narrow spec.source.s3.prefix",
    )
