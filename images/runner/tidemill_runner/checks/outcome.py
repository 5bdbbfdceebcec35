"""What a rule found: counts and places, never a value, so that nothing sensitive can be told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tidemill_runner.checks.rule import Label, Severity

MAX_PLACES = 5
MAX_NAME = 200
Place = tuple[str, int]


@dataclass(frozen=True)
class Counts:
    """How many were judged, how many violate; of `rows`, what was not judged is the rest.

    `failed` of the violations are rows for which an expression could not be computed.
    """

    evaluated: int
    violations: int
    rows: int
    failed: int = 0


@dataclass(frozen=True)
class Tally:
    """What a rule found in some of the rows, the first places in their order; parts add up."""

    evaluated: int
    violations: int
    where: tuple[Place, ...] = ()
    failed: int = 0

    def among(self, rows: int) -> Counts:
        """The counts, where these are all rows."""
        return Counts(self.evaluated, self.violations, rows, self.failed)


def added(parts: Iterable[Tally]) -> Tally:
    """What a rule found in all parts; places are ordered as the database orders them."""
    tallies = list(parts)
    places = sorted(place for one in tallies for place in one.where)
    return Tally(
        sum(one.evaluated for one in tallies),
        sum(one.violations for one in tallies),
        tuple(places[:MAX_PLACES]),
        sum(one.failed for one in tallies),
    )


@dataclass(frozen=True)
class Outcome:
    """The verdict on one rule; `allowed` and `fraction` are fractions of what was evaluated."""

    name: str
    kind: str
    column: str | None
    severity: Severity
    evaluated: int
    skipped: int
    violations: int
    fraction: float
    allowed: Decimal
    passed: bool
    where: tuple[Place, ...]
    message: str


def counted(label: Label, counts: Counts, unit: str, where: Sequence[Place] = ()) -> Outcome:
    """The outcome of a rule that is judged for each row."""
    fraction = counts.violations / counts.evaluated if counts.evaluated else 0.0
    passed = within(label, counts)
    said = f"{label.field}: {counts.violations:,} of {counts.evaluated:,} {unit}"
    if counts.violations:
        said += f" {label.fault}"
        if counts.failed:
            said += f", {counts.failed:,} of them because it cannot be computed"
        if label.allowed:
            said += f" (at most {float(label.allowed):.6g} of them may)"
        said += _places(counts.violations, where)
    else:
        said += " violate it"
    if not counts.evaluated:
        said = f"{label.field}: nothing to judge"
    return Outcome(
        name=label.name,
        kind=label.kind,
        column=label.column,
        severity=label.severity,
        evaluated=counts.evaluated,
        skipped=counts.rows - counts.evaluated,
        violations=counts.violations,
        fraction=fraction,
        allowed=label.allowed,
        passed=passed,
        where=tuple(where),
        message=said,
    )


def stated(label: Label, message: str, *, passed: bool, rows: int = 1) -> Outcome:
    """The outcome of a rule that is judged once for all rows."""
    return Outcome(
        name=label.name,
        kind=label.kind,
        column=label.column,
        severity=label.severity,
        evaluated=1 if rows else 0,
        skipped=0,
        violations=0 if passed else 1,
        fraction=0.0 if passed else 1.0,
        allowed=label.allowed,
        passed=passed,
        where=(),
        message=f"{label.field}: {message}",
    )


def within(label: Label, counts: Counts) -> bool:
    """Whether the violations are as few as the rule allows; in decimals, so that 0.1 is 0.1."""
    return counts.violations <= label.allowed * counts.evaluated


def _places(violations: int, where: Sequence[Place]) -> str:
    if not where:
        return ""
    told = "; ".join(f"{_short(name)}, data row {row}" for name, row in where)
    return f", the first at {told}" if violations > len(where) else f", at {told}"


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…"
