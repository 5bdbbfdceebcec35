"""Whether those who use a version can use the next one as it is."""

from enum import StrEnum

from tidemill.stats.effect import ALPHA
from tidemill_runner.profile.compare import Comparison, Kind
from tidemill_runner.schema import WIDER, Column, Schema

# Share of the values from which on a category that is gone breaks what has learnt it.
LOST_SHARE = 0.05


class Verdict(StrEnum):
    SAME = "Same"
    COMPATIBLE = "Compatible"
    BREAKING = "Breaking"


def classify(
    before: Schema, after: Schema, comparison: Comparison
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict on a step from one version to the next, and all that speaks for it.

    Breaking: a column lost, a type changed otherwise than widened, sizes changed by ten or more, a
    category of 5 % or more gone (where chance would not leave it out). Compatible: columns added,
    types widened (Integer to Float, Date to Timestamp), columns that may now lack values.
    """
    breaking = [*_structure(before, after, breaking=True), *_values(comparison)]
    if breaking:
        return Verdict.BREAKING, tuple(breaking)
    compatible = _structure(before, after, breaking=False)
    return (Verdict.COMPATIBLE if compatible else Verdict.SAME), tuple(compatible)


def _structure(before: Schema, after: Schema, *, breaking: bool) -> list[str]:
    found = [_column(column, after.column(column.name)) for column in before.columns]
    known = set(before.names())
    found += [
        (False, f"column {column.name!r} ({column.type}) is new")
        for column in after.columns
        if column.name not in known
    ]
    return [reason for item in found if item for breaks, reason in [item] if breaks is breaking]


def _column(before: Column, after: Column | None) -> tuple[bool, str] | None:
    """Whether the change of a column breaks, and what it is; None if there is none."""
    name = f"column {before.name!r}"
    if after is None:
        return True, f"{name} ({before.type}) is gone"
    if before.type is not after.type:
        widened = WIDER.get(frozenset({before.type, after.type})) is after.type
        way = "widened" if widened else "changed"
        return not widened, f"{name} {way} from {before.type} to {after.type}"
    if after.nullable and not before.nullable:
        return False, f"{name} may now lack values"
    return None


def _values(comparison: Comparison) -> list[str]:
    reasons = [
        f"column {change.column!r}: {change.message}" for change in comparison.of(Kind.SCALE)
    ]
    for change in comparison.of(Kind.CATEGORIES_LOST):
        if change.details["chance"] < ALPHA:
            reasons += [
                f"column {change.column!r}: {kind!r} is gone, {share:.1%} of the values before"
                for kind, share in change.details["shares"]
                if share >= LOST_SHARE
            ]
    return reasons
