"""Which faults are tried again, how often, with what, and what the status says of it."""

from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, RUNNER, World, instant, summary, until_quiet
from tests.unit.training.scene import RESULT, SPEC, VERSION, leave_result, process, put_dataset

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.retry import Attempt
from tidemill.api.v1alpha1.run_status import AppliedRun, TrainingRunStatus
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.children.pods import Diagnosis
from tidemill.jobs.view import JobView, Phase
from tidemill.kube.resources import JOBS, PODS
from tidemill.training.decide import Plan, decide
from tidemill.training.observed import DatasetFacts, Observed
from tidemill.training.pins import annotations, spec_hash

KIND, NAME = "TrainingRun", "r"
MORE = {"growMemory": "4Gi"}
OOM = Diagnosis(Reason.OOM_KILLED, "passed its memory limit of 2Gi", "p1", True, 137)
EVICTED = Diagnosis(Reason.EVICTED, "the node was full", "p1", final=True)


def spec(**changes: Any) -> TrainingRunSpec:
    return TrainingRunSpec.model_validate({**SPEC, **changes})


def pinned(wanted: TrainingRunSpec, **more: Any) -> AppliedRun:
    fields = {"dataset_version": VERSION, "image": "old", "spec_hash": spec_hash(wanted)}
    return AppliedRun(**{**fields, **more})


def decided(
    wanted: TrainingRunSpec,
    phase: Phase,
    trouble: Diagnosis | None,
    before: TrainingRunStatus | None = None,
    **more: Any,
) -> Plan:
    job = JobView(
        "j", "ju", phase, instant(), annotations=annotations(pinned(wanted, **more)), ready=0
    )
    known = before or TrainingRunStatus.model_validate({})
    return decide(wanted, known, Observed(None, job, trouble=trouble), instant(100), RUNNER)


FAULTS = [
    Diagnosis(Reason.FIT_FAILED, "a user's error", "p1", True, 10),
    Diagnosis(Reason.TARGET_INVALID, "an error of data", "p1", True, 20),
    Diagnosis(Reason.INTERNAL_ERROR, "a fault of the runner", "p1", True, 70),
    Diagnosis(Reason.STORE_UNAVAILABLE, "more often than limit", "p1", True, 30),
    Diagnosis(Reason.EVICTED, "more often than limit", "p1", True),
    Diagnosis(Reason.DEADLINE_EXCEEDED, "too long", "j", True),
    None,
]


@pytest.mark.parametrize("trouble", FAULTS)
def test_a_failed_job_is_not_followed_by_another(trouble: Diagnosis | None) -> None:
    plan = decided(spec(retry=MORE), Phase.FAILED, trouble)
    assert (plan.start, plan.ended) == (None, True)


def test_out_of_memory_it_starts_once_more_with_more() -> None:
    wanted = spec(retry=MORE)
    plan = decided(wanted, Phase.FAILED, OOM)
    assert plan.start == pinned(wanted, memory="4Gi")
    assert (plan.ended, plan.verdict.reconciling) == (False, True)
    assert plan.verdict.message == (
        "starts again with 4Gi of memory: passed its memory limit of 2Gi"
    )
    assert plan.status.failure is None
    assert plan.status.attempt == Attempt(
        number=2, reason="OOMKilled", message="passed its memory limit of 2Gi", pod="p1"
    )


@pytest.mark.parametrize("retry", [None, {}, {"limit": 3}])
def test_without_leave_it_does_not(retry: Any) -> None:
    plan = decided(spec(retry=retry), Phase.FAILED, OOM)
    assert (plan.start, plan.ended, plan.verdict.reason) == (None, True, Reason.OOM_KILLED)


def test_it_grows_only_once() -> None:
    wanted = spec(retry=MORE)
    first = decided(wanted, Phase.FAILED, OOM).status
    second = Diagnosis(Reason.OOM_KILLED, "passed its memory limit of 4Gi", "p2", True, 137)
    plan = decided(wanted, Phase.FAILED, second, first, memory="4Gi")
    assert (plan.start, plan.ended) == (None, True)
    assert plan.verdict.message == "passed its memory limit of 4Gi (attempt 2, after OOMKilled)"


@pytest.mark.parametrize(("memory", "since"), [(None, 0), ("4Gi", -50)])
def test_it_began_with_its_first_job(memory: str | None, since: float) -> None:
    before = TrainingRunStatus.model_validate({}).model_copy(update={"started_at": instant(-50)})
    plan = decided(spec(retry=MORE), Phase.RUNNING, None, before, memory=memory)
    assert plan.status.started_at == instant(since)


def test_a_spec_changed_meanwhile_does_not_start_again() -> None:
    changed = spec(retry=MORE, seed=5)
    job = JobView("j", "ju", Phase.FAILED, instant(), annotations=annotations(pinned(spec())))
    before = TrainingRunStatus.model_validate({})
    plan = decide(changed, before, Observed(None, job, trouble=OOM), instant(), RUNNER)
    assert (plan.start, plan.ended) == (None, True)


def test_suspended_the_next_attempt_waits() -> None:
    plan = decided(spec(retry=MORE, suspend=True), Phase.FAILED, OOM)
    assert (plan.start, plan.ended, plan.verdict.reason) == (None, False, Reason.SUSPENDED)


@pytest.mark.parametrize(
    ("more", "template", "refused"),
    [
        ("4Gi", None, False),
        ("2Gi", None, True),
        ("1500Mi", None, True),
        ("4Gi", {"resources": {"limits": {"memory": "4096Mi"}}}, True),
        ("4Gi", {"resources": {"requests": {"memory": "6Gi"}}}, True),
        ("4Gi", {"resources": {"limits": {"memory": "1Gi"}}}, False),
    ],
)
def test_more_memory_is_more(more: str, template: Any, refused: bool) -> None:
    wanted = spec(retry={"growMemory": more}, template=template)
    before = TrainingRunStatus.model_validate({})
    plan = decide(wanted, before, Observed(DatasetFacts(VERSION)), instant(), RUNNER)
    assert (plan.start is None) is refused
    if refused:
        assert plan.verdict.reason is Reason.SPEC_INVALID
        assert f"spec.retry.growMemory: {more} is not more than" in plan.verdict.message


def test_what_a_running_job_tried_again_is_counted_once_per_pod() -> None:
    status = decided(spec(), Phase.RUNNING, EVICTED).status
    assert (status.attempt and status.attempt.number) == 2
    again = decided(spec(), Phase.RUNNING, EVICTED, status).status
    assert again.attempt == status.attempt
    other = Diagnosis(Reason.STORE_UNAVAILABLE, "away", "p2", True, 30)
    third = decided(spec(), Phase.RUNNING, other, again)
    assert third.status.attempt == Attempt(
        number=3, reason="StoreUnavailable", message="away", pod="p2"
    )
    on = decided(spec(), Phase.RUNNING, None, third.status)
    assert on.verdict.message == "the Job j trains: attempt 3, after StoreUnavailable"


@pytest.mark.parametrize(
    "trouble",
    [
        Diagnosis(Reason.UNSCHEDULABLE, "no node", "p1"),
        Diagnosis(Reason.FIT_FAILED, "its Job is about to fail", "p1", True, 10),
        OOM,
        None,
    ],
)
def test_what_is_no_other_attempt_is_not_counted(trouble: Diagnosis | None) -> None:
    assert decided(spec(), Phase.RUNNING, trouble).status.attempt is None


def test_an_attempt_counted_in_advance_is_taken_back() -> None:
    away = Diagnosis(Reason.STORE_UNAVAILABLE, "away", "p2", True, 30)
    first = decided(spec(), Phase.RUNNING, EVICTED).status
    second = decided(spec(), Phase.RUNNING, away, first).status
    assert (second.attempt and second.attempt.number) == 3
    ended = decided(spec(), Phase.FAILED, away, second)
    assert (ended.status.attempt and ended.status.attempt.number) == 2
    alone = decided(spec(), Phase.FAILED, EVICTED, first)
    assert alone.status.attempt is None
    assert alone.verdict.message == "the node was full"


def kill(world: World, job: dict[str, Any], reason: str = "OOMKilled") -> None:
    """Do as kubelet and Job controller do when the container passes its limit, or is killed."""
    metadata = {
        "name": f"{job['metadata']['name']}-pod",
        "namespace": NAMESPACE,
        "labels": {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]},
    }
    limits = job["spec"]["template"]["spec"]["containers"][0]["resources"]
    ended = {"exitCode": 137, "reason": reason}
    world.api.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {"containers": [{"name": "runner", "resources": limits}]},
            "status": {
                "phase": "Failed",
                "containerStatuses": [{"name": "runner", "state": {"terminated": ended}}],
            },
        }
    )
    world.end_job(job, "Failed", "PodFailurePolicy")


async def grown(world: World) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Give the run, its first Job and the one with more memory."""
    put_dataset(world)
    body = world.put(KIND, NAME, {**SPEC, "retry": MORE})
    await until_quiet(world, process(world)(), KIND, NAME)
    first = world.job()
    kill(world, first)
    await until_quiet(world, process(world)(), KIND, NAME)
    [second] = [one for one in world.api.all(JOBS) if one is not first]
    return body, first, second


async def test_the_second_job_has_more_memory_and_the_same_inputs(world: World) -> None:
    body, first, second = await grown(world)
    container = second["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["memory"] == "4Gi"
    assert container["resources"]["requests"] == {"cpu": "250m", "memory": "4Gi"}
    assert container["image"] == first["spec"]["template"]["spec"]["containers"][0]["image"]
    assert body["status"]["job"] == second["metadata"]["name"]
    assert body["status"]["attempt"]["number"] == 2
    assert body["status"]["applied"]["memory"] == "4Gi"
    leave_result(world, second, RESULT)
    world.end_job(second, "Complete")
    await until_quiet(world, process(world)(), KIND, NAME)
    assert summary(body)["status"] == "True"
    assert body["status"]["attempt"]["reason"] == "OOMKilled"


async def test_a_status_wiped_by_hand_does_not_grow_again(world: World) -> None:
    body, _, second = await grown(world)
    del body["status"]
    await until_quiet(world, process(world)(), KIND, NAME)
    assert body["status"]["job"] == second["metadata"]["name"]
    assert len(world.api.all(JOBS)) == 2


async def test_the_second_one_is_the_last(world: World) -> None:
    body, _, second = await grown(world)
    kill(world, second)
    await until_quiet(world, process(world)(), KIND, NAME)
    assert len(world.api.all(JOBS)) == 2
    assert summary(body)["reason"] == "OOMKilled"
    assert "its memory limit of 4Gi" in body["status"]["failure"]["message"]
    assert len(world.api.all(PODS)) == 2


async def test_suspended_in_its_second_attempt_it_goes_on_there(world: World) -> None:
    body, first, _ = await grown(world)
    world.edit(body, suspend=True)
    await until_quiet(world, process(world)(), KIND, NAME)
    assert world.api.all(JOBS) == [first]
    world.edit(body, suspend=False)
    await until_quiet(world, process(world)(), KIND, NAME)
    [second] = [one for one in world.api.all(JOBS) if one is not first]
    container = second["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["memory"] == "4Gi"
    assert body["status"]["attempt"]["number"] == 2


def killed(pod: str, container: str = "runner") -> Diagnosis:
    return Diagnosis(
        Reason.CONTAINER_FAILED, "killed from outside", pod, True, 137, container=container
    )


@pytest.mark.parametrize(("retry", "tries"), [(None, 3), ({"limit": 1}, 2), ({"limit": 0}, 1)])
def test_killed_from_outside_its_job_is_made_anew_so_many_times(retry: Any, tries: int) -> None:
    wanted, status = spec(retry=retry), TrainingRunStatus.model_validate({})
    for number in range(1, tries):
        for _ in range(2):  # looked at twice, it is one attempt
            plan = decided(wanted, Phase.FAILED, killed(f"p{number}"), status)
            assert (plan.stop, plan.ended, plan.start) == (True, False, None)
            assert plan.status.failure is None
            status = plan.status
        assert status.attempt is not None
        assert (status.attempt.number, status.attempt.pod) == (number + 1, f"p{number}")
    plan = decided(wanted, Phase.FAILED, killed("last"), status)
    assert (plan.stop, plan.ended) == (False, True)
    assert plan.status.failure is not None


def test_killed_and_suspended_the_next_attempt_waits() -> None:
    plan = decided(spec(suspend=True), Phase.FAILED, killed("p1"))
    assert (plan.stop, plan.ended, plan.verdict.reason) == (True, False, Reason.SUSPENDED)


def test_a_users_container_that_was_killed_is_the_jobs_to_try_again() -> None:
    plan = decided(spec(), Phase.FAILED, killed("p1", "script"))
    assert (plan.stop, plan.ended) == (False, True)


async def test_a_job_whose_pod_was_killed_is_removed_and_made_again(world: World) -> None:
    put_dataset(world)
    body = world.put(KIND, NAME, SPEC)
    await until_quiet(world, process(world)(), KIND, NAME)
    first = world.job()
    kill(world, first, "Error")
    await until_quiet(world, process(world)(), KIND, NAME)
    second = world.job()
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert body["status"]["attempt"]["number"] == 2
    leave_result(world, second, RESULT)
    world.end_job(second, "Complete")
    await until_quiet(world, process(world)(), KIND, NAME)
    assert summary(body)["status"] == "True"
