"""How a feature table lies in an online store (Redis, Valkey): one name, one text per entity key.

Whoever writes it and whoever looks a row up agree by this module alone. A row is a JSON text with
the moment from which it is known, in microseconds since 1970, and its values by their columns; what
JSON has no number for, infinity and NaN, is a text, which the column's type tells from a word.
`meta` tells which version the rows are of. All names of a table share a hash tag.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

FORMAT = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Value = str | int | float | bool | date | datetime | None
Stored = str | int | float | bool | None


@dataclass(frozen=True)
class Row:
    """The newest row of a key: from when on it is known, and its features."""

    known: int
    values: Mapping[str, Stored]


@dataclass(frozen=True)
class Table:
    """Where the rows of a Dataset are."""

    namespace: str
    dataset: str

    @property
    def prefix(self) -> str:
        """What all its names begin with."""
        return f"tidemill:{FORMAT}:{{{self.namespace}/{self.dataset}}}:"

    @property
    def meta(self) -> str:
        """The name of what is known of all rows."""
        return f"{self.prefix}meta"

    @property
    def rows(self) -> str:
        """What the names of rows begin with."""
        return f"{self.prefix}row:"

    def row(self, key: Sequence[Value]) -> str:
        """The name of the row of a key: its values in the order of the entity's key."""
        return self.rows + _text([stored(value) for value in key])


def stored(value: Value) -> Stored:
    """A value as JSON has it: moments in microseconds since 1970, dates as ISO 8601 writes them."""
    if isinstance(value, datetime):
        return microseconds(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970; a moment without a time zone is in UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


def encode(known: int, values: Mapping[str, Value]) -> str:
    """The text of a row; equal rows have equal texts."""
    return _text({"t": known, "v": {name: stored(value) for name, value in values.items()}})


def decode(text: str | bytes) -> Row:
    """Read a row back; raises ValueError where it is none."""
    try:
        document = json.loads(text)
        known, values = document["t"], document["v"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a row of a feature table: {type(error).__name__}") from None
    if type(known) is not int or type(values) is not dict:
        raise ValueError("not a row of a feature table: it lacks its time or its values")
    return Row(known, values)


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
