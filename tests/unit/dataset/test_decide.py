"""What is decided about a Dataset: one case per state of the world."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.children.world import instant
from tests.unit.dataset.cases import (
    KEY,
    LISTING,
    NOW,
    OLD,
    VERSIONED,
    decided,
    ingest,
    job,
    source,
    spec,
    status,
)
from tests.unit.dataset.scene import RESULT, SPEC, VERSION

from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis
from tidemill.dataset.decide import (
    HEAL_CHECK_SECONDS,
    MAX_ATTEMPTS,
    RUNNING_CHECK,
    SHORTEST_POLL_SECONDS,
    decide,
)
from tidemill.dataset.observed import Listing, Observed, SourceProblem
from tidemill.dataset.plan import ATTEMPT_ANNOTATION, StartIngest, attempt_of, ingest_key, job_for
from tidemill.jobs.view import POD_CHECK_AFTER, JobView, Phase

DENIED = SourceProblem(Reason.ACCESS_DENIED, "no")


@pytest.mark.parametrize(
    ("poll", "wait"),
    [("1m", HEAL_CHECK_SECONDS), ("5s", 5.0), ("0s", SHORTEST_POLL_SECONDS)],
    ids=["default", "often", "without a pause"],
)
def test_a_source_that_cannot_be_listed_stalls_it_and_is_looked_at_again(
    poll: str, wait: float
) -> None:
    before = status(**VERSIONED)
    plan = decide(spec(refresh={"pollInterval": poll}), before, Observed(DENIED), NOW)
    assert plan.verdict.stalled
    assert plan.verdict.message == "no (version 111111111111 stays in use)"
    assert plan.requeue_after == wait
    assert (plan.status, plan.start, plan.delete) == (before, None, ())


def test_a_source_that_is_away_is_no_stall() -> None:
    away = SourceProblem(Reason.STORE_UNAVAILABLE, "away", passing=True)
    plan = decide(spec(), status(), Observed(away), NOW)
    assert (plan.passing, plan.verdict.reconciling) == (True, True)
    assert plan.verdict.message == "away"


@pytest.mark.parametrize(
    ("before", "settle", "start", "wait"),
    [
        (status(source=None), "10s", False, 10.0),
        (status(source=None), "0s", False, 1.0),
        (status(source=source(OLD)), "10s", False, 10.0),
        (status(source=source(since=instant(998))), "10s", False, 8.0),
        (status(source=source(since=instant(990))), "10s", True, POD_CHECK_AFTER),
        (status(source=source(since=NOW)), "0s", True, POD_CHECK_AFTER),
        (status(), "10s", True, POD_CHECK_AFTER),
        (status(ingest=ingest("Succeeded", key="other"), **VERSIONED), "10s", True, 10.0),
        (status(ingest=ingest(attempts=3)), "10s", True, POD_CHECK_AFTER),
    ],
    ids=[
        "first sight",
        "first sight, no pause",
        "changed",
        "too early",
        "just settled",
        "settled, no pause",
        "settled long ago",
        "settled, other content before",
        "its Job was removed",
    ],
)
def test_a_listing_must_settle(
    before: DatasetStatus, settle: str, start: bool, wait: float
) -> None:
    plan = decided(before=before, refresh={"settlePeriod": settle})
    assert (plan.start is not None, plan.requeue_after) == (start, wait)
    assert plan.verdict.reason is (Reason.INGESTING if start else Reason.SETTLING)
    assert plan.verdict.reconciling
    assert ("stays in use" in plan.verdict.message) is (before.version is not None)
    found = plan.status.source
    assert found is not None
    assert (found.fingerprint, found.objects, found.bytes) == ("f", 2, 100)
    if before.source and before.source.fingerprint == "f":
        assert found.since == before.source.since
    else:
        assert found.since == NOW


@pytest.mark.parametrize(("asked", "pods"), [(1, 1), (2, 2), (64, 2)])
def test_no_more_pods_read_than_there_are_objects(asked: int, pods: int) -> None:
    plan = decided(parallelism=asked)
    assert LISTING.objects == 2
    assert plan.start is not None
    assert (plan.start.workers, plan.start.key) == (pods, KEY)


def test_a_source_that_tells_no_objects_is_read_by_one_pod() -> None:
    before = status(source=source(Listing("f", 0, 0)))
    observed = Observed(Listing("f", 0, 0, settled=True))
    plan = decide(spec(parallelism=8), before, observed, NOW)
    assert plan.start is not None
    assert plan.start.workers == 1


def test_a_start_removes_what_is_out_of_date() -> None:
    stale = [job(phase, key="other") for phase in (Phase.RUNNING, Phase.FAILED, Phase.SUCCEEDED)]
    plan = decided(*stale, job(Phase.DELETING, key="other"))
    assert plan.start == StartIngest(KEY, "f", 1)
    assert plan.delete == tuple(stale)
    assert plan.status.ingest is not None
    assert (plan.status.ingest.key, plan.status.ingest.outcome) == (KEY, None)


def test_while_it_settles_what_runs_is_left_alone() -> None:
    plan = decided(job(Phase.RUNNING, key="other"), before=status(source=source(OLD)))
    assert (plan.start, plan.delete, plan.hold) == (None, (), None)


def test_the_count_goes_on_when_a_job_was_removed() -> None:
    plan = decided(before=status(ingest=ingest(attempts=3)))
    assert plan.start == StartIngest(KEY, "f", 3)


PULL = Diagnosis(Reason.IMAGE_PULL_FAILED, "no image", "p")
AWAY = Diagnosis(Reason.STORE_UNAVAILABLE, "store away", "p", final=True)


@pytest.mark.parametrize(
    ("found", "trouble", "hold", "wait"),
    [
        (job(Phase.RUNNING), None, True, POD_CHECK_AFTER),
        (job(Phase.RUNNING, ready=1), None, True, RUNNING_CHECK),
        (job(Phase.SUSPENDED), None, True, POD_CHECK_AFTER),
        (job(Phase.RUNNING), PULL, True, POD_CHECK_AFTER),
        (job(Phase.RUNNING), AWAY, True, POD_CHECK_AFTER),
        (job(Phase.DELETING), None, False, POD_CHECK_AFTER),
    ],
    ids=["pending", "running", "suspended by hand", "image", "first pod failed", "on its way out"],
)
def test_while_it_is_read(
    found: JobView, trouble: Diagnosis | None, hold: bool, wait: float
) -> None:
    stale = job(Phase.FAILED, key="other")
    plan = decided(found, stale, trouble=trouble)
    assert plan.delete == ((stale,) if hold else ())
    assert (plan.hold, plan.requeue_after) == (found if hold else None, wait)
    assert plan.verdict.reason is (trouble.reason if trouble else Reason.INGESTING)
    assert plan.verdict.stalled is (trouble is PULL)
    assert plan.verdict.reconciling is (trouble is not PULL)
    assert plan.start is None


def test_success() -> None:
    plan = decided(job(Phase.SUCCEEDED), result=RESULT)
    found = plan.status
    assert (plan.verdict.summary, plan.verdict.reason) == ("True", Reason.READY)
    assert plan.verdict.message == "version 111111111111: 3 rows in 1 object(s)"
    assert (found.version, found.short_version) == (VERSION, "1" * 12)
    assert (found.rows, found.bytes, found.objects, found.column_count) == (3, 9, 1, 1)
    assert found.manifest == RESULT["manifest"]
    assert found.ingest is not None
    assert (found.ingest.outcome, found.ingest.job) == ("Succeeded", f"j-{KEY}-1")
    [entry] = found.versions or []
    assert (entry.version, entry.created_at) == (VERSION, NOW)
    assert plan.requeue_after == 60.0


def known_version(letter: str) -> dict[str, Any]:
    return {
        "version": "sha256:" + letter * 64,
        "rows": 1,
        "bytes": 1,
        "objects": 1,
        "createdAt": "2024-01-01T00:00:00Z",
    }


def test_a_version_seen_before_keeps_its_birthday_and_comes_first() -> None:
    versions = [known_version("2"), known_version("1")]
    before = DatasetStatus.model_validate({"versions": versions})
    found = decided(
        job(Phase.SUCCEEDED), before=before.model_copy(update={"source": source()}), result=RESULT
    ).status.versions
    assert [v.version[7] for v in found or []] == ["1", "2"]
    assert found is not None
    assert found[0].created_at.year == 2024


def test_what_the_status_holds_is_bounded() -> None:
    versions = [known_version(f"{n:x}"[-1]) for n in range(2, 10)] * 3
    before = DatasetStatus.model_validate({"versions": versions[:20]})
    columns = [{"name": "c" * 2000, "type": "Float", "nullable": True}] * 300
    plan = decided(
        job(Phase.SUCCEEDED),
        before=before.model_copy(update={"source": source()}),
        result={**RESULT, "columns": columns},
    )
    assert len(plan.status.versions or []) == 20
    assert (len(plan.status.columns or []), plan.status.column_count) == (256, 300)
    assert DatasetStatus.model_validate(plan.status.to_dict()) == plan.status


UNREADABLE: dict[str, Any] = {
    "none": None,
    "empty": {},
    "failed": {**RESULT, "outcome": "Failed"},
    "no version": {k: v for k, v in RESULT.items() if k != "version"},
    "version is no digest": {**RESULT, "version": "latest"},
    "rows are text": {**RESULT, "rows": "many"},
    "columns are a number": {**RESULT, "columns": 5},
    "a column is text": {**RESULT, "columns": ["a"]},
    "a column of no type": {**RESULT, "columns": [{"name": "a", "type": "X", "nullable": True}]},
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_success_without_a_result_is_tried_again(case: str) -> None:
    plan = decided(job(Phase.SUCCEEDED), result=UNREADABLE[case])
    assert (plan.verdict.reason, plan.verdict.reconciling) == (Reason.RESULT_MISSING, True)
    assert plan.requeue_after == 10.0


@pytest.mark.parametrize(
    ("attempt", "ended", "pause"),
    [(1, 1000, 10.0), (2, 1000, 20.0), (4, 1000, 80.0), (1, 995, 5.0), (1, 990, None)],
    ids=["first", "second", "fourth", "half waited", "waited"],
)
def test_the_pauses_between_attempts_grow(attempt: int, ended: int, pause: float | None) -> None:
    failed = job(Phase.FAILED, attempt, finished=instant(ended))
    plan = decided(failed, trouble=AWAY, before=status(**VERSIONED))
    if pause is None:
        assert plan.start == StartIngest(KEY, "f", attempt + 1, "SourceChanged", VERSION)
        assert plan.delete == (failed,)
        return
    assert (plan.start, plan.requeue_after) == (None, pause)
    assert f"attempt {attempt + 1} of {MAX_ATTEMPTS} follows" in plan.verdict.message
    assert "stays in use" in plan.verdict.message
    kept = plan.status.ingest
    assert kept is not None
    assert (kept.outcome, kept.attempts, kept.last_failure_time) == (None, attempt, instant(ended))


@pytest.mark.parametrize("attempt", [6, 50, 5000], ids=str)
def test_what_is_mended_elsewhere_is_tried_for_ever(attempt: int) -> None:
    denied = Diagnosis(Reason.ACCESS_DENIED, "no", "p", final=True, exit_code=30)
    plan = decided(job(Phase.FAILED, attempt), trouble=denied)
    assert (plan.verdict.stalled, plan.requeue_after) == (True, 300.0)


def test_without_a_word_it_is_tried_again() -> None:
    plan = decided(job(Phase.FAILED, message="gone"))
    assert plan.verdict.reason is Reason.CONTAINER_FAILED
    assert "left no word: gone" in plan.verdict.message


RAGGED = Diagnosis(Reason.RAGGED_ROWS, "a.csv, row 3", "p", final=True, exit_code=20)


def test_bad_data_is_refused_and_the_version_before_stays() -> None:
    plan = decided(job(Phase.FAILED), trouble=RAGGED, before=status(**VERSIONED))
    assert (plan.verdict.reason, plan.verdict.stalled) == (Reason.RAGGED_ROWS, True)
    assert plan.verdict.message == "a.csv, row 3 (version 111111111111 stays in use)"
    assert plan.status.version == VERSION
    assert plan.requeue_after == 60.0
    again = decided(job(Phase.FAILED), trouble=RAGGED, before=plan.status)
    assert (again.verdict, again.status) == (plan.verdict, plan.status)


def test_at_rest_only_the_job_of_this_content_is_kept() -> None:
    kept, stale = job(Phase.SUCCEEDED), job(Phase.SUCCEEDED, key="other")
    before = status(ingest=ingest("Succeeded"), rows=3, objects=1, **VERSIONED)
    plan = decided(kept, stale, job(Phase.DELETING, key="third"), before=before)
    assert plan.verdict.message == "version 111111111111: 3 rows in 1 object(s)"
    assert (plan.delete, plan.start, plan.requeue_after) == ((stale,), None, 60.0)
    assert plan.status == before


@pytest.mark.parametrize(
    ("outcome", "starts"), [("Succeeded", False), ("Failed", True)], ids=["ready", "refused"]
)
def test_a_reconcile_asked_for_tries_what_was_refused(outcome: str, starts: bool) -> None:
    before = status(ingest=ingest(outcome, attempts=2))
    plan = decided(job(Phase.FAILED, 2), before=before, trouble=RAGGED, requested=True)
    assert plan.start == (StartIngest(KEY, "f", 3) if starts else None)


def test_a_reconcile_asked_for_is_honoured_at_once() -> None:
    fresh = source(since=NOW)  # another delivery came and went in between
    before = status(ingest=ingest("Failed"), source=fresh)
    assert decided(job(Phase.FAILED), before=before, trouble=RAGGED, requested=True).start


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        ({}, False),
        ({"template": {"resources": {"limits": {"memory": "9Gi"}}}}, True),
        ({"template": {}}, False),
        ({"refresh": {"pollInterval": "9m"}}, False),
        ({"source": {"s3": {**SPEC["source"]["s3"], "format": "Parquet"}}}, True),
        ({"source": {"s3": {**SPEC["source"]["s3"], "credentialsRef": {"name": "k"}}}}, False),
    ],
    ids=["nothing", "template", "empty template", "refresh", "format", "keys"],
)
def test_what_was_refused_is_read_again_when_it_may_end_otherwise(
    changes: dict[str, Any], again: bool
) -> None:
    before = status(ingest=ingest("Failed", reason="RaggedRows", message="x"))
    plan = decided(job(Phase.FAILED), before=before, trouble=RAGGED, **changes)
    assert (plan.start is not None) is again


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"prefix": "e/"}, False),
        ({"bucket": "other"}, False),
        ({"endpoint": "http://other"}, False),
        ({"credentialsRef": {"name": "k"}}, True),
        ({"region": None}, True),
    ],
    ids=["nothing", "prefix", "bucket", "endpoint", "keys", "a default"],
)
def test_the_key_is_of_where_the_data_lies(changes: dict[str, Any], same: bool) -> None:
    other = spec(source={"s3": {**SPEC["source"]["s3"], **changes}})
    assert (ingest_key(other, "f") == KEY) is same
    assert ingest_key(other, "g") != KEY


def test_of_several_attempts_the_last_counts() -> None:
    jobs = [job(Phase.FAILED, n) for n in (2, 10, 9)]
    assert job_for([*jobs, job(Phase.RUNNING, 99, key="other")], KEY) == jobs[1]
    assert job_for([], KEY) is None


@pytest.mark.parametrize(("text", "number"), [("3", 3), ("x", 1), ("-1", 1), (None, 1)])
def test_an_attempt_that_cannot_be_read_is_the_first(text: str | None, number: int) -> None:
    notes = {} if text is None else {ATTEMPT_ANNOTATION: text}
    assert attempt_of(job(Phase.RUNNING, annotations=notes)) == number


def test_deciding_twice_is_deciding_once() -> None:
    first = decided(job(Phase.SUCCEEDED), result=RESULT)
    second = decided(job(Phase.SUCCEEDED), result=RESULT, before=first.status)
    assert replace(second, delete=first.delete) == first
