"""What is decided about an online store, in states of the world that are written down."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.unit.children.world import instant
from tests.unit.dataset.cases import spec as spec_of

from tidemill.api.v1alpha1.conditions import Verdict, progressing, ready, stalled
from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.online_store import FilledStore, OnlineStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis
from tidemill.dataset import online
from tidemill.dataset.online_plan import (
    BASE_ANNOTATION,
    LEAST_PERIOD,
    SEQUENCE_ANNOTATION,
    VERSION_ANNOTATION,
    Facts,
    Goal,
    OnlinePlan,
    StartOnline,
    Trouble,
    restored,
)
from tidemill.dataset.plan import template_hash
from tidemill.dataset.retention import uses
from tidemill.jobs.view import JobView, Phase
from tidemill.store.online import Column, Meta, Shape, State, Whole, microseconds

NOW = instant(1000)
OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64
STORE = {"address": "redis.example:6379", "ttl": "1h", "credentialsRef": {"name": "login"}}
ENTITY = {"key": ["site"], "timestamp": "ts"}
SHAPE = Shape(
    (Column("site", "String"),), Column("ts", "Timestamp"), (Column("x", "Float"),), 3_600_000
)


def spec(**changes: Any) -> DatasetSpec:
    return spec_of(entity=ENTITY, online={**STORE, **changes})


def goal(version: str = NEW, **changes: Any) -> Goal:
    return Goal(FilledStore.model_validate({**STORE, **changes}), version, ("site",), "ts")


def meta(version: str = NEW, **changes: Any) -> Meta:
    fields: dict[str, Any] = {"rows": 3, "newest": 5_000_000, "next": None}
    fields |= {"completed": microseconds(instant(500))}
    fields |= {name: changes.pop(name) for name in list(changes) if name in fields}
    return Meta(SHAPE, 4, **{"whole": Whole(State(version, 1), **fields), **changes})


def job(
    phase: Phase, sequence: int = 5, attempt: int = 1, of: Goal | None = None, **fields: Any
) -> JobView:
    notes = StartOnline(of or goal(), sequence, 7, attempt, OLD).notes
    known = {"created": instant(), "annotations": notes, "finished": NOW, "ready": 1}
    return JobView(f"j-{sequence}", f"u-{sequence}", phase, **{**known, **fields})


def before(**fields: Any) -> OnlineStatus:
    known = {"reason": "Ready", "message": "", "sequence": 5, "goal": goal().hash, "attempts": 1}
    return OnlineStatus.model_validate({**known, **fields})


def decided(*jobs: JobView, status: OnlineStatus | None = None, **facts: Any) -> OnlinePlan:
    now = facts.pop("now", NOW)
    asked = facts.pop("spec", spec())
    known: dict[str, Any] = {"goal": goal(), "found": None, **facts}
    return online.decide(asked, status, Facts(jobs=jobs, **known), now)


def test_an_empty_store_is_written_to() -> None:
    plan = decided()
    assert plan.start == StartOnline(goal(), 1, microseconds(NOW), 1, None)
    assert plan.status.reason == Reason.MATERIALISING
    assert (plan.status.sequence, plan.status.attempts, plan.status.version) == (1, 1, None)


def test_a_store_that_has_the_version_rests() -> None:
    plan = decided(found=meta(), status=before(attempts=3, refused=True, reason="AccessDenied"))
    assert (plan.start, plan.wait) == (None, 60.0)
    status = plan.status
    assert (status.reason, status.version, status.rows) == ("Ready", NEW, 3)
    assert (status.newest_time, status.materialized_at) == (
        datetime.fromisoformat("1970-01-01T00:00:05Z"),
        instant(500),
    )
    assert (status.attempts, status.refused) == (0, None)


BEHIND = {
    "nothing": None,
    "another version": meta(OLD),
    "under way": meta(writing=State(NEW, 2)),
    "only begun": meta(whole=None),
    "another time to live": replace(meta(), shape=replace(SHAPE, ttl=None)),
    "another key": replace(meta(), shape=replace(SHAPE, key=(Column("unit", "String"),))),
    "another timestamp": replace(meta(), shape=replace(SHAPE, timestamp=Column("t", "Date"))),
    "a row whose time has come": meta(next=microseconds(NOW)),
}


@pytest.mark.parametrize("found", BEHIND.values(), ids=BEHIND)
def test_a_store_that_has_it_not_is_written_to(found: Meta | None) -> None:
    plan = decided(found=found)
    assert plan.start is not None
    assert plan.start.sequence == (found.sequence if found else 0) + 1
    assert plan.start.base == (found.whole.state.version if found and found.whole else None)


def test_a_sequence_is_above_all_that_were() -> None:
    ended = job(Phase.SUCCEEDED, 9, of=goal(OLD))
    plan = decided(ended, found=meta(OLD), status=before(goal="other", sequence=7))
    assert plan.start is not None
    assert (plan.start.sequence, plan.status.sequence) == (10, 10)
    plan = decided(found=replace(meta(OLD), sequence=20), status=before(goal="other"))
    assert plan.start is not None
    assert plan.start.sequence == 21


def test_a_row_of_the_future_is_waited_for() -> None:
    plan = decided(found=meta(next=microseconds(NOW + timedelta(seconds=20))))
    assert (plan.start, plan.wait) == (None, 20.0)
    assert plan.status.next_time == NOW + timedelta(seconds=20)
    just_now = microseconds(NOW - timedelta(seconds=10))
    plan = decided(found=meta(next=just_now, completed=just_now))
    assert (plan.start, plan.wait) == (None, 60.0)  # not again at once
    later = NOW + LEAST_PERIOD
    assert decided(found=meta(next=just_now, completed=just_now), now=later).start is not None


def test_a_job_that_writes_is_held() -> None:
    running = job(Phase.RUNNING)
    plan = decided(running, found=meta(OLD), status=before(goal=None, attempts=0, sequence=0))
    assert (plan.hold, plan.start, plan.delete) == (running, None, ())
    status = plan.status
    assert (status.reason, status.sequence, status.attempts) == ("Materialising", 5, 1)
    assert status.goal == goal().hash


def test_a_job_of_an_older_version_comes_to_its_end() -> None:
    running = job(Phase.RUNNING, of=goal(OLD))
    plan = decided(running, found=meta(OLD))
    assert (plan.hold, plan.start) == (running, None)
    ended = replace(running, phase=Phase.SUCCEEDED)
    plan = decided(ended, found=meta(OLD), status=plan.status)
    assert plan.start is not None
    assert (plan.start.goal.version, plan.start.base, plan.start.attempt) == (NEW, OLD, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "other.example:6379"},
        {"ttl": "2h"},
        {"tls": "Disable"},
        {"credentialsRef": {"name": "other"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("seen", [True, False])
def test_a_job_that_writes_elsewhere_is_ended(changes: dict[str, Any], seen: bool) -> None:
    running = job(Phase.RUNNING)
    trouble = Trouble(Reason.STORE_UNAVAILABLE, "x")
    facts = {"goal": goal(**changes)} if seen else {"goal": None, "found": trouble}
    plan = decided(running, spec=spec(**changes), **facts)
    assert (plan.delete, plan.hold, plan.start) == ((running,), None, None)


def test_a_job_by_another_key_is_ended() -> None:
    running = job(Phase.RUNNING)
    plan = decided(running, goal=replace(goal(), key=("unit",)))
    assert plan.delete == (running,)


def test_nothing_starts_while_a_job_is_being_removed() -> None:
    assert decided(job(Phase.DELETING)).start is None


def test_a_pod_that_does_not_start_is_told() -> None:
    trouble = Diagnosis(Reason.UNSCHEDULABLE, "no node", "p")
    plan = decided(job(Phase.RUNNING, ready=0), failure=trouble)
    assert (plan.status.reason, plan.status.message) == ("Unschedulable", "no node")
    assert plan.wait == 10.0


@pytest.mark.parametrize("reason", [Reason.ONLINE_STORE_UNAVAILABLE, Reason.ACCESS_DENIED])
def test_a_store_that_cannot_be_asked_starts_nothing(reason: Reason) -> None:
    seen = before(version=OLD, rows=3)
    plan = decided(found=Trouble(reason, "away"), status=seen)
    assert (plan.start, plan.wait) == (None, 30.0)
    status = plan.status
    assert (status.reason, status.message, status.version) == (reason, "away", OLD)


def failed(reason: Reason, attempt: int = 1, seconds: float = 0, **facts: Any) -> OnlinePlan:
    ended = job(Phase.FAILED, attempt=attempt)
    status = facts.pop("status", before(attempts=attempt, reason="Materialising"))
    now = NOW + timedelta(seconds=seconds)
    found = Diagnosis(reason, "it is so", "p", final=True)
    return decided(ended, failure=found, status=status, now=now, **facts)


@pytest.mark.parametrize(
    ("attempt", "pause"), [(1, 10), (2, 20), (4, 80)], ids=["first", "second", "fourth"]
)
def test_what_passes_is_tried_again_with_growing_pauses(attempt: int, pause: int) -> None:
    plan = failed(Reason.STORE_UNAVAILABLE, attempt)
    assert (plan.start, plan.wait) == (None, pause)
    assert plan.status.reason == "StoreUnavailable"
    assert plan.status.message == f"it is so; attempt {attempt + 1} follows"
    plan = failed(Reason.STORE_UNAVAILABLE, attempt, pause)
    assert plan.start is not None
    assert plan.start.attempt == plan.status.attempts == attempt + 1


def test_it_is_given_up_in_the_end() -> None:
    plan = failed(Reason.CONTAINER_FAILED, 5)
    assert (plan.start, plan.status.refused) == (None, True)
    assert "given up after 5 attempts" in plan.status.message
    assert "reconcile-requested-at" in plan.status.message


def test_what_is_mended_elsewhere_is_not_given_up() -> None:
    assert failed(Reason.ONLINE_STORE_FULL, 9).status.refused is None
    plan = failed(Reason.ONLINE_STORE_FULL, 9, 300)
    assert plan.start is not None


@pytest.mark.parametrize("reason", [Reason.OOM_KILLED, Reason.DATASET_CORRUPT, Reason.SPEC_INVALID])
def test_what_would_end_the_same_is_not_tried_again(reason: Reason) -> None:
    plan = failed(reason)
    assert (plan.start, plan.status.refused, plan.status.reason) == (None, True, reason)
    again = failed(reason, seconds=9999, status=plan.status)
    assert (again.start, again.status.message) == (None, "it is so")
    assert again.status.last_failure_time == plan.status.last_failure_time


def test_what_was_refused_is_tried_anew() -> None:
    refused = failed(Reason.OOM_KILLED).status
    more = {"resources": {"limits": {"memory": "4Gi"}}}
    larger = spec_of(entity=ENTITY, online=STORE, template=more)
    assert refused.template == template_hash(spec())
    for facts in ({"requested": True}, {"spec": larger}, {"goal": goal("sha256:" + "3" * 64)}):
        assert failed(Reason.OOM_KILLED, status=refused, **facts).start is not None


def test_what_was_lost_is_written_again() -> None:
    ended = job(Phase.SUCCEEDED)
    assert decided(ended, status=before(attempts=0)).start is not None
    plan = decided(ended, status=before())
    assert (plan.start, plan.wait) == (None, 10.0)
    assert plan.status.reason == "Materialising"
    plan = decided(ended, status=before(attempts=3))
    assert plan.status.reason == "OnlineStoreUnavailable"
    assert "evict no keys" in plan.status.message


def test_a_status_that_was_not_written_counts_nothing_twice() -> None:
    ended = job(Phase.FAILED, sequence=6, attempt=3)
    found = Diagnosis(Reason.STORE_UNAVAILABLE, "x", "p")
    plan = decided(ended, failure=found, status=before(attempts=2, sequence=5))
    assert (plan.start, plan.status.attempts, plan.status.sequence) == (None, 3, 6)
    plan = decided(ended, failure=found, status=None)
    assert (plan.start, plan.status.attempts) == (None, 3)


def test_jobs_of_old_are_removed_but_the_last() -> None:
    old, new = job(Phase.SUCCEEDED, 4), job(Phase.SUCCEEDED, 5)
    assert decided(old, new, found=meta()).delete == (old,)
    running = job(Phase.RUNNING, 6)
    assert decided(old, new, running).delete == (old, new)


def test_a_job_names_both_versions_as_used_and_is_known_again() -> None:
    start = StartOnline(goal(), 5, 7, 2, OLD)
    noted = job(Phase.RUNNING, 5, 2)
    assert restored(noted, FilledStore.model_validate(STORE)) == start
    assert (start.notes[VERSION_ANNOTATION], start.notes[BASE_ANNOTATION]) == (NEW, OLD)
    assert start.notes[SEQUENCE_ANNOTATION] == "5"
    assert uses([{"metadata": {"annotations": start.notes}}]) == {OLD, NEW}
    for name in start.notes:
        bare = replace(noted, annotations={k: v for k, v in start.notes.items() if k != name})
        assert restored(bare, FilledStore.model_validate(STORE)) != start


VERDICTS = [
    (ready("version 1"), "OnlineStoreUnavailable", "OnlineStoreBehind"),
    (ready("version 1"), "Ready", "Ready"),
    (ready("version 1"), "Materialising", "Ready"),
    (ready("version 1", Reason.DELIVERY_REJECTED), "AccessDenied", "DeliveryRejected"),
    (stalled(Reason.ACCESS_DENIED, "source"), "AccessDenied", "AccessDenied"),
    (progressing(Reason.INGESTING, "x"), "AccessDenied", "Ingesting"),
]


@pytest.mark.parametrize(("verdict", "reason", "expected"), VERDICTS)
def test_a_store_that_is_behind_leaves_the_version_in_use(
    verdict: Verdict, reason: str, expected: str
) -> None:
    found = online.told(verdict, before(reason=reason, message="away"))
    assert (found.reason, found.summary) == (expected, verdict.summary)
    assert (found.stalled, found.reconciling) == (verdict.stalled, verdict.reconciling)
    assert ("away" in found.message) is (expected == "OnlineStoreBehind")
    assert online.told(verdict, None) == verdict


def test_what_is_newer_than_the_store_is_told_at_once() -> None:
    known = DatasetStatus.model_validate({"version": NEW})
    for version, reason in ((NEW, "Ready"), (OLD, "Materialising")):
        status = known.model_copy(update={"online": before(version=version)})
        found = online.overtaken(status).online
        assert found is not None
        assert (found.reason, found.version) == (reason, version)
    assert online.overtaken(known) == known
