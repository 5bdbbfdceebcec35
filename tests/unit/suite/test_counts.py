"""The total never hides a failure."""

from pathlib import Path

import pytest
from tests.suite.counts import LONGEST, Counts, failures, last_words, notes, of_stage, read

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


def test_what_failed_is_named_with_where_and_why(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(
        """<testsuites><testsuite><testcase classname="tests.e2e.test_store" name="test_it">
<error message="failed on setup with &#10;TimeoutError">
tests/e2e/test_store.py:12: in outage
tests/e2e/world.py:34: TimeoutError
</error></testcase><testcase classname="tests.e2e.test_store" name="test_well"/>
</testsuite></testsuites>"""
    )
    (line,) = failures(path)
    assert line == (
        "test_store::test_it (test_store.py:12 world.py:34): failed on setup with TimeoutError"
    )


def test_a_long_failure_is_cut_and_an_absent_report_names_none(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    assert failures(path) == []
    message = "x" * (2 * LONGEST)
    path.write_text(
        f'<testsuite><testcase classname="a" name="b"><failure message="{message}"/></testcase>'
        "</testsuite>"
    )
    assert [len(line) for line in failures(path)] == [LONGEST]


def test_what_was_tried_again_is_noted_though_it_succeeded(tmp_path: Path) -> None:
    log = tmp_path / "test-bench.log"
    assert notes(log) == []
    log.write_text("== fit\nresults: build/bench\n")
    assert notes(log) == []
    log.write_text("results: build/bench\nmeasured at the second try: fit (no room)\n")
    assert notes(log) == ["measured at the second try: fit (no room)"]


def test_a_stage_without_a_report_is_told_by_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "test-bench.log"
    assert last_words(log) == []
    log.write_text("== fit\n\ncould not measure: fit, upload\n\n")
    assert last_words(log) == ["could not measure: fit, upload"]
