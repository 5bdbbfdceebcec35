"""Rows prepared by a container: what the Job is told, how long it may take, what is told of it."""

from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, FakeStore, World, summary, until_quiet
from tests.unit.dataset.cases import KEY, VERSIONED, decided, ingest, job, spec, status
from tests.unit.dataset.scene import process
from tests.unit.dataset.test_reconcile import KIND, NAME, started
from tests.unit.dataset.test_sources import given

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis
from tidemill.dataset import prepared
from tidemill.dataset.plan import ingest_key
from tidemill.jobs.view import Phase
from tidemill.kube.resources import JOBS

IMAGE = "registry.example/clean@sha256:" + "c" * 64
CONTAINER: dict[str, Any] = {"image": IMAGE, "args": ["x"], "env": [{"name": "A", "value": "1"}]}
PREPARE: dict[str, Any] = {"prepare": {"container": CONTAINER, "deadline": "90s"}}
LATE = Diagnosis(Reason.PREPARE_FAILED, "not done after 90 s", "pod", True, overdue=True)


def failed(*log: str, reason: Reason = Reason.PREPARE_FAILED, by: str = "prepare") -> Diagnosis:
    return Diagnosis(reason, "it ended with exit code 3", "pod", True, 3, log, by)


async def run(world: World) -> None:
    await until_quiet(world, process(world)(), KIND, NAME)


def test_a_query_keeps_the_key_that_it_had() -> None:
    """Another key here would have every Dataset with a query ingested anew."""
    assert ingest_key(spec(), "f") == KEY == "71248b2a5a93e30d"
    asked = spec(prepare={"sql": "select 1 as a", "deadline": "1h"})
    assert ingest_key(asked, "f") == "44aa543d202f8817"


@pytest.mark.parametrize(
    "other",
    [
        {"image": IMAGE.replace("c", "d")},
        {"command": ["y"]},
        {"args": ["y"]},
        {"env": [{"name": "A", "value": "2"}]},
        {"format": "CSV"},
    ],
    ids=["image", "command", "args", "env", "format"],
)
def test_another_container_is_a_reason_to_ingest(other: dict[str, Any]) -> None:
    changed = {"prepare": {**PREPARE["prepare"], "container": {**CONTAINER, **other}}}
    assert ingest_key(spec(**changed), "f") != ingest_key(spec(**PREPARE), "f")


@pytest.mark.usefixtures("source")
async def test_the_runner_is_told_what_the_spec_says(world: World) -> None:
    await started(world, **PREPARE)
    assert given(world)["prepare"] == {
        "container": {**CONTAINER, "format": "Parquet"},
        "seconds": 90.0,
        "inputs": [],
    }


@pytest.mark.usefixtures("source")
async def test_a_query_is_told_as_it_was(world: World) -> None:
    await started(world, prepare={"sql": "SELECT 1 AS a"})
    assert given(world)["prepare"] == {"sql": "SELECT 1 AS a", "seconds": 1800.0, "inputs": []}
    assert "initContainers" not in world.job()["spec"]["template"]["spec"]
    assert world.job()["spec"]["activeDeadlineSeconds"] == 6 * 3600


@pytest.mark.usefixtures("source")
async def test_the_job_may_take_as_long_as_both(world: World) -> None:
    await started(world, **PREPARE)
    assert world.job()["spec"]["activeDeadlineSeconds"] == 6 * 3600 + 90
    [_, container] = world.job()["spec"]["template"]["spec"]["initContainers"]
    assert (container["name"], container["image"]) == ("prepare", IMAGE)


def test_while_it_runs_the_status_says_so() -> None:
    plan = decided(job(Phase.RUNNING, key=ingest_key(spec(**PREPARE), "f")), **PREPARE)
    assert plan.verdict.reason is Reason.INGESTING
    assert "reads the data, which spec.prepare.container prepares" in plan.verdict.message
    assert "prepares" not in decided(job(Phase.RUNNING)).verdict.message


def test_one_that_takes_too_long_ends_its_job() -> None:
    running = job(Phase.RUNNING, key=ingest_key(spec(**PREPARE), "f"))
    plan = decided(running, trouble=LATE, before=status(**VERSIONED), **PREPARE)
    assert (plan.verdict.reason, plan.verdict.stalled) == (Reason.PREPARE_FAILED, True)
    assert "not done after 90 s (version 111111111111 stays in use)" in plan.verdict.message
    assert (plan.delete, plan.hold, plan.start) == ((running,), None, None)
    assert plan.status.ingest is not None
    assert plan.status.ingest.outcome == "Failed"


def test_once_ended_it_stays_refused_until_something_changes() -> None:
    key = ingest_key(spec(**PREPARE), "f")
    before = decided(job(Phase.RUNNING, key=key), trouble=LATE, **PREPARE).status
    plan = decided(before=before, **PREPARE)
    assert (plan.verdict.reason, plan.start) == (Reason.PREPARE_FAILED, None)
    plan = decided(before=before, requested=True, **PREPARE)
    assert plan.start is not None
    assert plan.start.attempt == 2
    longer = {"prepare": {**PREPARE["prepare"], "deadline": "1h"}}
    assert decided(before=before, **longer).start is not None


@pytest.mark.parametrize("reason", [Reason.PREPARE_FAILED, Reason.OOM_KILLED])
def test_what_it_failed_of_is_not_tried_again(reason: Reason) -> None:
    key = ingest_key(spec(**PREPARE), "f")
    plan = decided(job(Phase.FAILED, key=key), trouble=failed(reason=reason), **PREPARE)
    assert (plan.verdict.reason, plan.verdict.stalled, plan.start) == (reason, True, None)


def test_killed_from_outside_it_is_tried_again() -> None:
    key = ingest_key(spec(**PREPARE), "f")
    killed = failed(reason=Reason.CONTAINER_FAILED)
    plan = decided(job(Phase.FAILED, key=key), trouble=killed, **PREPARE)
    assert "attempt 2 of 5 follows" in plan.verdict.message
    assert ingest("Failed").outcome == "Failed"


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ((), "it wrote nothing to its log"),
        (("one", "", "  two "), "it wrote: one | two"),
        (tuple("abcdefg"), "it wrote: c | d | e | f | g"),
        (("\x1b[31mred\x1b[0m\t!",), "it wrote: [31mred [0m !"),
        (("x" * 500,), "it wrote: " + "x" * 200 + "…"),
    ],
    ids=["nothing", "some", "many", "signs", "long"],
)
def test_its_last_words_are_told_in_bounds(log: tuple[str, ...], words: str) -> None:
    found = prepared.told(spec(**PREPARE), failed(*log))
    assert found.message == f"it ended with exit code 3; {words}"


def test_where_values_are_sensitive_its_words_are_not_told() -> None:
    columns = {"schema": {"columns": [{"name": "who", "sensitive": True}]}}
    found = prepared.told(spec(**PREPARE, **columns), failed("who: hunter2"))
    assert "hunter2" not in found.message
    assert "spec.schema has sensitive columns" in found.message


@pytest.mark.parametrize(
    "found",
    [failed("x", by="runner"), failed("x", reason=Reason.OOM_KILLED), LATE],
    ids=["ours", "out of memory", "late"],
)
def test_of_other_ends_nothing_is_added(found: Diagnosis) -> None:
    assert prepared.told(spec(**PREPARE), found) == found


def pod_of(world: World, state: dict[str, Any], phase: str) -> None:
    labels = {"batch.kubernetes.io/controller-uid": world.job()["metadata"]["uid"]}
    statuses = [{"name": "prepare", "ready": False, "state": state}]
    world.api.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pod", "namespace": NAMESPACE, "labels": labels},
            "spec": {},
            "status": {"phase": phase, "initContainerStatuses": statuses},
        }
    )


async def test_what_it_says_at_its_end_is_in_the_status(world: World, source: FakeStore) -> None:
    assert source.objects
    body = await started(world, **PREPARE)
    message = "Traceback\nKeyError: 'price'\n"
    pod_of(world, {"terminated": {"exitCode": 3, "message": message}}, "Failed")
    world.end_job(world.job(), "Failed", "PodFailurePolicy")
    await run(world)
    told = summary(body)
    assert (told["reason"], told["status"]) == ("PrepareFailed", "False")
    assert "exit code 3" in told["message"]
    assert told["message"].endswith("it wrote: Traceback | KeyError: 'price'")


@pytest.mark.usefixtures("source")
async def test_its_own_log_is_read_and_no_other(world: World) -> None:
    body = await started(world, **PREPARE)
    pod_of(world, {"terminated": {"exitCode": 3}}, "Failed")
    world.end_job(world.job(), "Failed", "PodFailurePolicy")
    await run(world)
    assert summary(body)["message"].endswith("it wrote: log of prepare")


@pytest.mark.usefixtures("source")
async def test_its_deadline_is_held(world: World) -> None:
    body = await started(world, **PREPARE)
    pod_of(world, {"running": {"startedAt": world.now.isoformat()}}, "Pending")
    world.wait(60)
    await run(world)
    assert (summary(body)["reason"], len(world.api.all(JOBS))) == ("Ingesting", 1)
    world.wait(60)
    await run(world)
    assert (summary(body)["reason"], world.api.all(JOBS)) == ("PrepareFailed", [])
    world.wait(600)
    await run(world)
    assert (summary(body)["reason"], world.api.all(JOBS)) == ("PrepareFailed", [])
