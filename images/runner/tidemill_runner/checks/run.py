"""A plan is carried out over the rows of a delivery, wherever these lie."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

import duckdb

from tidemill_runner.checks import leakage, neighbours, referential
from tidemill_runner.checks.entity import FIELD
from tidemill_runner.checks.leakage import Cells
from tidemill_runner.checks.outcome import Outcome, Tally, stated
from tidemill_runner.checks.rule import (
    Distribution,
    Exists,
    Leakage,
    Order,
    Plan,
    Repeats,
    Rule,
    Stated,
    WithOthers,
)
from tidemill_runner.checks.scan import Scan, Scanned
from tidemill_runner.failures import Failure, no_room


class Asked(Protocol):
    """Rows that can be asked what rules want to know; raises Failure or duckdb.Error."""

    def scan(self, scan: Scan) -> Scanned:
        """What is found row by row."""

    def repeats(self, rule: Repeats, parts: int) -> Tally:
        """Rows whose keys an earlier row has, among one of `parts` of the rows."""

    def order(self, rule: Order) -> Tally:
        """Rows that do not follow the one before them."""

    def missing(self, rule: Exists) -> Tally:
        """Rows whose keys are not in the other Dataset."""

    def cells(self, rule: Leakage, rows: int) -> Cells:
        """A sample of so many rows in all."""


def run(rows: Asked, plan: Plan, now: datetime) -> tuple[Outcome, ...]:
    """The outcome of each rule on rows, in the order of the plan; raises Failure.

    `now` has a zone. Rules on distributions are judged by profiles (see `distribution`).
    """
    found: dict[int, Outcome] = {}
    every = enumerate(plan.rules)
    numbered = [(p, rule) for p, rule in every if not isinstance(rule, Distribution)]
    with_others = [(p, rule) for p, rule in numbered if isinstance(rule, WithOthers)]
    in_scan = [(p, rule) for p, rule in numbered if not isinstance(rule, Stated | WithOthers)]
    for position, rule in numbered:
        if isinstance(rule, Stated):
            found[position] = stated(rule.label, _said(rule), passed=rule.passed)
    count = 0
    if in_scan or with_others:
        scan = Scan(in_scan, plan.prefix, now)
        with _telling("spec.schema and spec.checks"):
            scanned = rows.scan(scan)
        count = scanned.rows
        found |= scan.outcomes(scanned)
    for position, other in with_others:
        with _telling(other.label.field):
            found[position] = _judged(rows, other, count)
    return tuple(found[position] for position, _ in numbered)


def _judged(rows: Asked, rule: WithOthers, count: int) -> Outcome:
    match rule:
        case Repeats():
            parts = neighbours.sampled(rule, count)
            return neighbours.outcome(rule, rows.repeats(rule, parts), count, parts)
        case Order():
            return neighbours.in_order(rule, rows.order(rule), count)
        case Leakage():
            return leakage.judged(rule, rows.cells(rule, count))
        case Exists():
            return referential.outcome(rule, rows.missing(rule), count)


def _said(rule: Rule) -> str:
    if isinstance(rule, Stated) and rule.passed:
        return "as declared"
    return rule.label.fault


@contextmanager
def _telling(field: str) -> Iterator[None]:
    """Say of which field it is that the database failed."""
    try:
        yield
    except duckdb.Error as error:
        raise _failure(error, field) from None


def _failure(error: duckdb.Error, field: str) -> Failure:
    if full := no_room(error):
        return full
    if isinstance(error, duckdb.OutOfMemoryException):
        less = "" if field == FIELD else ", or leave exact out of unique"
        return Failure(
            "CheckInvalid",
            f"{field}: memory and scratch space are not enough: raise "
            f"spec.template.resources.limits.memory{less}",
        )
    # What it says may quote a value of the data.
    return Failure("InternalError", f"{field}: the query failed with {type(error).__name__}")
