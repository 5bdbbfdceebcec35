"""Which feature tables the model joined, as `lineage.json` tells: their keys and their columns.

Only columns that the model takes count: those that the training excluded are not looked up.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.store.package import PackageReason
from tidemill_server.exits import SPEC_INVALID, Exit, Refused
from tidemill_server.package.signature import Column, ColumnType, Signature

FIELD = "spec.features"
MAX_TABLES = 64
# How the values of a type are sent; a moment is a text.
SENT_AS: dict[str, ColumnType] = {
    "Integer": "INT64",
    "Float": "FP64",
    "Boolean": "BOOL",
    "String": "BYTES",
    "Date": "BYTES",
    "Timestamp": "BYTES",
}
_LEARNT = ("Integer", "Float", "Boolean", "String")
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class KeyColumn:
    """A column of the run's own rows that says whose a row is."""

    name: str
    type: str

    @property
    def sent(self) -> Column:
        """The tensor that it is sent as; a row without a key has no features."""
        return Column(self.name, SENT_AS[self.type], nullable=True)


@dataclass(frozen=True)
class JoinedColumn:
    """An input of the model at `place`, and the column of the feature table that it is."""

    name: str
    source: str
    type: str
    place: int


@dataclass(frozen=True)
class FeatureTable:
    """A Dataset that was joined; `max_age` in microseconds, None where no feature is too old."""

    dataset: str
    key: tuple[KeyColumn, ...]
    columns: tuple[JoinedColumn, ...]
    max_age: int | None


def read_tables(folder: Path, signature: Signature) -> tuple[FeatureTable, ...]:
    """The tables of a package; raises Refused where nothing can be looked up for its model."""
    path = folder / "lineage.json"
    try:
        lineage = json.loads(path.read_bytes()) if path.exists() else {}
        tables = parse_tables(lineage, signature)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise Refused(
            PackageReason.MALFORMED_PACKAGE,
            f"lineage.json cannot be used: {type(error).__name__}: {error}",
        ) from None
    if not tables:
        raise _nothing("the model takes no feature of another Dataset: remove the field")
    return tables


def parse_tables(lineage: Mapping[str, Any], signature: Signature) -> tuple[FeatureTable, ...]:
    """Build them; raises Refused, and ValueError or its like on anything unexpected."""
    joined = list(lineage.get("join") or ())
    if len(joined) > MAX_TABLES or any(type(one) is not dict for one in joined):
        raise ValueError(f"it joins {len(joined)} tables")
    if any("lookup" not in one for one in joined):
        raise _nothing(
            "the model's package does not tell how its features are looked up, since an earlier "
            "release made it: train it again, or remove the field"
        )
    tables = [_table(one, signature) for one in joined]
    _agree(tables)
    return tuple(table for table in tables if table.columns)


def _table(one: Mapping[str, Any], signature: Signature) -> FeatureTable:
    lookup = one["lookup"]
    key = tuple(KeyColumn(_text(part["own"]), _text(part["type"])) for part in lookup["key"])
    for part in key:
        if part.type not in SENT_AS:
            raise ValueError(f"the key column {part.name!r} is {part.type!r}")
        place = signature.positions.get(part.name)
        if place is not None and signature.inputs[place].datatype != part.sent.datatype:
            raise ValueError(f"the key column {part.name!r} is an input of another type")
    if not key:
        raise ValueError("a table has no key")
    found = (_column(column, signature) for column in lookup["columns"])
    columns = tuple(column for column in found if column is not None)
    age = one.get("maxAge")
    max_age = None if age is None else parse_duration(_text(age)) // _MICROSECOND
    return FeatureTable(_text(one["name"]), key, columns, max_age)


def _column(column: Mapping[str, Any], signature: Signature) -> JoinedColumn | None:
    name, kind = _text(column["name"]), _text(column["type"])
    place = signature.positions.get(name)
    if place is None:
        return None  # excluded from the features
    taken = signature.inputs[place]
    if kind not in _LEARNT or taken.datatype != SENT_AS[kind] or not taken.nullable:
        raise ValueError(f"the joined column {name!r} is {kind}, the signature says otherwise")
    return JoinedColumn(name, _text(column["source"]), kind, place)


def _agree(tables: list[FeatureTable]) -> None:
    """One column is joined once, and a key is of one type, and no joined column."""
    joined = [column.name for table in tables for column in table.columns]
    kinds = {(part.name, part.type) for table in tables for part in table.key}
    names = {name for name, _ in kinds}
    if len(set(joined)) < len(joined) or len(names) < len(kinds) or names & set(joined):
        raise ValueError("two of its columns have one name")


def _text(value: object) -> str:
    if type(value) is not str or not value:
        raise ValueError("it has a name that is no text")
    return value


def _nothing(why: str) -> Refused:
    return Refused(SPEC_INVALID, f"{FIELD}: {why}", Exit.USER_ERROR)
