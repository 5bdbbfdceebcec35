"""All outcomes together: whether data becomes a version, and what is told of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tidemill_runner.checks.outcome import Outcome
from tidemill_runner.checks.rule import Severity

MAX_SHOWN = 5


@dataclass(frozen=True)
class Verdict:
    """`rejected` if a rule with severity Fail is violated by more than it allows."""

    outcomes: tuple[Outcome, ...]
    failed: tuple[Outcome, ...]
    warned: tuple[Outcome, ...]

    @property
    def rejected(self) -> bool:
        return bool(self.failed)

    def counts(self) -> dict[str, int]:
        """How many passed, failed and warned, as the status shows them."""
        failed, warned = len(self.failed), len(self.warned)
        return {"passed": len(self.outcomes) - failed - warned, "failed": failed, "warned": warned}

    def document(self) -> list[dict[str, Any]]:
        """Every outcome, for the result document; what failed first, then what warned."""
        bad = {
            id(outcome): rank
            for rank, part in enumerate((self.failed, self.warned))
            for outcome in part
        }
        ordered = sorted(self.outcomes, key=lambda outcome: bad.get(id(outcome), 2))
        return [_json(outcome) for outcome in ordered]

    def message(self) -> str:
        """What failed, in words; empty if nothing did."""
        shown = "; ".join(outcome.message for outcome in self.failed[:MAX_SHOWN])
        more = len(self.failed) - MAX_SHOWN
        return f"{shown}; and {more} more" if more > 0 else shown


def judge(outcomes: Sequence[Outcome]) -> Verdict:
    bad = [outcome for outcome in outcomes if not outcome.passed]
    return Verdict(
        tuple(outcomes),
        tuple(outcome for outcome in bad if outcome.severity is Severity.FAIL),
        tuple(outcome for outcome in bad if outcome.severity is Severity.WARN),
    )


def _json(outcome: Outcome) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": outcome.name,
        "kind": outcome.kind,
        "severity": str(outcome.severity),
        "passed": outcome.passed,
        "evaluated": outcome.evaluated,
        "skipped": outcome.skipped,
        "violations": outcome.violations,
        "fraction": outcome.fraction,
        "allowed": str(outcome.allowed),
        "where": [{"object": name, "row": row} for name, row in outcome.where],
        "message": outcome.message,
    }
    return document | ({"column": outcome.column} if outcome.column is not None else {})
