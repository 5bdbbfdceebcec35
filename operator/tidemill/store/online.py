"""How a feature table lies in an online store (Redis, Valkey): one name, one text per entity key.

Whoever writes it and whoever looks a row up agree by this module alone. A row is a JSON text with
the moment from which it is known, in microseconds since 1970, and its values by their columns; what
JSON has no number for, infinity and NaN, is a text, which the column's type tells from a word.
`meta` tells which version the rows are of, and how they are to be read. All names of a table share
a hash tag.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

FORMAT = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)

Value = str | int | float | bool | date | datetime | None
Stored = str | int | float | bool | None


@dataclass(frozen=True)
class Row:
    """The newest row of a key: from when on it is known, and its features."""

    known: int
    values: Mapping[str, Stored]


@dataclass(frozen=True)
class Column:
    """A column, and its type as the version's schema has it: Integer, Float, Boolean, String…"""

    name: str
    type: str


@dataclass(frozen=True)
class Shape:
    """What names and texts of rows depend on: with another one, all are written anew.

    `columns` are all but key and timestamp, in the version's order; `ttl` is for how many
    milliseconds after its own time a row is kept.
    """

    key: tuple[Column, ...]
    timestamp: Column
    columns: tuple[Column, ...]
    ttl: int | None = None


@dataclass(frozen=True)
class State:
    """The newest rows of a version, as they were known at a moment (in microseconds since 1970)."""

    version: str
    moment: int


@dataclass(frozen=True)
class Whole:
    """A state that was written to its end: how many rows, the newest one's time, when it was done.

    `next` is when a row becomes known that the version holds already, if there is one.
    """

    state: State
    rows: int
    newest: int | None
    next: int | None
    completed: int


@dataclass(frozen=True)
class Meta:
    """What is known of all rows of a table.

    Each row is that of `whole`; while `writing` is set, it may be that of the state being written,
    and without `whole` it may be any. Who has a smaller `sequence` may not write.
    """

    shape: Shape
    sequence: int
    whole: Whole | None = None
    writing: State | None = None


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


def encode_meta(meta: Meta) -> str:
    """The text of what is known of all rows; a script in the store reads `sequence` of it."""
    return _text({"v": FORMAT, **asdict(meta)})


def decode_meta(text: str | bytes) -> Meta:
    """Read it back; raises ValueError where it is none."""
    try:
        document = json.loads(text)
        if document["v"] != FORMAT:
            raise ValueError("what is known of the feature table is of another format")
        shape, whole = document["shape"], document["whole"]
        return Meta(
            Shape(
                tuple(_column(one) for one in shape["key"]),
                _column(shape["timestamp"]),
                tuple(_column(one) for one in shape["columns"]),
                _number(shape["ttl"]),
            ),
            _needed(document["sequence"]),
            _whole(whole) if whole is not None else None,
            _state(document["writing"]) if document["writing"] is not None else None,
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not what is known of a feature table: {type(error).__name__}") from None


def _whole(document: Any) -> Whole:  # noqa: ANN401 - any JSON value
    return Whole(
        _state(document["state"]),
        _needed(document["rows"]),
        _number(document["newest"]),
        _number(document["next"]),
        _needed(document["completed"]),
    )


def _state(document: Any) -> State:  # noqa: ANN401 - as above
    return State(_word(document["version"]), _needed(document["moment"]))


def _column(document: Any) -> Column:  # noqa: ANN401 - as above
    return Column(_word(document["name"]), _word(document["type"]))


def _word(value: Any) -> str:  # noqa: ANN401 - as above
    if type(value) is not str:
        raise TypeError
    return value


def _needed(value: Any) -> int:  # noqa: ANN401 - as above
    if type(value) is not int:
        raise TypeError
    return value


def _number(value: Any) -> int | None:  # noqa: ANN401 - as above
    return None if value is None else _needed(value)


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return _ENCODER.encode(value)
