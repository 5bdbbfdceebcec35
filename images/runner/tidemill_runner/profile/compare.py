"""What is different between two profiles, the most important first."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from tidemill.stats.effect import (
    ALPHA,
    MIN_ROWS,
    MOST_TIMES,
    Effect,
    chance_of_none,
    shares_floor,
    times,
)
from tidemill_runner.profile import shift
from tidemill_runner.profile.column import MOMENTS, NUMBERS, ColumnProfile, Value
from tidemill_runner.profile.document import Profile
from tidemill_runner.schema import ColumnType

MAX_KINDS = 10
MAX_LABEL = 80
# Smaller changes of a share of missing values are not worth a line.
_MISSING = 0.01
# By how much of its old width a range must grow to be worth a line.
_RANGE = 0.1
_ROWS = 0.1


class Kind(StrEnum):
    ROWS = "Rows"
    COLUMN_ADDED = "ColumnAdded"
    COLUMN_LOST = "ColumnLost"
    TYPE_CHANGED = "TypeChanged"
    MISSING = "Missing"
    RANGE = "Range"
    CATEGORIES_NEW = "CategoriesNew"
    CATEGORIES_LOST = "CategoriesLost"
    DISTINCT = "Distinct"
    SHIFT = "Shift"
    SCALE = "Scale"


@dataclass(frozen=True)
class Change:
    """One difference; `importance` is from 0 to 1, `before` and `after` are JSON values."""

    kind: Kind
    column: str | None
    importance: float
    message: str
    before: Any = None
    after: Any = None
    # Distance and floor for a Shift, factor for a Scale, shares by category.
    details: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "kind": str(self.kind)}


@dataclass(frozen=True)
class Comparison:
    """Changes by falling importance; `tested` columns had their distributions compared."""

    rows_before: int
    rows_after: int
    tested: int
    changes: tuple[Change, ...]

    def of(self, *kinds: Kind) -> list[Change]:
        return [change for change in self.changes if change.kind in kinds]

    def to_dict(self) -> dict[str, Any]:
        return {
            "rowsBefore": self.rows_before,
            "rowsAfter": self.rows_after,
            "tested": self.tested,
            "changes": [change.to_dict() for change in self.changes],
        }


def compare(before: Profile, after: Profile) -> Comparison:
    """All that changed from one profile to the next; no value of a column sensitive in either."""
    old = {column.name: column for column in before.columns}
    new = {column.name: column for column in after.columns}
    pairs = [(old[name], column) for name, column in new.items() if name in old]
    tested = sum(_tested(*pair) for pair in pairs)
    changes = list(_rows(before.rows, after.rows))
    changes += _columns(old, new)
    for pair in pairs:
        changes += _pair(*pair, tested)
    changes.sort(key=lambda change: (-change.importance, change.kind, change.column or ""))
    return Comparison(before.rows, after.rows, tested, tuple(changes))


def _tested(before: ColumnProfile, after: ColumnProfile) -> bool:
    """Whether the distributions of a column can be compared."""
    if before.sensitive or after.sensitive:
        return False
    numbers = before.spread is not None and after.spread is not None
    return numbers or (before.values is not None and after.values is not None)


def _rows(before: int, after: int) -> Iterator[Change]:
    if abs(after - before) <= _ROWS * before:
        return
    ratio = after / before if before else math.inf
    fall = min(abs(math.log2(ratio)) / 5, 1.0) if 0 < ratio < math.inf else 1.0
    yield Change(
        Kind.ROWS,
        None,
        # Growth is the normal thing; a loss of most rows is not.
        (0.15 if ratio > 1 else 0.3) + 0.5 * fall,
        f"{before:,} rows before, {after:,} now",
        before,
        after,
    )


def _columns(old: dict[str, ColumnProfile], new: dict[str, ColumnProfile]) -> Iterator[Change]:
    for name in old.keys() - new.keys():
        kind = str(old[name].type)
        yield Change(Kind.COLUMN_LOST, name, 1.0, f"the column ({kind}) is gone", kind, None)
    for name in new.keys() - old.keys():
        kind = str(new[name].type)
        yield Change(Kind.COLUMN_ADDED, name, 0.5, f"the column ({kind}) is new", None, kind)


def _pair(before: ColumnProfile, after: ColumnProfile, tested: int) -> Iterator[Change]:
    if before.type is not after.type:
        kinds = str(before.type), str(after.type)
        message = f"was {kinds[0]}, is {kinds[1]}"
        yield Change(Kind.TYPE_CHANGED, after.name, 0.95, message, *kinds)
    yield from _missing(before, after, tested)
    if before.sensitive or after.sensitive:
        return
    yield from _ranges(before, after)
    if before.values is not None and after.values is not None and _categorical(before, after):
        yield from _categories(before, after, tested)
    elif before.values is not None and after.values is None:
        yield from _unbounded(before, after)
    if before.spread is not None and after.spread is not None:
        yield from _numbers(before, after, tested)


def _missing(before: ColumnProfile, after: ColumnProfile, tested: int) -> Iterator[Change]:
    difference = abs(after.missing - before.missing)
    floor = shares_floor(before.rows, after.rows, tested)
    if difference <= max(_MISSING, floor):
        return
    yield Change(
        Kind.MISSING,
        after.name,
        min(0.3 + 0.65 * difference, 1.0),
        f"{before.missing:.1%} of the values were missing, {after.missing:.1%} are",
        before.missing,
        after.missing,
    )


def _ranges(before: ColumnProfile, after: ColumnProfile) -> Iterator[Change]:
    one, two = before.range, after.range
    if one is None or two is None or before.type not in (*NUMBERS, *MOMENTS):
        return
    beyond = _beyond(before, after)
    if beyond <= _RANGE:
        return
    yield Change(
        Kind.RANGE,
        after.name,
        # Time goes on by itself.
        0.1 if after.type in MOMENTS else min(0.2 + 0.1 * math.log10(1 + beyond), 0.6),
        f"from {_short(one[0])} … {_short(one[1])} to {_short(two[0])} … {_short(two[1])}",
        list(one),
        list(two),
    )


def _short(end: Value) -> str:
    return f"{end:.6g}" if isinstance(end, float) else str(end)


def _beyond(before: ColumnProfile, after: ColumnProfile) -> float:
    """How far the new range reaches out of the old one, in widths of the old one."""
    ends = [
        (part.least, part.greatest)
        for column in (before, after)
        for part in (column.calendar or column.spread,)
        if part is not None
    ]
    if len(ends) < 2 or None in (*ends[0], *ends[1]):
        return 0.0
    (low, high), (least, greatest) = ((float(a or 0), float(b or 0)) for a, b in ends)
    width = high - low or abs(high) or 1.0
    # Halves first: the difference of two huge numbers need not be a number.
    out = max(low / 2 - least / 2, greatest / 2 - high / 2, 0.0)
    return min(out / width * 2, MOST_TIMES) if math.isfinite(width) else 0.0


def _categorical(before: ColumnProfile, after: ColumnProfile) -> bool:
    kinds = (ColumnType.STRING, ColumnType.BOOLEAN)
    return before.type in kinds and after.type is before.type


def _categories(before: ColumnProfile, after: ColumnProfile, tested: int) -> Iterator[Change]:
    old, new = dict(before.values or ()), dict(after.values or ())
    yield from _effect(after.name, shift.categories(old, new, tested))
    if lost := {kind: n / before.count for kind, n in old.items() if kind not in new}:
        share = sum(lost.values())
        chance = chance_of_none(max(lost.values()), after.count)
        details = {"shares": _top(lost), "chance": chance}
        message = f"{_names(lost)} no longer there ({share:.1%} of the values before)"
        importance = min(0.25 + 0.65 * share, 0.9) if chance < ALPHA else 0.1
        yield Change(Kind.CATEGORIES_LOST, after.name, importance, message, details=details)
    if added := {kind: n / after.count for kind, n in new.items() if kind not in old}:
        share = sum(added.values())
        message = f"{_names(added)} new ({share:.1%} of the values now)"
        importance = min(0.2 + 0.65 * share, 0.9) if before.count else 0.2
        shares = {"shares": _top(added)}
        yield Change(Kind.CATEGORIES_NEW, after.name, importance, message, details=shares)


def _unbounded(before: ColumnProfile, after: ColumnProfile) -> Iterator[Change]:
    """Categories, which repeat, have become texts that are too many to be kept."""
    if not _categorical(before, after) or 2 * before.distinct > before.count:
        return
    ends = before.distinct, after.distinct
    message = f"{ends[0]:,} different values before, about {ends[1]:,} now"
    yield Change(Kind.DISTINCT, after.name, 0.45, message, *ends)


def _numbers(before: ColumnProfile, after: ColumnProfile, tested: int) -> Iterator[Change]:
    one, two = before.spread, after.spread
    if one is None or two is None or (_counts_up(before) and _counts_up(after)):
        return
    yield from _effect(after.name, shift.numbers(one, two, tested))
    factor = shift.scale(one, two, tested)
    if factor is not None:
        medians = before.quantiles([0.5])[0], after.quantiles([0.5])[0]
        told = f"median {medians[0]:.4g} before, {medians[1]:.4g} now"
        message = f"sizes are {times(factor)}: {told}"
        details = {"factor": factor}
        yield Change(Kind.SCALE, after.name, 0.9, message, *medians, details=details)


def _counts_up(column: ColumnProfile) -> bool:
    """An identifier: integers, all different. It grows with the rows and means nothing by it."""
    many = column.count >= MIN_ROWS
    return column.type is ColumnType.INTEGER and many and column.distinct >= 0.95 * column.count


def _effect(name: str, effect: Effect) -> Iterator[Change]:
    if not effect.matters:
        return
    yield Change(
        Kind.SHIFT,
        name,
        min(0.2 + 0.65 * effect.distance, 0.9),
        f"the distribution moved by {effect.distance:.2f} ({effect.measure}; "
        f"chance explains {effect.floor:.2f})",
        details=asdict(effect),
    )


def _top(shares: dict[Value, float]) -> list[list[Any]]:
    ordered = sorted(shares.items(), key=lambda item: (-item[1], str(item[0])))
    return [[_label(kind), share] for kind, share in ordered[:MAX_KINDS]]


def _names(shares: dict[Value, float]) -> str:
    names = ", ".join(repr(label) for label, _ in _top(shares))
    more = len(shares) - MAX_KINDS
    return names + (f" and {more} more" if more > 0 else "")


def _label(kind: Value) -> Value:
    return kind[:MAX_LABEL] if isinstance(kind, str) else kind
