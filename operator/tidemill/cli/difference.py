"""What is different between two versions, the most important first, and whether it breaks users.

As the runner judges a delivery against the version before it, in plain Python; a test compares the
two on the same data.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.cli import shift
from tidemill.cli.columns import ColumnProfile, Profile, Value
from tidemill.stats import effect

MAX_KINDS = 10
MAX_LABEL = 80
LOST_SHARE = 0.05
NUMBERS, MOMENTS = ("Integer", "Float"), ("Date", "Timestamp")
WIDENED = {("Integer", "Float"), ("Date", "Timestamp")}
_MISSING = 0.01
_RANGE = 0.1
_ROWS = 0.1


@dataclass(frozen=True)
class Change:
    """One difference; `importance` is from 0 to 1; what is `breaking` breaks its users."""

    kind: str
    column: str | None
    importance: float
    message: str
    breaking: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """What programs read."""
        return {
            "kind": self.kind,
            "column": self.column,
            "importance": round(self.importance, 4),
            "breaking": self.breaking,
            "message": self.message,
            **({"details": dict(self.details)} if self.details else {}),
        }


def compare(before: Profile, after: Profile) -> list[Change]:
    """All that changed from one to the next; no value of a column sensitive in either."""
    pairs = [(before.columns[n], c) for n, c in after.columns.items() if n in before.columns]
    tested = sum(_tested(*pair) for pair in pairs)
    changes = [*_rows(before.rows, after.rows), *_columns(before.columns, after.columns)]
    for pair in pairs:
        changes += _pair(*pair, tested)
    return sorted(changes, key=lambda one: (-one.importance, one.kind, one.column or ""))


def structure(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    """What changed of columns that no profile describes, by their names and types."""
    changes = []
    for name in sorted({**before, **after}):
        old, new = before.get(name), after.get(name)
        if old is None and new is not None:
            changes.append(_added(name, new))
        elif new is None and old is not None:
            changes.append(_lost(name, old))
        elif old and new and old != new:
            changes.append(_retyped(name, old, new))
    return changes


def _tested(before: ColumnProfile, after: ColumnProfile) -> bool:
    if before.sensitive or after.sensitive:
        return False
    numbers = before.spread is not None and after.spread is not None
    return numbers or (before.values is not None and after.values is not None)


def _rows(before: int, after: int) -> Iterator[Change]:
    if abs(after - before) <= _ROWS * before:
        return
    ratio = after / before if before else math.inf
    fall = min(abs(math.log2(ratio)) / 5, 1.0) if 0 < ratio < math.inf else 1.0
    # Growth is the normal thing; a loss of most rows is not.
    importance = (0.15 if ratio > 1 else 0.3) + 0.5 * fall
    yield Change("Rows", None, importance, f"{before:,} rows before, {after:,} now")


def _columns(
    old: Mapping[str, ColumnProfile], new: Mapping[str, ColumnProfile]
) -> Iterator[Change]:
    yield from (_lost(name, old[name].type) for name in old.keys() - new.keys())
    yield from (_added(name, new[name].type) for name in new.keys() - old.keys())


def _lost(name: str, kind: str) -> Change:
    return Change("ColumnLost", name, 1.0, f"the column ({kind}) is gone", breaking=True)


def _added(name: str, kind: str) -> Change:
    return Change("ColumnAdded", name, 0.5, f"the column ({kind}) is new")


def _retyped(name: str, old: str, new: str) -> Change:
    breaking = (old, new) not in WIDENED
    return Change("TypeChanged", name, 0.95, f"was {old}, is {new}", breaking=breaking)


def _pair(before: ColumnProfile, after: ColumnProfile, tested: int) -> Iterator[Change]:
    if before.type != after.type:
        yield _retyped(after.name, before.type, after.type)
    yield from _missing(before, after, tested)
    if before.sensitive or after.sensitive:
        return
    yield from _ranges(before, after)
    if _categorical(before, after):
        if before.values is not None and after.values is not None:
            yield from _categories(before, after, tested)
        elif before.values is not None:
            yield from _unbounded(before, after)
    yield from _numbers(before, after, tested)


def _missing(before: ColumnProfile, after: ColumnProfile, tested: int) -> Iterator[Change]:
    difference = abs(after.missing - before.missing)
    if difference <= max(_MISSING, effect.shares_floor(before.rows, after.rows, tested)):
        return
    message = f"{before.missing:.1%} of the values were missing, {after.missing:.1%} are"
    yield Change("Missing", after.name, min(0.3 + 0.65 * difference, 1.0), message)


def _ranges(before: ColumnProfile, after: ColumnProfile) -> Iterator[Change]:
    one, two = before.range, after.range
    if one is None or two is None or before.type not in (*NUMBERS, *MOMENTS):
        return
    beyond = _beyond(before, after)
    if beyond <= _RANGE:
        return
    # Time goes on by itself.
    importance = 0.1 if after.type in MOMENTS else min(0.2 + 0.1 * math.log10(1 + beyond), 0.6)
    ends = [_short(end) for end in (*one, *two)]
    message = f"from {ends[0]} … {ends[1]} to {ends[2]} … {ends[3]}"
    yield Change("Range", after.name, importance, message)


def _short(end: Value) -> str:
    return f"{end:.6g}" if isinstance(end, float) else str(end)


def _beyond(before: ColumnProfile, after: ColumnProfile) -> float:
    """How far the new range reaches out of the old one, in widths of the old one."""
    old, new = _ends(before), _ends(after)
    if old is None or new is None:
        return 0.0
    (low, high), (least, greatest) = old, new
    width = high - low or abs(high) or 1.0
    # Halves first: the difference of two huge numbers need not be a number.
    out = max(low / 2 - least / 2, greatest / 2 - high / 2, 0.0)
    return min(out / width * 2, effect.MOST_TIMES) if math.isfinite(width) else 0.0


def _ends(column: ColumnProfile) -> tuple[float, float] | None:
    if column.moments is not None:
        return float(column.moments[0]), float(column.moments[1])
    spread = column.spread
    if spread is None or spread.least is None or spread.greatest is None:
        return None
    return float(spread.least), float(spread.greatest)


def _categorical(before: ColumnProfile, after: ColumnProfile) -> bool:
    return before.type in ("String", "Boolean") and after.type == before.type


def _categories(before: ColumnProfile, after: ColumnProfile, tested: int) -> Iterator[Change]:
    old, new = before.values or {}, after.values or {}
    yield from _effect(after.name, shift.categories(old, new, tested))
    if lost := {kind: n / before.count for kind, n in old.items() if kind not in new}:
        share, top = sum(lost.values()), max(lost.values())
        chance = effect.chance_of_none(top, after.count)
        message = f"{_names(lost)} no longer there ({share:.1%} of the values before)"
        certain = chance < effect.ALPHA
        importance = min(0.25 + 0.65 * share, 0.9) if certain else 0.1
        breaking = certain and top >= LOST_SHARE
        details = {"shares": _top(lost), "chance": chance}
        yield Change("CategoriesLost", after.name, importance, message, breaking, details)
    if added := {kind: n / after.count for kind, n in new.items() if kind not in old}:
        share = sum(added.values())
        message = f"{_names(added)} new ({share:.1%} of the values now)"
        importance = min(0.2 + 0.65 * share, 0.9) if before.count else 0.2
        details = {"shares": _top(added)}
        yield Change("CategoriesNew", after.name, importance, message, details=details)


def _unbounded(before: ColumnProfile, after: ColumnProfile) -> Iterator[Change]:
    """Categories, which repeat, have become texts that are too many to be kept."""
    if 2 * before.distinct > before.count:
        return
    message = f"{before.distinct:,} different values before, about {after.distinct:,} now"
    yield Change("Distinct", after.name, 0.45, message)


def _numbers(before: ColumnProfile, after: ColumnProfile, tested: int) -> Iterator[Change]:
    one, two = before.spread, after.spread
    if one is None or two is None or (counts_up(before) and counts_up(after)):
        return
    yield from _effect(after.name, shift.numbers(one, two, tested))
    factor = shift.scale(one, two, tested)
    if factor is None:
        return
    medians = f"median {before.median:.4g} before, {after.median:.4g} now"
    details = {"factor": factor}
    message = f"sizes are {effect.times(factor)}: {medians}"
    yield Change("Scale", after.name, 0.9, message, True, details)


def counts_up(column: ColumnProfile) -> bool:
    """An identifier: integers, all different. It grows with the rows and means nothing by it."""
    many = column.count >= effect.MIN_ROWS
    return column.type == "Integer" and many and column.distinct >= 0.95 * column.count


def _effect(name: str, found: effect.Effect) -> Iterator[Change]:
    if not found.matters:
        return
    message = (
        f"the distribution moved by {found.distance:.2f} ({found.measure}; "
        f"chance explains {found.floor:.2f})"
    )
    details = {"measure": found.measure, "distance": found.distance, "floor": found.floor}
    yield Change("Shift", name, min(0.2 + 0.65 * found.distance, 0.9), message, details=details)


def _top(shares: Mapping[Value, float]) -> list[list[Any]]:
    ordered = sorted(shares.items(), key=lambda item: (-item[1], str(item[0])))
    return [[_label(kind), share] for kind, share in ordered[:MAX_KINDS]]


def _names(shares: Mapping[Value, float]) -> str:
    names = ", ".join(repr(label) for label, _ in _top(shares))
    more = len(shares) - MAX_KINDS
    return names + (f" and {more} more" if more > 0 else "")


def _label(kind: Value) -> Value:
    return kind[:MAX_LABEL] if isinstance(kind, str) else kind
