"""The key of each row, from the tensors of a request to the values that rows are stored under.

A type has one form: 7 and 7.0 are one key of a Float column, and two texts of one moment are one.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from tidemill.store.online import Value
from tidemill_server.features.tables import KeyColumn
from tidemill_server.protocol.errors import bad_request
from tidemill_server.protocol.rows import check_kind, check_whole
from tidemill_server.protocol.tensors import Tensor

# Finer than a microsecond is none that was stored, and would be cut off without a word.
_TOO_FINE = re.compile(r"[.,]\d{7}")
_EXAMPLES = {
    kind: f" as ISO 8601 writes them, such as {example!r}"
    for kind, example in (("Date", "2026-11-27"), ("Timestamp", "2026-11-27T18:30:00Z"))
}


def key_values(tensor: Tensor, column: KeyColumn) -> list[Value]:
    """The values in the form in which they are stored; raises ProtocolError."""
    sent = column.sent
    check_kind(tensor, sent)
    if tensor.datatype != sent.datatype:
        check_whole(tensor, sent)
    form = _FORMS.get(column.type)
    if form is None:
        return tensor.listed()
    found: list[Value] = []
    try:
        for value in tensor.listed():
            found.append(None if value is None else form(value))  # noqa: PERF401 - counts the rows
    except (ValueError, OverflowError):
        raise bad_request(
            f"row {len(found) + 1}: the key column {column.name!r} holds {column.type}s"
            f"{_EXAMPLES.get(column.type, '')}"
        ) from None
    return found


def _date(text: str) -> date:
    return date.fromisoformat(text)


def _timestamp(text: str) -> datetime:
    if _TOO_FINE.search(text):
        raise ValueError
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _float(value: float) -> float:
    return float(value) + 0.0  # of the two zeros the one without a sign


_FORMS: dict[str, Callable[[Any], Value]] = {
    "Integer": int,
    "Float": _float,
    "Boolean": bool,
    "Date": _date,
    "Timestamp": _timestamp,
}
