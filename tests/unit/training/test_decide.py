"""What is decided about a TrainingRun: one case per state of the world."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.children.world import RUNNER, instant
from tests.unit.training.scene import DIGEST, NEWER, RESULT, SPEC, VERSION

from tidemill.api.v1alpha1.conditions import ConditionType, conditions_of, progressing
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.run_status import AppliedRun, RunProgress, TrainingRunStatus
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.children.pods import Diagnosis
from tidemill.jobs.progress import Report
from tidemill.jobs.view import POD_CHECK_AFTER, JobView, Phase
from tidemill.training.decide import CHANGED, PENDING_CHECK, RUNNING_CHECK, Plan, decide
from tidemill.training.observed import DatasetFacts, Observed
from tidemill.training.pins import (
    IMAGE_ANNOTATION,
    SPEC_HASH_ANNOTATION,
    VERSION_ANNOTATION,
    spec_hash,
)
from tidemill.training.record import decimal, end_of, short_number

NOW = instant(100)


def spec(**changes: Any) -> TrainingRunSpec:
    return TrainingRunSpec.model_validate({**SPEC, **changes})


def status(**fields: Any) -> TrainingRunStatus:
    return TrainingRunStatus.model_validate(fields)


PINNED = AppliedRun(dataset_version=VERSION, image="old", spec_hash=spec_hash(spec()))
NOTES = {
    VERSION_ANNOTATION: VERSION,
    IMAGE_ANNOTATION: "old",
    SPEC_HASH_ANNOTATION: PINNED.spec_hash,
}


def job(phase: Phase = Phase.RUNNING, **fields: Any) -> JobView:
    known = {"created": instant(), "annotations": NOTES, "finished": instant(60)}
    return JobView("j", "ju", phase, **{**known, **fields})


def decided(observed: Observed, before: TrainingRunStatus | None = None, **changes: Any) -> Plan:
    return decide(spec(**changes), before or status(), observed, NOW, RUNNER)


LATEST = DatasetFacts(NEWER)


@pytest.mark.parametrize(
    ("dataset", "version", "reason", "stalled", "tells"),
    [
        (None, "latest", Reason.WAITING_FOR_DATASET, False, "no Dataset data"),
        (None, VERSION, Reason.WAITING_FOR_DATASET, False, "no Dataset data"),
        (DatasetFacts(None), "latest", Reason.WAITING_FOR_DATASET, False, "no version yet"),
        (DatasetFacts(NEWER), VERSION, Reason.VERSION_NOT_FOUND, True, "111111111111"),
    ],
    ids=["no dataset", "no dataset for a digest", "no version", "another version"],
)
def test_it_waits_and_says_for_what(
    dataset: DatasetFacts | None, version: str, reason: Reason, stalled: bool, tells: str
) -> None:
    plan = decided(Observed(dataset), dataset={"name": "data", "version": version})
    assert (plan.verdict.reason, plan.verdict.stalled) == (reason, stalled)
    assert plan.verdict.reconciling is not stalled
    assert tells in plan.verdict.message
    assert (plan.start, plan.requeue_after) == (None, None)  # the Dataset's events wake it


@pytest.mark.parametrize(
    ("dataset", "version", "before", "started_on"),
    [
        (LATEST, "latest", None, NEWER),
        (DatasetFacts(NEWER, has_version=True), VERSION, None, VERSION),
        (LATEST, "latest", PINNED, VERSION),
        (None, "latest", PINNED, VERSION),
    ],
    ids=["the newest", "the one named", "what was pinned", "what was pinned, dataset gone"],
)
def test_it_starts(
    dataset: DatasetFacts | None, version: str, before: AppliedRun | None, started_on: str
) -> None:
    named = spec(dataset={"name": "data", "version": version})
    if before:
        before = before.model_copy(update={"spec_hash": spec_hash(named)})
    plan = decide(named, status(applied=before), Observed(dataset), NOW, RUNNER)
    assert plan.start == AppliedRun(
        dataset_version=started_on, image=RUNNER, spec_hash=spec_hash(named)
    )
    assert plan.status.applied == plan.start
    assert plan.verdict.reason is Reason.TRAINING
    assert plan.verdict.reconciling
    assert plan.requeue_after == POD_CHECK_AFTER


def test_a_spec_changed_before_the_start_again_is_refused() -> None:
    plan = decided(Observed(None), status(applied=PINNED), seed=8)
    assert (plan.start, plan.verdict.reason) == (None, Reason.SPEC_INVALID)
    assert plan.verdict.message == CHANGED


@pytest.mark.parametrize(
    ("found", "stop"),
    [
        (None, False),
        (job(), True),
        (job(ready=1), True),
        (job(Phase.SUSPENDED), True),
        (job(Phase.DELETING), False),
    ],
    ids=["no job", "starting", "running", "job suspended by hand", "job on its way out"],
)
def test_suspended_it_has_no_job(found: JobView | None, stop: bool) -> None:
    plan = decided(Observed(LATEST, found), suspend=True)
    assert (plan.verdict.summary, plan.verdict.reason) == ("Unknown", Reason.SUSPENDED)
    assert (plan.verdict.reconciling, plan.verdict.stalled) == (False, False)
    assert (plan.start, plan.hold, plan.stop) == (None, False, stop)
    assert plan.status.progress is None


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED])
def test_suspended_after_its_end_it_has_ended(phase: Phase) -> None:
    plan = decided(Observed(None, job(phase), RESULT), suspend=True)
    assert plan.ended


def test_a_job_on_its_way_out_is_waited_for() -> None:
    plan = decided(Observed(LATEST, job(Phase.DELETING)))
    assert (plan.start, plan.hold, plan.stop) == (None, False, False)
    assert plan.verdict.reconciling
    assert plan.requeue_after == PENDING_CHECK


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.SUSPENDED], ids=["running", "suspended"])
def test_a_spec_changed_during_the_run_is_refused(phase: Phase) -> None:
    plan = decided(Observed(None, job(phase)), seed=8)
    assert (plan.verdict.reason, plan.verdict.message) == (Reason.SPEC_INVALID, CHANGED)
    assert (plan.hold, plan.stop) == (False, False)
    assert plan.status.applied == PINNED


PULL = Diagnosis(Reason.IMAGE_PULL_FAILED, "no image", "p")
AWAY = Diagnosis(Reason.STORE_UNAVAILABLE, "store away", "p", final=True)
KNOWN = RunProgress(percent=40, message="fits", eta="5s")


@pytest.mark.parametrize(
    ("found", "trouble", "report", "before", "percent", "message", "wait"),
    [
        (job(created=NOW), None, None, None, 0, "waiting for the pod", POD_CHECK_AFTER),
        (job(), None, None, None, 0, "waiting for the pod", PENDING_CHECK),
        (job(), None, None, KNOWN, 0, "waiting for the pod", PENDING_CHECK),
        (job(Phase.SUSPENDED), None, None, None, 0, "waiting for the pod", PENDING_CHECK),
        (job(ready=1), None, None, None, 0, "started", RUNNING_CHECK),
        (job(ready=1), None, None, KNOWN, 40, "fits", RUNNING_CHECK),
        (job(ready=1), None, Report(60, "fits", 90), KNOWN, 60, "fits", RUNNING_CHECK),
        (job(), PULL, None, None, None, None, PENDING_CHECK),
        (job(), AWAY, None, None, None, None, PENDING_CHECK),
    ],
    ids=[
        "just created",
        "pending",
        "pending again",
        "suspended by hand",
        "started",
        "operator restarted",
        "reports",
        "image",
        "first pod failed",
    ],
)
def test_while_it_runs(
    found: JobView,
    trouble: Diagnosis | None,
    report: Report | None,
    before: RunProgress | None,
    percent: int | None,
    message: str | None,
    wait: float,
) -> None:
    observed = Observed(None, found, trouble=trouble, report=report)
    plan = decided(observed, status(progress=before))
    assert (plan.hold, plan.requeue_after) == (True, wait)
    shown = plan.status.progress
    assert (shown.percent if shown else None, shown.message if shown else None) == (
        percent,
        message,
    )
    assert plan.status.applied == PINNED
    assert (plan.status.job, plan.status.started_at) == ("j", found.created)
    expected = trouble.reason if trouble else Reason.TRAINING
    assert plan.verdict.reason is expected
    assert plan.verdict.stalled is (trouble is PULL)
    assert plan.verdict.reconciling is (trouble is not PULL)


def test_what_the_job_says_was_decided_counts() -> None:
    stale = PINNED.model_copy(update={"image": "older", "dataset_version": NEWER})
    assert decided(Observed(None, job()), status(applied=stale)).status.applied == PINNED


def test_a_duration_is_shown_as_people_read_it() -> None:
    plan = decided(Observed(None, job(ready=1), report=Report(60, "fits", 90)))
    assert plan.status.progress == RunProgress(percent=60, message="fits", eta="1m30s")


def test_step_and_metric_are_shown() -> None:
    report = Report(60, "fits", None, "fit", "accuracy=0.9")
    plan = decided(Observed(None, job(ready=1), report=report))
    expected = RunProgress(percent=60, message="fits", step="fit", metric="accuracy=0.9")
    assert plan.status.progress == expected


def test_success() -> None:
    plan = decided(Observed(None, job(Phase.SUCCEEDED), RESULT), status(progress=KNOWN))
    assert plan.ended
    assert (plan.verdict.summary, plan.verdict.reason) == ("True", Reason.SUCCEEDED)
    assert plan.verdict.message == "model dddddddddddd, accuracy=0.75"
    ended = plan.status
    assert ended.artifact is not None
    assert ended.artifact.digest == DIGEST
    [metric] = ended.metrics or []
    assert (metric.name, metric.value, metric.low, metric.high, metric.rows) == (
        *("accuracy", "0.75", "0.7", "0.8"),
        40,
    )
    assert (ended.score, ended.report) == ("accuracy=0.75", RESULT["report"])
    assert (ended.started_at, ended.completed_at) == (instant(), instant(60))
    assert ended.failure is None
    assert plan.requeue_after is None


def test_success_without_metrics_or_intervals() -> None:
    bare = {**RESULT, "metrics": []}
    assert decided(Observed(None, job(Phase.SUCCEEDED), bare)).verdict.message == (
        "model dddddddddddd"
    )
    open_ended = {**RESULT, "metrics": [{"name": "r2", "value": -1e-9, "n": 3, "low": None}]}
    [metric] = decided(Observed(None, job(Phase.SUCCEEDED), open_ended)).status.metrics or []
    assert (metric.value, metric.low, metric.high) == ("-1e-09", None, None)


UNREADABLE: dict[str, Any] = {
    "none": None,
    "empty": {},
    "failed": {**RESULT, "outcome": "Failed"},
    "no artifact": {k: v for k, v in RESULT.items() if k != "artifact"},
    "artifact is text": {**RESULT, "artifact": "s3://"},
    "no digest": {**RESULT, "artifact": {"uri": "s3://b/k/", "digest": "latest"}},
    "metrics are text": {**RESULT, "metrics": "good"},
    "metrics are texts": {**RESULT, "metrics": ["good"]},
    "a metric is text": {**RESULT, "metrics": [{"name": "a", "value": "good", "n": 1}]},
    "a metric is null": {**RESULT, "metrics": [{"name": "a", "value": None, "n": 1}]},
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_success_without_a_result_is_a_failure(case: str) -> None:
    plan = decided(Observed(None, job(Phase.SUCCEEDED), UNREADABLE[case]))
    assert (plan.ended, plan.verdict.reason) == (True, Reason.RESULT_MISSING)
    assert plan.verdict.stalled
    assert plan.status.failure is not None
    assert plan.status.artifact is None


def test_failure() -> None:
    trouble = Diagnosis(Reason.FIT_FAILED, "x" * 9000, "p", True, 10, ("a", "b"))
    plan = decided(Observed(None, job(Phase.FAILED), trouble=trouble), status(progress=KNOWN))
    assert (plan.ended, plan.verdict.stalled) == (True, True)
    assert plan.verdict.reason is Reason.FIT_FAILED
    failure = plan.status.failure
    assert failure is not None
    assert (failure.reason, failure.exit_code, failure.log) == ("FitFailed", 10, ["a", "b"])
    assert len(failure.message) == 4096
    assert (plan.status.completed_at, plan.status.progress) == (instant(60), None)


def test_failure_without_a_word() -> None:
    plan = decided(Observed(None, job(Phase.FAILED, message="gone")))
    assert plan.verdict.reason is Reason.CONTAINER_FAILED
    assert plan.verdict.message.endswith("left no word: gone")


@pytest.mark.parametrize(
    ("said", "progress", "tells"),
    [
        (progressing(Reason.UNSCHEDULABLE, "no node"), None, "; last seen: no node"),
        (progressing(Reason.TRAINING, "trains"), KNOWN, "; last seen: 40 %, fits"),
        (None, None, "too long"),
    ],
    ids=["never started", "was fitting", "nothing known"],
)
def test_a_deadline_tells_where_the_run_stood(
    said: Any, progress: RunProgress | None, tells: str
) -> None:
    kind = ConditionType.SUCCEEDED
    told = conditions_of(said, kind, [], generation=1, now=NOW) if said else []
    trouble = Diagnosis(Reason.DEADLINE_EXCEEDED, "too long", "j", final=True)
    before = status(progress=progress).model_copy(update={"conditions": told})
    plan = decided(Observed(None, job(Phase.FAILED), trouble=trouble), before)
    assert plan.verdict.message.endswith(tells)


def test_the_record_says_how_it_ended() -> None:
    for observed in (
        Observed(None, job(Phase.SUCCEEDED), RESULT),
        Observed(None, job(Phase.FAILED), trouble=PULL),
        Observed(None, job(Phase.SUCCEEDED)),
    ):
        plan = decided(observed)
        assert end_of(plan.status) == plan.verdict


@pytest.mark.parametrize("before", [None, PINNED], ids=["status wiped", "pinned"])
def test_a_result_without_its_job_is_taken(before: AppliedRun | None) -> None:
    plan = decided(Observed(LATEST, None, RESULT), status(applied=before))
    assert (plan.start, plan.ended) == (None, True)
    assert plan.verdict.summary == "True"
    assert plan.status.applied is not None
    assert plan.status.applied.dataset_version == VERSION
    assert plan.status.completed_at == instant(60)


def test_a_result_that_cannot_be_read_starts_the_run() -> None:
    assert decided(Observed(LATEST, None, {"outcome": "Succeeded"})).start is not None


@pytest.mark.parametrize(
    ("before", "reason"), [(None, Reason.NAME_CONFLICT), (PINNED, Reason.TRAINING)]
)
def test_a_job_that_says_nothing_is_not_ours(before: AppliedRun | None, reason: Reason) -> None:
    plan = decided(Observed(LATEST, job(annotations={})), status(applied=before))
    assert plan.verdict.reason is reason
    assert plan.start is None


def test_the_hash_is_of_what_makes_the_run() -> None:
    same = [spec(suspend=True), spec(seed=0), spec(deadline="1h"), spec(split=None)]
    assert {spec_hash(s) for s in same} == {spec_hash(spec())}
    others = [spec(seed=1), spec(target="x"), spec(dataset={"name": "b"}), spec(deadline="2h")]
    assert len({spec_hash(s) for s in [spec(), *others]}) == 5


def test_deciding_twice_is_deciding_once() -> None:
    observed = Observed(None, job(ready=1), report=Report(60, "fits", 90))
    first = decided(observed)
    second = decide(spec(), first.status, observed, NOW + timedelta(seconds=5), RUNNER)
    assert (second.status, second.verdict) == (first.status, first.verdict)
    assert replace(second, status=first.status) == first


@pytest.mark.parametrize(
    ("value", "long", "short"),
    [(0.123456789, "0.123457", "0.123"), (1234567.0, "1.23457e+06", "1.23e+06"), (1, "1", "1")],
)
def test_numbers_are_short(value: float, long: str, short: str) -> None:
    assert decimal(value) == long
    assert short_number(long) == short
