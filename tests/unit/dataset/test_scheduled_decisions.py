"""What is decided by a schedule: why a version is made, and content that changes unseen."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.unit.children.world import instant
from tests.unit.dataset.cases import (
    KEY,
    LISTING,
    NOW,
    OLD,
    VERSIONED,
    ingest,
    job,
    source,
    spec,
    status,
)
from tests.unit.dataset.scene import RESULT

from tidemill.api.v1alpha1.conditions import (
    ConditionType,
    Verdict,
    conditions_of,
    progressing,
    ready,
    stalled,
)
from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis
from tidemill.dataset.decide import decide
from tidemill.dataset.look import looks
from tidemill.dataset.observed import Listing, Observed
from tidemill.dataset.plan import WHY_ANNOTATION, Plan
from tidemill.jobs.view import Phase

# The fake world begins at midnight, and NOW is 00:16:40: the last of these times was 00:10.
EACH_TEN = {"schedule": "*/10 * * * *"}
WEAK = replace(LISTING, weak=True)
BEFORE, SINCE = instant(590), instant(700)  # the time that has come, and after it


def scheduled(
    before: DatasetStatus,
    *jobs: Any,
    listing: Listing | None = LISTING,
    requested: bool = False,
    now: datetime = NOW,
    **facts: Any,
) -> Plan:
    observed = Observed(listing, jobs, **facts)
    return decide(spec(refresh=EACH_TEN), before, observed, now, requested=requested)


def looked(last: datetime | None, **fields: Any) -> DatasetStatus:
    return status(**{"last_refresh_time": last, **VERSIONED, **fields})


DONE = ingest("Succeeded", fingerprint="f")
OTHER = ingest("Succeeded", key="other", fingerprint="other")
SPEC_WAS_OTHER = ingest("Succeeded", key="other", fingerprint="f")
GOES_ON = ingest(scheduled=True)

WHY: dict[str, tuple[DatasetStatus, bool, Listing, str | None]] = {
    "at its time": (looked(BEFORE, ingest=OTHER), False, LISTING, "Scheduled"),
    "first version": (looked(BEFORE, version=None, ingest=None), False, LISTING, "Created"),
    "asked for at its time": (looked(BEFORE, ingest=OTHER), True, LISTING, "Requested"),
    "asked for between": (looked(SINCE, ingest=OTHER), True, LISTING, "Requested"),
    "found by a look for another cause": (
        looked(SINCE, ingest=OTHER),
        False,
        LISTING,
        "SourceChanged",
    ),
    "spec changed between": (looked(SINCE, ingest=SPEC_WAS_OTHER), False, LISTING, "SpecChanged"),
    "spec changed at a time": (
        looked(BEFORE, ingest=SPEC_WAS_OTHER),
        False,
        LISTING,
        "SpecChanged",
    ),
    "goes on after its Job was removed": (
        looked(SINCE, ingest=GOES_ON),
        False,
        LISTING,
        "Scheduled",
    ),
    "nothing new": (looked(BEFORE, ingest=DONE), False, LISTING, None),
    "may have changed unseen": (looked(BEFORE, ingest=DONE), False, WEAK, "Scheduled"),
    "may have changed, between": (looked(SINCE, ingest=DONE), False, WEAK, None),
    "refused, same bytes": (looked(BEFORE, ingest=ingest("Failed")), False, LISTING, None),
    "refused, may have changed": (
        looked(BEFORE, ingest=ingest("Failed")),
        False,
        WEAK,
        "Scheduled",
    ),
    "refused, may have changed, between": (
        looked(SINCE, ingest=ingest("Failed")),
        False,
        WEAK,
        None,
    ),
}


@pytest.mark.parametrize("case", WHY)
def test_whether_it_is_read_and_why(case: str) -> None:
    before, requested, listing, why = WHY[case]
    plan = scheduled(before, requested=requested, listing=listing)
    assert (plan.start.why if plan.start else None) == why
    if plan.start:
        assert plan.status.last_refresh_time == NOW
        assert plan.status.ingest is not None
        assert plan.status.ingest.scheduled is (True if why == "Scheduled" else None)
    assert plan.status.next_refresh_time == instant(1200)


def test_without_a_schedule_content_that_may_have_changed_is_left() -> None:
    plan = decide(spec(), looked(None, ingest=DONE), Observed(WEAK), NOW)
    assert (plan.start, plan.requeue_after) == (None, 60.0)
    assert (plan.status.last_refresh_time, plan.status.next_refresh_time) == (None, None)


def test_content_that_may_have_changed_is_read_once_for_a_time() -> None:
    started = scheduled(looked(BEFORE, ingest=DONE), job(Phase.SUCCEEDED), listing=WEAK)
    assert started.start is not None
    assert started.start.attempt == 2
    running = job(Phase.RUNNING, 2, annotations={**_notes(2), WHY_ANNOTATION: "Scheduled"})
    watched = scheduled(started.status, running, listing=WEAK)
    assert (watched.start, watched.hold) == (None, running)
    ended = replace(running, phase=Phase.SUCCEEDED)
    taken = scheduled(watched.status, ended, listing=WEAK, result=RESULT)
    assert (taken.verdict.reason, taken.requeue_after) == (Reason.READY, 200.0)
    at_rest = scheduled(taken.status, ended, listing=WEAK)
    assert (at_rest.start, at_rest.requeue_after) == (None, 200.0)


def test_a_time_that_comes_while_such_content_is_read_is_not_lost() -> None:
    late = instant(1300)
    before = looked(NOW, ingest=GOES_ON)
    taken = scheduled(before, job(Phase.SUCCEEDED), listing=WEAK, result=RESULT, now=late)
    assert (taken.status.last_refresh_time, taken.requeue_after) == (NOW, 1.0)
    assert scheduled(taken.status, job(Phase.SUCCEEDED), listing=WEAK, now=late).start
    # Where no change goes unseen, the listing of this pass is of now.
    taken = scheduled(before, job(Phase.SUCCEEDED), result=RESULT, now=late)
    assert (taken.status.last_refresh_time, taken.requeue_after) == (late, 500.0)


def test_a_job_started_just_before_a_crash_is_not_started_twice() -> None:
    running = job(Phase.RUNNING, 2, annotations={**_notes(2), WHY_ANNOTATION: "Scheduled"})
    plan = scheduled(looked(BEFORE, ingest=DONE), running, job(Phase.SUCCEEDED), listing=WEAK)
    assert (plan.start, plan.hold) == (None, running)
    assert plan.status.ingest is not None
    assert plan.status.ingest.scheduled


@pytest.mark.parametrize(
    ("last", "began", "told"),
    [(BEFORE, None, NOW), (BEFORE, instant(605), instant(605)), (SINCE, None, NOW)],
    ids=["at its time", "a slow listing", "once more"],
)
def test_up_to_when_a_look_counts(last: datetime, began: datetime | None, told: datetime) -> None:
    plan = scheduled(looked(last, ingest=DONE), job(Phase.SUCCEEDED), began=began)
    assert plan.status.last_refresh_time == told


@pytest.mark.parametrize(
    "before",
    [
        looked(BEFORE, ingest=OTHER, source=source(since=NOW)),
        looked(BEFORE, ingest=GOES_ON, source=None),
    ],
    ids=["settling", "first sight"],
)
def test_while_it_settles_the_time_is_not_honoured(before: DatasetStatus) -> None:
    plan = scheduled(before)
    assert (plan.start, plan.verdict.reason) == (None, Reason.SETTLING)
    assert plan.status.last_refresh_time == BEFORE
    assert plan.requeue_after == 10.0


def test_a_pause_between_attempts_is_no_longer_than_without_a_schedule() -> None:
    away = Diagnosis(Reason.STORE_UNAVAILABLE, "away", "p", final=True)
    notes = {**_notes(1), WHY_ANNOTATION: "Scheduled"}
    failed = job(Phase.FAILED, annotations=notes)
    plan = scheduled(looked(NOW, ingest=GOES_ON), failed, trouble=away)
    assert plan.requeue_after == 10.0
    later = NOW + timedelta(seconds=10)
    again = scheduled(plan.status, failed, trouble=away, now=later)
    assert again.start is not None
    assert (again.start.attempt, again.start.why) == (2, "Scheduled")


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (DONE, Reason.READY),
        (ingest("Failed", reason="ChecksFailed", message="x"), Reason.DELIVERY_REJECTED),
        (ingest("Failed", reason="RaggedRows", message="x"), Reason.RAGGED_ROWS),
    ],
    ids=["ready", "rejected", "refused"],
)
def test_between_times_it_is_told_again_how_the_last_look_ended(kept: Any, reason: Reason) -> None:
    before = looked(SINCE, ingest=kept, rows=3, objects=1, next_refresh_time=instant(1200))
    plan = scheduled(before, listing=None)
    assert (plan.verdict.reason, plan.start, plan.hold, plan.delete) == (reason, None, None, ())
    assert (plan.status, plan.requeue_after) == (before, 200.0)
    seen = scheduled(before)
    assert seen.verdict == plan.verdict


def told(verdict: Verdict, **fields: Any) -> DatasetStatus:
    """Give a status between times, as its conditions tell it."""
    conditions = conditions_of(verdict, ConditionType.READY, [], generation=1, now=SINCE)
    return looked(SINCE, **{"ingest": DONE, "conditions": conditions, **fields})


READY, SUSPENDED = ready("x"), ready("x", Reason.SUSPENDED)
GIVEN_UP = ingest("Failed", fingerprint="f", reason="SourceUnavailable", message="x")
AWAY = progressing(Reason.SOURCE_UNAVAILABLE, "away", summary="False")
LOOKS: dict[str, tuple[DatasetStatus, bool]] = {
    "at rest": (told(READY), False),
    "suspended at rest": (told(SUSPENDED), False),
    "rejected": (told(ready("x", Reason.DELIVERY_REJECTED)), False),
    "ingested before fingerprints were kept": (told(READY, ingest=ingest("Succeeded")), False),
    "given up": (told(stalled(Reason.SOURCE_UNAVAILABLE, "x"), ingest=GIVEN_UP), False),
    "given up, then asked for in vain": (told(AWAY, ingest=GIVEN_UP), True),
    "source denied": (told(stalled(Reason.ACCESS_DENIED, "x")), True),
    "waits for another Dataset": (told(progressing(Reason.WAITING_FOR_DATASET, "x")), True),
    "never looked": (looked(SINCE, source=None, ingest=None), True),
    "suspended while it settled": (told(SUSPENDED, source=source(OLD)), True),
    "suspended while its Job ran": (told(SUSPENDED, ingest=ingest()), True),
    "asked for something else": (told(READY, ingest=SPEC_WAS_OTHER), True),
    "its time": (told(READY, last_refresh_time=BEFORE), True),
}


@pytest.mark.parametrize("case", LOOKS)
def test_whether_it_looks(case: str) -> None:
    before, expected = LOOKS[case]
    assert looks(spec(refresh=EACH_TEN), before, NOW, requested=False) is expected
    assert looks(spec(refresh=EACH_TEN), before, NOW, requested=True)
    assert looks(spec(), before, NOW, requested=False)


def _notes(attempt: int) -> dict[str, str]:
    return dict(job(Phase.RUNNING, attempt, key=KEY).annotations)
