"""A run in a queue of Kueue: what is decided about it, and what becomes of it and its Job."""

import copy
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, World, summary
from tests.unit.training.scene import RESULT, leave_result, process
from tests.unit.training.test_decide import NOTES, NOW, decided, job, spec, status
from tests.unit.training.test_reconcile import KIND, NAME, pod, run, started

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.run_status import RunProgress
from tidemill.engine.key import Key
from tidemill.jobs.kueue import Waiting
from tidemill.jobs.progress import ProgressBoard, Report, Tokens
from tidemill.jobs.view import POD_CHECK_AFTER, Phase
from tidemill.kube.resources import JOBS, SECRETS
from tidemill.training.decide import PENDING_CHECK
from tidemill.training.observed import Observed
from tidemill.training.pins import SPEC_HASH_ANNOTATION, spec_hash

QUEUED_NOTES = {**NOTES, SPEC_HASH_ANNOTATION: spec_hash(spec(queueName="ml"))}


@pytest.mark.parametrize(
    ("waiting", "stalled", "tells"),
    [
        (Waiting("waits in the queue ml: no quota"), False, "waits in the queue ml: no quota"),
        (Waiting("there is no Kueue", needs_somebody=True), True, "there is no Kueue"),
        (None, False, "the Job j waits in the queue ml"),
    ],
    ids=["no quota", "no Kueue", "not known"],
)
@pytest.mark.parametrize("before", [None, RunProgress(percent=40, message="fits")])
def test_in_a_queue_it_says_why_it_waits_and_is_let_be(
    waiting: Waiting | None, stalled: bool, tells: str, before: RunProgress | None
) -> None:
    found = job(Phase.SUSPENDED, annotations=QUEUED_NOTES)
    observed = Observed(None, found, waiting=waiting)
    plan = decided(observed, status(progress=before), queueName="ml")
    assert (plan.verdict.reason, plan.verdict.stalled) == (Reason.QUEUED, stalled)
    assert plan.verdict.message == tells
    assert (plan.start, plan.hold, plan.stop, plan.ended) == (None, True, False, False)
    assert plan.requeue_after == PENDING_CHECK
    assert plan.status.progress == RunProgress(percent=0, message="waiting in the queue ml")
    assert plan.status.failure is None
    assert plan.status.attempt is None


def test_admitted_it_trains() -> None:
    found = job(annotations=QUEUED_NOTES, ready=1)
    plan = decided(Observed(None, found), queueName="ml")
    assert (plan.verdict.reason, plan.hold) == (Reason.TRAINING, True)


def test_suspended_by_its_spec_it_leaves_the_queue() -> None:
    found = job(Phase.SUSPENDED, annotations=QUEUED_NOTES)
    plan = decided(Observed(None, found), queueName="ml", suspend=True)
    assert (plan.verdict.reason, plan.stop) == (Reason.SUSPENDED, True)


def test_a_job_that_waited_long_is_given_time_for_its_pod() -> None:
    found = job(annotations=QUEUED_NOTES, started=NOW)
    plan = decided(Observed(None, found), queueName="ml")
    assert plan.requeue_after == POD_CHECK_AFTER


def by_kueue(job: dict[str, Any], *, admitted: bool) -> None:
    """Do to a Job what Kueue does: its template gets where it may run, and loses it again."""
    job["spec"]["suspend"] = not admitted
    pod = job["spec"]["template"]["spec"]
    if admitted:
        pod["nodeSelector"] = {"pool": "spot"}
        job["status"] = {"startTime": "2025-01-01T00:30:00Z", "active": 1, "ready": 1}
    else:
        pod.pop("nodeSelector")
        job["status"] = {}


async def test_in_a_queue_it_waits_trains_waits_again_and_ends(world: World) -> None:
    body = await started(world, queueName="ml")
    job = world.job()
    waits = "waits for Kueue to take it into the queue ml"
    assert job["spec"]["suspend"] is True
    assert (summary(body)["reason"], waits in summary(body)["message"]) == ("Queued", True)
    world.wait(1800)
    by_kueue(job, admitted=True)
    before = copy.deepcopy(job)
    await run(world)
    assert summary(body)["reason"] == "Training"
    assert world.job() == before
    by_kueue(job, admitted=False)
    before = copy.deepcopy(job)
    key = Key(KIND, NAMESPACE, NAME)
    board = ProgressBoard(Tokens("s"), lambda *_: None)
    board._reports[key] = (body["metadata"]["uid"], Report(60, "fits", None))
    await process(world, board)()(key)
    assert board.latest(key, body["metadata"]["uid"]) is None
    assert summary(body)["reason"] == "Queued"
    assert world.job() == before
    assert "attempt" not in body["status"]
    by_kueue(job, admitted=True)
    cluster_ends(world)
    await run(world)
    assert summary(body)["status"] == "True"


def cluster_ends(world: World) -> None:
    job = world.job()
    leave_result(world, job, RESULT)
    world.end_job(job, "Complete")


async def test_what_waits_long_in_a_queue_has_keys_when_it_starts(world: World) -> None:
    await started(world, queueName="ml", deadline="2h")
    before = world.api.one(SECRETS)["data"]["access-key"]
    world.wait(3 * 3600)
    await run(world)
    after = world.api.one(SECRETS)
    assert after["data"]["access-key"] != before
    assert world.job()["spec"]["suspend"] is True


async def test_suspended_by_its_spec_it_leaves_the_queue_and_comes_back(world: World) -> None:
    body = await started(world, queueName="ml")
    world.edit(body, suspend=True)
    await run(world)
    assert (world.api.all(JOBS), summary(body)["reason"]) == ([], "Suspended")
    world.edit(body, suspend=False)
    await run(world)
    assert (world.job()["spec"]["suspend"], summary(body)["reason"]) == (True, "Queued")


async def test_the_second_try_with_more_memory_waits_in_the_queue_too(world: World) -> None:
    body = await started(world, queueName="ml", retry={"growMemory": "4Gi"})
    job = world.job()
    by_kueue(job, admitted=True)
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    pod(
        world,
        phase="Failed",
        containerStatuses=[{"name": "runner", "ready": False, "state": ended}],
    )
    world.end_job(job, "Failed", "PodFailurePolicy")
    await run(world)
    second = next(one for one in world.api.all(JOBS) if one is not job)
    assert second["spec"]["suspend"] is True
    assert second["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "ml"
    assert summary(body)["reason"] == "Queued"
