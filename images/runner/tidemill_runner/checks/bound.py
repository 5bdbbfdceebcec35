"""Values of a spec as literals in SQL, by the type of the column that they are compared with.

Integers stay exact whatever their size: a fraction is rounded to the next integer inside. A Float's
bound is the double nearest to it, for so are the values read.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation

from tidemill_runner.database import quoted
from tidemill_runner.schema import ColumnType

Value = int | float | str | bool | date
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST, _GREATEST = -(2**63), 2**63 - 1
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


def least(text: str, kind: ColumnType) -> Value:
    """The least value of the type that is not below `text`; raises ValueError."""
    return _integer(text, ROUND_CEILING) if kind is ColumnType.INTEGER else exactly(text, kind)


def greatest(text: str, kind: ColumnType) -> Value:
    """The greatest value of the type that is not above `text`; raises ValueError."""
    return _integer(text, ROUND_FLOOR) if kind is ColumnType.INTEGER else exactly(text, kind)


def exactly(text: str, kind: ColumnType) -> Value:
    """The value of the type that `text` says; raises ValueError."""
    return _READERS[kind](text)


def literal(value: Value) -> str:
    """The value in SQL, as `checks.column.value` compares it."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            # In parentheses, as two minus signs would begin a comment.
            return f"({value})"
        case float():
            return f"'{value!r}'::DOUBLE"
        case date():
            return f"DATE '{value.isoformat()}'"
        case _:
            return quoted(value)


def _decimal(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError("it is no number")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("it is no number") from None


def _integer(text: str, rounding: str) -> int:
    number = _decimal(text)
    # A longer one would be computed digit by digit for nothing.
    if number.adjusted() > 20:
        raise ValueError("it is beyond 64 bits, which no Integer is")
    whole = int(number.to_integral_value(rounding))
    if not _LEAST <= whole <= _GREATEST:
        raise ValueError("it is beyond 64 bits, which no Integer is")
    return whole


def _whole(text: str) -> int:
    whole = _integer(text, ROUND_FLOOR)
    if whole != _decimal(text):
        raise ValueError("it is a fraction, which no Integer is")
    return whole


def _float(text: str) -> float:
    number = float(_decimal(text))
    if math.isinf(number):
        raise ValueError("it is greater than any Float")
    return number


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("it is neither true nor false")
    return text.lower() == "true"


def _date(text: str) -> date:
    if not _DATE.fullmatch(text):
        raise ValueError("it is no date such as 2026-01-31")
    return date.fromisoformat(text)


def _timestamp(text: str) -> int:
    if not _TIME.fullmatch(text):
        raise ValueError("it is no time such as 2026-01-31T12:00:00Z")
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


_READERS: dict[ColumnType, Callable[[str], Value]] = {
    ColumnType.INTEGER: _whole,
    ColumnType.FLOAT: _float,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.STRING: str,
    ColumnType.DATE: _date,
    ColumnType.TIMESTAMP: _timestamp,
}
