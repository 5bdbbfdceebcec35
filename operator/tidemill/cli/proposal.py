"""A `spec.schema` for the data as it is: to be pasted, read, and made tighter or wider by hand.

Of a sensitive column only its name, its type and its gaps are told. Ranges get a margin: the next
delivery is not this one.
"""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from tidemill.cli.columns import ColumnProfile, Profile
from tidemill.cli.difference import NUMBERS, counts_up

MAX_COLUMNS = 2048
MAX_IN = 20
MAX_TEXT = 256
# A value that occurs less often may be one of many that were not met.
REPEATS = 10
MARGIN = Decimal("0.1")
MAX_DIGITS = 24
_WORD = re.compile(r"[A-Za-z][A-Za-z_]*")
_RESERVED = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def propose(columns: Sequence[Mapping[str, Any]], profile: Profile) -> dict[str, Any]:
    """Write the schema of the columns found; raises ValueError where there are too many."""
    if len(columns) > MAX_COLUMNS:
        raise ValueError(f"{len(columns)} columns: spec.schema.columns holds {MAX_COLUMNS}")
    rules = [_rules(column, profile.columns.get(str(column["name"]))) for column in columns]
    return {"schema": {"mode": "Enforce", "columns": rules}}


def to_yaml(proposal: Mapping[str, Any]) -> str:
    """Write it as people do: one line for each column.

    Whatever some reader of YAML would take for a number, a truth or a mark is quoted.
    """
    head = ["schema:", f"  mode: {proposal['schema']['mode']}", "  columns:"]
    lines = [f"    - {_flow(rules)}" for rules in proposal["schema"]["columns"]]
    return "\n".join([*head, *lines]) + "\n"


def _rules(column: Mapping[str, Any], known: ColumnProfile | None) -> dict[str, Any]:
    rules: dict[str, Any] = {"name": str(column["name"]), "type": str(column["type"])}
    if not column["nullable"]:
        rules["nullable"] = False
    if known is None:
        return rules
    if known.sensitive:
        return {**rules, "sensitive": True}
    return rules | _range(known) | _values(known)


def _values(column: ColumnProfile) -> dict[str, Any]:
    values = column.values or {}
    texts = [value for value in values if isinstance(value, str)]
    if column.type != "String" or not 0 < len(texts) <= MAX_IN:
        return {}
    if min(values.values()) < REPEATS or max(map(len, texts)) > MAX_TEXT:
        return {}
    return {"in": sorted(texts)}


def _range(column: ColumnProfile) -> dict[str, str]:
    spread = column.spread
    if column.type not in NUMBERS or spread is None or counts_up(column) or any(column.gaps[2:]):
        return {}
    if spread.least is None or spread.greatest is None:
        return {}
    if not math.isfinite(float(spread.greatest) - float(spread.least)):
        return {}
    low, high = Decimal(repr(spread.least)), Decimal(repr(spread.greatest))
    margin = (high - low or abs(high) or Decimal(1)) * MARGIN
    step = Decimal(1).scaleb(margin.adjusted())
    if column.type == "Integer":
        step = max(step, Decimal(1))
    # What was never negative is not allowed to be, and the other way round.
    least = Decimal(0) if low >= 0 > low - margin else low - margin
    greatest = Decimal(0) if low < 0 and high <= 0 < high + margin else high + margin
    return {
        "min": _text((least / step).to_integral_value(ROUND_FLOOR) * step),
        "max": _text((greatest / step).to_integral_value(ROUND_CEILING) * step),
    }


def _text(end: Decimal) -> str:
    plain = f"{end.normalize():f}" if end else "0"
    return plain if len(plain) <= MAX_DIGITS else f"{end.normalize():e}"


def _flow(value: object) -> str:
    """Write a value in one line, as JSON does, with simple words and names left bare."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    if _WORD.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    if unicodedata.category(sign) not in _UNSEEN:
        return sign
    return f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"
