"""What becomes of a delivery that was judged: let in, or rejected beside what is in use."""

from typing import Any

import pytest
from tests.unit.dataset.cases import KEY, VERSIONED, decided, ingest, job, spec, status
from tests.unit.dataset.scene import RESULT, VERSION

from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.dataset.plan import ingest_key
from tidemill.jobs.view import Phase

REJECTED_RESULT = {
    **RESULT,
    "version": "sha256:" + "2" * 64,
    "report": "datasets/ns/d/reports/2.html",
    "rejected": {"reason": "ChecksFailed", "message": "spec.checks[0]: 3 of 9 rows violate it"},
    "checkCounts": {"passed": 1, "failed": 1, "warned": 0},
}


def test_a_rejected_delivery_leaves_the_version_in_use_and_says_so() -> None:
    plan = decided(job(Phase.SUCCEEDED), result=REJECTED_RESULT, before=status(**VERSIONED))
    assert (plan.verdict.summary, plan.verdict.stalled) == ("True", False)
    assert plan.verdict.reason is Reason.DELIVERY_REJECTED
    assert "version 111111111111 is in use" in plan.verdict.message
    assert "(ChecksFailed): spec.checks[0]: 3 of 9" in plan.verdict.message
    assert plan.status.version == VERSION
    rejected = plan.status.rejected
    assert rejected is not None
    assert (rejected.version, rejected.report) == ("sha256:" + "2" * 64, REJECTED_RESULT["report"])
    assert plan.status.checks is not None
    assert plan.status.checks.failed == 1
    again = decided(job(Phase.SUCCEEDED), before=plan.status, result=REJECTED_RESULT)
    assert (again.verdict, again.start) == (plan.verdict, None)


def test_what_a_version_was_made_from_is_in_the_status_until_the_next_one() -> None:
    read = {"name": "sites", "dataset": "places", "version": "sha256:" + "3" * 64}
    plan = decided(job(Phase.SUCCEEDED), result={**RESULT, "inputs": [read]})
    assert plan.status.inputs is not None
    assert [one.model_dump() for one in plan.status.inputs] == [read]
    anew = plan.status.model_copy(update={"ingest": None})
    assert decided(job(Phase.SUCCEEDED), before=anew, result=RESULT).status.inputs is None


def test_a_rejected_first_delivery_stalls_it() -> None:
    plan = decided(job(Phase.SUCCEEDED), result=REJECTED_RESULT)
    assert (plan.verdict.reason, plan.verdict.stalled) == (Reason.CHECKS_FAILED, True)
    assert plan.status.version is None


def test_a_rejected_delivery_is_judged_anew_when_asked_for() -> None:
    before = decided(job(Phase.SUCCEEDED), result=REJECTED_RESULT).status
    plan = decided(job(Phase.SUCCEEDED), before=before, result=REJECTED_RESULT, requested=True)
    assert plan.start is not None
    assert plan.start.attempt == 2


def test_an_accepted_delivery_ends_the_rejection() -> None:
    before = decided(job(Phase.SUCCEEDED), result=REJECTED_RESULT).status
    plan = decided(
        job(Phase.SUCCEEDED, key=KEY),
        before=before.model_copy(update={"ingest": None}),
        result=RESULT,
    )
    assert plan.status.rejected is None
    assert plan.verdict.reason is Reason.READY


@pytest.mark.parametrize(
    "asked",
    [
        {"prepare": {"sql": "select 1 as a"}},
        {"schema": {"columns": [{"name": "a", "min": "0"}]}},
        {"checks": [{"name": "enough", "rowCount": {"min": 1}}]},
        {"entity": {"key": ["a"], "timestamp": "t"}},
        {"pin": "None"},
    ],
    ids=["prepare", "schema", "checks", "entity", "pin"],
)
def test_what_is_asked_of_the_rows_is_part_of_the_key(asked: dict[str, Any]) -> None:
    assert ingest_key(spec(**asked), "f") != KEY


@pytest.mark.parametrize(
    ("before", "requested", "why"),
    [
        (status(), False, "Created"),
        (
            status(ingest=ingest("Succeeded", "k", fingerprint="old"), **VERSIONED),
            False,
            "SourceChanged",
        ),
        (
            status(ingest=ingest("Succeeded", "k", fingerprint="f"), **VERSIONED),
            False,
            "SpecChanged",
        ),
        (status(ingest=ingest("Failed", fingerprint="f"), **VERSIONED), True, "Requested"),
    ],
    ids=["created", "source changed", "spec changed", "requested"],
)
def test_a_version_tells_why_it_was_made(before: DatasetStatus, requested: bool, why: str) -> None:
    plan = decided(before=before, requested=requested)
    assert plan.start is not None
    assert (plan.start.why, plan.start.previous) == (why, before.version)
