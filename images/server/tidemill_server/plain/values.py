"""One value of a row: whether its column can hold it, and the words where it cannot."""

import math
import re
from typing import Any

from tidemill_server.plain.columns import Field
from tidemill_server.protocol.errors import ProtocolError, bad_request

_LEAST, _MOST = -(2**63), 2**63 - 1
_SHOWN_CHARS = 60
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,4})?")
_TRUTHS = {"true": True, "True": True, "TRUE": True, "1": True} | {
    "false": False,
    "False": False,
    "FALSE": False,
    "0": False,
}
_KINDS: dict[str, frozenset[type]] = {
    "FP64": frozenset({float, int}),
    "INT64": frozenset({int}),
    "BOOL": frozenset({bool}),
    "BYTES": frozenset({str}),
}
_WANTED = {
    "FP64": "a number",
    "INT64": f"a whole number from {_LEAST} to {_MOST}",
    "BOOL": "true or false",
    "BYTES": "a text",
}


def from_json(values: list[Any], field: Field) -> list[Any]:
    """A column's values as the model's datatype has them; raises ProtocolError."""
    if set(map(type, values)) <= _KINDS[field.datatype] and field.datatype != "INT64":
        return values  # nothing to be converted, nothing missing
    return [_json_value(value, field, row) for row, value in enumerate(values, 1)]


def _json_value(value: object, field: Field, row: int) -> object:
    if value is None:
        _check_nullable(field, row)
        return None
    kind, datatype = type(value), field.datatype
    if datatype == "INT64":
        # Some languages write every number with a point.
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        if isinstance(whole, int) and kind is not bool and _LEAST <= whole <= _MOST:
            return whole
    elif kind in _KINDS[datatype]:
        return value
    elif datatype == "BOOL" and kind in (int, float) and value in (0, 1):
        return bool(value)
    raise wrong(value, field, row)


def from_text(cells: list[str], field: Field) -> list[Any]:
    """A column of a CSV; an empty cell is a missing value. Raises ProtocolError."""
    return [_text_value(cell, field, row) for row, cell in enumerate(cells, 1)]


def _text_value(cell: str, field: Field, row: int) -> object:
    if not cell:
        _check_nullable(field, row)
        return None
    datatype = field.datatype
    if datatype == "BYTES":
        return cell
    text = cell.strip()
    if datatype == "BOOL" and text in _TRUTHS:
        return _TRUTHS[text]
    if datatype == "INT64" and _INTEGER.fullmatch(text) and _LEAST <= int(text) <= _MOST:
        return int(text)
    if datatype == "FP64" and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    raise wrong(cell, field, row)


def _check_nullable(field: Field, row: int) -> None:
    if not field.nullable:
        raise bad_request(
            f"row {row}, column {field.name!r}: the value is missing, the model needs "
            f"{_WANTED[field.datatype]} there"
        )


def wrong(value: object, field: Field, row: int) -> ProtocolError:
    """Name row, column and value."""
    return bad_request(
        f"row {row}, column {field.name!r}: {_shown(value)} is not {_WANTED[field.datatype]}"
    )


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    if len(text) > _SHOWN_CHARS:
        text = text[:_SHOWN_CHARS] + "…"
    return f"the text {text}" if isinstance(value, str) else text
