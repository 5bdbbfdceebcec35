"""The total never hides a failure."""

from pathlib import Path

import pytest
from tests.suite.counts import Counts, of_stage, read

REPORT = """<?xml version="1.0"?><testsuites>
<testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10"/></testsuites>"""


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "junit.xml"
    path.write_text(REPORT)
    return path


def test_errors_are_failures(report: Path) -> None:
    assert read(report) == Counts(passed=4, failed=3, skipped=3)


def test_the_line_of_totals() -> None:
    assert str(Counts(4, 0, 3)) == "4 passed, 0 failed, 3 skipped"


@pytest.mark.parametrize("content", [None, "", "<testsuite"], ids=["absent", "empty", "cut-off"])
def test_a_stage_that_ended_without_a_report_failed(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "junit.xml"
    if content is not None:
        path.write_text(content)
    assert of_stage(path, ran=True, succeeded=False) == Counts(failed=1)


def test_a_failed_stage_is_not_counted_twice(report: Path) -> None:
    assert of_stage(report, ran=True, succeeded=False).failed == 3


def test_a_stage_that_was_not_run_is_seen_in_the_total(report: Path) -> None:
    assert of_stage(report, ran=False, succeeded=False) == Counts(skipped=1)


def test_a_stage_without_tests_adds_nothing_when_it_succeeds() -> None:
    assert of_stage(None, ran=True, succeeded=True) == Counts()
