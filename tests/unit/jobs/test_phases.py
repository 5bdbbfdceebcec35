"""Where a Job stands, and what of it is believed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tidemill.jobs.view import Phase, view

Body = dict[str, Any]
T = "2025-01-01T00:00:10Z"


def job(*, suspend: bool = False, deleting: bool = False, **status: Any) -> Body:
    metadata: Body = {
        "name": "j",
        "uid": "u",
        "creationTimestamp": "2025-01-01T00:00:00Z",
        "annotations": {"tidemill.dev/attempt": "edited"},
    }
    if deleting:
        metadata["deletionTimestamp"] = T
    noted = {"metadata": {"annotations": {"tidemill.dev/attempt": "2"}}}
    spec = {"suspend": suspend, "template": noted}
    return {"metadata": metadata, "spec": spec, "status": status}


def ended(kind: str, status: str = "True", **fields: str) -> Body:
    return {"conditions": [{"type": kind, "status": status, "lastTransitionTime": T, **fields}]}


@pytest.mark.parametrize(
    ("body", "phase"),
    [
        (job(), Phase.RUNNING),
        (job(active=1, ready=1), Phase.RUNNING),
        (job(conditions=None), Phase.RUNNING),
        (job(suspend=True), Phase.SUSPENDED),
        (job(deleting=True), Phase.DELETING),
        (job(deleting=True, suspend=True), Phase.DELETING),
        (job(**ended("Complete")), Phase.SUCCEEDED),
        (job(**ended("Failed")), Phase.FAILED),
        (job(deleting=True, **ended("Complete")), Phase.SUCCEEDED),
        (job(deleting=True, **ended("Failed")), Phase.FAILED),
        (job(**ended("Complete", "False")), Phase.RUNNING),
        (job(**ended("FailureTarget")), Phase.RUNNING),
        (job(**ended("SuccessCriteriaMet")), Phase.RUNNING),
        (job(**ended("Suspended")), Phase.RUNNING),
    ],
    ids=[
        "new",
        "with a pod",
        "nulls",
        "suspended",
        "deleting",
        "deleting and suspended",
        "complete",
        "failed",
        "complete and deleting",
        "failed and deleting",
        "not complete",
        "about to fail",
        "about to complete",
        "no longer suspended",
    ],
)
def test_phase(body: Body, phase: Phase) -> None:
    assert view(body).phase is phase


def test_the_end_is_read_with_its_time_and_reason() -> None:
    found = view(job(**ended("Failed", reason="DeadlineExceeded", message="too long")))
    assert found.finished == datetime(2025, 1, 1, 0, 0, 10, tzinfo=UTC)
    assert (found.reason, found.message) == ("DeadlineExceeded", "too long")
    assert view(job(ready=2)).ready == 2
    assert view(job()).finished is None


def test_what_was_decided_is_read_from_where_nobody_can_edit_it() -> None:
    assert view(job()).annotations == {"tidemill.dev/attempt": "2"}


def test_a_template_without_annotations_says_nothing() -> None:
    body = job()
    body["spec"]["template"] = {"spec": {}}
    assert view(body).annotations == {}
