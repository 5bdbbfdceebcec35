"""A plan is carried out over the view `rows`."""

from collections.abc import Mapping
from datetime import datetime

import duckdb

from tidemill_runner.checks import leakage, neighbours, referential
from tidemill_runner.checks.entity import FIELD
from tidemill_runner.checks.outcome import Outcome, stated
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
from tidemill_runner.checks.scan import Scan
from tidemill_runner.failures import Failure, no_room


def run(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    now: datetime,
    lookups: Mapping[int, str] | None = None,
) -> tuple[Outcome, ...]:
    """The outcome of each rule on rows, in the order of the plan; raises Failure.

    `now` has a zone. `lookups` are, by a rule's position, the queries for the keys of another
    Dataset. Rules on distributions are judged by profiles (see `distribution`).
    """
    found: dict[int, Outcome] = {}
    every = enumerate(plan.rules)
    numbered = [(p, rule) for p, rule in every if not isinstance(rule, Distribution)]
    with_others = [(p, rule) for p, rule in numbered if isinstance(rule, WithOthers)]
    in_scan = [(p, rule) for p, rule in numbered if not isinstance(rule, Stated | WithOthers)]
    for position, rule in numbered:
        if isinstance(rule, Stated):
            found[position] = stated(rule.label, _said(rule), passed=rule.passed)
    rows = 0
    if in_scan or with_others:
        try:
            scanned = Scan(in_scan, plan.prefix, now).run(connection)
        except duckdb.Error as error:
            raise _failure(error, "spec.schema and spec.checks") from None
        rows = scanned.rows
        found |= scanned.outcomes
    for position, other in with_others:
        try:
            match other:
                case Repeats():
                    found[position] = neighbours.repeats(connection, other, rows)
                case Order():
                    found[position] = neighbours.order(connection, other, rows)
                case Leakage():
                    found[position] = leakage.judged(connection, other, rows)
                case Exists():
                    lookup = (lookups or {})[position]
                    found[position] = referential.judged(connection, other, lookup, rows)
        except duckdb.Error as error:
            raise _failure(error, other.label.field) from None
    return tuple(found[position] for position, _ in numbered)


def _said(rule: Rule) -> str:
    if isinstance(rule, Stated) and rule.passed:
        return "as declared"
    return rule.label.fault


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
