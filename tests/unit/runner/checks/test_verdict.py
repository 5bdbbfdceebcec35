"""Outcomes together: rejected by what fails, not by what warns."""

import json
from typing import Any

import pytest
from tests.unit.runner.checks.world import World

from tidemill_runner.checks.verdict import judge


@pytest.mark.parametrize(
    ("severity", "allowed", "rejected", "counts"),
    [
        ("Fail", None, True, {"passed": 1, "failed": 1, "warned": 0}),
        ("Warn", None, False, {"passed": 1, "failed": 0, "warned": 1}),
        ("Fail", "0.5", False, {"passed": 2, "failed": 0, "warned": 0}),
        ("Fail", "0.499999", True, {"passed": 1, "failed": 1, "warned": 0}),
    ],
)
def test_a_verdict(severity: str, allowed: str | None, rejected: bool, counts: Any) -> None:
    checks = [
        {"name": "ok", "rowCount": {"min": 1}},
        {
            "name": "positive",
            "expression": "i > 0",
            "severity": severity,
            "maxViolationFraction": allowed,
        },
    ]
    verdict = judge(World({"i": [0, 1]}).outcomes(checks))
    assert (verdict.rejected, verdict.counts()) == (rejected, counts)
    assert bool(verdict.message()) == rejected


def test_the_document_is_json_and_what_failed_stands_first() -> None:
    checks = [
        {"name": "good", "rowCount": {"min": 1}},
        {"name": "warned", "expression": "i > 1", "severity": "Warn"},
        {"name": "failed", "expression": "i > 0", "maxViolationFraction": "0.1"},
    ]
    document = judge(World({"i": [0, 1, None]}).outcomes(checks)).document()
    assert [entry["name"] for entry in document] == ["failed", "warned", "good"]
    assert json.loads(json.dumps(document[0])) == {
        "name": "failed",
        "kind": "expression",
        "severity": "Fail",
        "passed": False,
        "evaluated": 2,
        "skipped": 1,
        "violations": 1,
        "fraction": 0.5,
        "allowed": "0.1",
        "where": [{"object": "a.csv", "row": 1}],
        "message": "spec.checks[2].expression: 1 of 2 rows do not meet it "
        "(at most 0.1 of them may), at a.csv, data row 1",
    }


def test_a_message_names_a_few_of_many() -> None:
    checks = [{"name": f"c{n}", "rowCount": {"min": 9}} for n in range(8)]
    message = judge(World({"i": [1]}).outcomes(checks)).message()
    assert message.count("at least 9 wanted") == 5
    assert message.endswith("; and 3 more")
