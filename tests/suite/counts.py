"""Counts of tests, added up over stages.

A stage that is no set of tests counts when it fails: as one failure. What could not be run because
of that is skipped as far as it can be counted; the exit code says that all is not well. What failed
is named, because of a long output often the end alone is kept.
"""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

FRAME = re.compile(r"^(?:\S*/)?(\w+\.py:\d+): ", re.MULTILINE)
NOTE = "measured at the second try:"
LONGEST = 300  # characters of a failure in the summary; the log has all


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


def failures(report: Path) -> list[str]:
    """Name each test of a report that failed, where, and why; each once."""
    try:
        root = ET.parse(report).getroot()  # noqa: S314 (written by our own pytest)
    except (FileNotFoundError, ET.ParseError):
        return []
    found: dict[str, str] = {}
    for case in root.iter("testcase"):
        for kind in ("failure", "error"):
            for one in case.findall(kind):
                name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name', '')}"
                frames = " ".join(FRAME.findall(one.text or ""))
                why = " ".join((one.get("message") or "").split())
                found.setdefault(name, f"{name} ({frames}): {why}"[:LONGEST])
    return list(found.values())


def last_words(log: Path) -> list[str]:
    """The last line of a stage that has no report: its programs end with what was wrong."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return [line.strip()[:LONGEST] for line in lines if line.strip()][-1:]


def notes(log: Path) -> list[str]:
    """What a stage that succeeded wants to have seen all the same."""
    return [line for line in last_words(log) if line.startswith(NOTE)]


def of_stage(report: Path | None, *, ran: bool, succeeded: bool) -> Counts:
    """The counts of one stage; a stage that failed never counts as if nothing had failed."""
    if not ran:
        return Counts(skipped=1)
    counts = Counts() if report is None else read(report)
    if not succeeded and counts.failed == 0:
        counts += Counts(failed=1)
    return counts
