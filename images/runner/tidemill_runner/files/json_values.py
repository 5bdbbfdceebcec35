"""The type of a column of JSON values (RFC 8259), found over all of its rows, and their conversion.

Numbers, booleans and texts are what JSON says they are; a text may be a date or a time (ISO 8601).
Only null and an absent key are missing: "" and "NA" are texts. A column that mixes these kinds
is text, each value as JSON writes it; one that holds an object or an array is Other.
"""

import json
from typing import Any

import pyarrow as pa

from tidemill_runner import inference
from tidemill_runner.schema import Column, ColumnType

_NOTATION = inference.Notation(nulls=(), types=(ColumnType.DATE, ColumnType.TIMESTAMP))
_KINDS: dict[type, ColumnType] = {
    bool: ColumnType.BOOLEAN,
    int: ColumnType.INTEGER,
    float: ColumnType.FLOAT,
    str: ColumnType.STRING,
    dict: ColumnType.OTHER,
    list: ColumnType.OTHER,
}
_NUMBERS = {ColumnType.INTEGER, ColumnType.FLOAT}
_LONG = 1 << 63
_DOUBLE = 1 << 1023


class Evidence:
    """What has been seen of one column."""

    def __init__(self) -> None:
        self._kinds: set[ColumnType] = set()
        self._texts = inference.Evidence(_NOTATION)
        self._missing = False

    def add(self, values: list[Any]) -> None:
        """Look at the values of a batch, with None for what is missing."""
        types = set(map(type, values))
        if type(None) in types:
            self._missing = True
            types.remove(type(None))
        self._kinds |= {_KINDS[kind] for kind in types}
        if int in types:
            self._kinds |= _beyond(max(abs(v) for v in values if isinstance(v, int)))
        if types == {str}:
            self._texts.add(pa.array([value for value in values if value is not None], pa.string()))

    def lacking(self) -> None:
        """A row without the column."""
        self._missing = True

    def column(self, name: str) -> Column:
        return Column(name, self._type(), self._missing, empty=not self._kinds)

    def _type(self) -> ColumnType:
        if ColumnType.OTHER in self._kinds:
            return ColumnType.OTHER
        if self._kinds <= _NUMBERS:
            return ColumnType.INTEGER if self._kinds == {ColumnType.INTEGER} else ColumnType.FLOAT
        if len(self._kinds) > 1:
            return ColumnType.STRING
        (kind,) = self._kinds
        return self._texts.type if kind is ColumnType.STRING else kind


def convert(values: list[Any], kind: ColumnType) -> pa.Array:
    """Values as a type that their evidence allows; raises pyarrow.ArrowException otherwise.

    Other becomes the JSON text of each value.
    """
    if kind in (ColumnType.STRING, ColumnType.OTHER):
        return pa.array([_text(value, kind) for value in values], pa.string())
    if kind in (ColumnType.DATE, ColumnType.TIMESTAMP):
        return inference.convert(pa.array(values, pa.string()), kind, _NOTATION)
    if kind is ColumnType.FLOAT:
        values = [None if value is None else float(value) for value in values]
    return pa.array(values, inference.ARROW[kind])


def _beyond(largest: int) -> set[ColumnType]:
    """What an integer is beside, where it is too large for 64 bits, or for any number."""
    if largest < _LONG:
        return set()
    return {ColumnType.FLOAT} if largest < _DOUBLE else {ColumnType.STRING}


def _text(value: object, kind: ColumnType) -> str | None:
    if value is None or (kind is ColumnType.STRING and isinstance(value, str)):
        return value
    return json.dumps(value, ensure_ascii=False)
