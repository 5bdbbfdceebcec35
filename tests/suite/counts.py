"""Counts of tests, added up over stages.

A stage that is no set of tests counts when it fails: as one failure. What could not be run because
of that is skipped as far as it can be counted; the exit code says that all is not well.
"""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Counts:
    """How many tests ended in which way."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def read(report: Path) -> Counts:
    """What pytest reported; a report that is not there counts nothing."""
    try:
        root = ET.parse(report).getroot()  # noqa: S314 (written by our own pytest)
    except (FileNotFoundError, ET.ParseError):
        return Counts()
    counts = Counts()
    for suite in root.iter("testsuite"):
        total, failures, errors, skipped = (
            int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")
        )
        failed = failures + errors
        counts += Counts(max(total - failed - skipped, 0), failed, skipped)
    return counts


def of_stage(report: Path | None, *, ran: bool, succeeded: bool) -> Counts:
    """The counts of one stage; a stage that failed never counts as if nothing had failed."""
    if not ran:
        return Counts(skipped=1)
    counts = Counts() if report is None else read(report)
    if not succeeded and counts.failed == 0:
        counts += Counts(failed=1)
    return counts
