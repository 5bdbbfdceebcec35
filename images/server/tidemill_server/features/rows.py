"""A row of an online store as features: fresh, and of the types that the model learnt.

It counts as a training joins it: known by now, and no older than the greatest age, that age
included. What cannot be read, or is of other types than were learnt, is as missing, never an error.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tidemill.store import online
from tidemill_server.features.tables import FeatureTable, JoinedColumn

_LEAST, _MOST = -(2**63), 2**63 - 1
_NO_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

Feature = float | str | None


class Outcome(StrEnum):
    """What became of the look-up of one row's features in one table."""

    FOUND = "found"
    MISSING = "missing"
    STALE = "stale"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Found:
    """The features of a key in the order of the table's columns; none unless found."""

    outcome: Outcome
    values: Sequence[Feature] = ()


MISSING = Found(Outcome.MISSING)
INVALID = Found(Outcome.INVALID)
STALE = Found(Outcome.STALE)


def read_row(text: bytes | None, table: FeatureTable, now: int) -> Found:
    """The features in a row's text at a moment, in microseconds since 1970."""
    if text is None:
        return MISSING
    try:
        row = online.decode(text)
        values = [_value(row.values[column.source], column) for column in table.columns]
    except (ValueError, KeyError, TypeError, OverflowError):
        return INVALID
    if row.known > now:
        return MISSING
    if table.max_age is not None and now - row.known > table.max_age:
        return STALE
    return Found(Outcome.FOUND, values)


def _value(value: online.Stored, column: JoinedColumn) -> Feature:
    """As the model takes it; raises ValueError where it is not of the column's type."""
    if value is None:
        return None
    kind = type(value)
    if column.type == "String":
        if kind is str:
            str(value).encode()  # half of a character is no text
            return str(value)
    elif column.type == "Boolean":
        if kind is bool:
            return float(value)
    elif column.type == "Integer":
        if kind is int and _LEAST <= int(value) <= _MOST:
            return float(value)
    elif kind in (int, float):
        return float(value)
    elif value in _NO_NUMBERS:
        return _NO_NUMBERS[str(value)]
    raise ValueError("a value of another type")
