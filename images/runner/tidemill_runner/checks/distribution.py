"""Rules on distributions, judged by how a profile differs from the one of another version."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tidemill_runner.checks.outcome import Counts, Outcome, counted
from tidemill_runner.checks.rule import Distribution, Plan
from tidemill_runner.profile.compare import Comparison, Kind

MAX_NAMED = 5


def judged(plan: Plan, comparisons: Mapping[str | None, Comparison]) -> tuple[Outcome, ...]:
    """The outcomes of the plan's rules on distributions; without a comparison a rule holds.

    Comparisons are by the version compared with, None for the version in use.
    """
    rules = (rule for rule in plan.rules if isinstance(rule, Distribution))
    return tuple(_outcome(rule, comparisons.get(rule.version)) for rule in rules)


def versions(plan: Plan) -> dict[str, Distribution]:
    """The versions that rules name, each with the first rule that does."""
    found: dict[str, Distribution] = {}
    for rule in plan.rules:
        if isinstance(rule, Distribution) and rule.version is not None:
            found.setdefault(rule.version, rule)
    return found


def _outcome(rule: Distribution, comparison: Comparison | None) -> Outcome:
    if comparison is None:
        return counted(rule.label, Counts(0, 0, 0), "columns")
    moved = list(_moved(rule, comparison))
    tested = len(rule.columns) or comparison.tested
    outcome = counted(rule.label, Counts(tested, len(moved), tested), "columns")
    named = ", ".join(f"{name!r} by {distance:.2f}" for name, distance in moved[:MAX_NAMED])
    more = len(moved) - MAX_NAMED
    if not moved:
        return outcome
    told = f"{outcome.message}: {named}" + (f" and {more} more" if more > 0 else "")
    return replace(outcome, message=told)


def _moved(rule: Distribution, comparison: Comparison) -> Iterator[tuple[str, float]]:
    """Columns with their distances, the farthest first."""
    for change in comparison.of(Kind.SHIFT):
        wanted = not rule.columns or change.column in rule.columns
        if change.column is not None and wanted and change.details["distance"] >= rule.effect:
            yield change.column, change.details["distance"]
