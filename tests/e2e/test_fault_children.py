"""Jobs and Secrets that somebody removes or edits: each comes back, and nothing runs twice.

All is done at once in one namespace. The Jobs' pods fit on no node at first, so that what is done
to a Job or its Secret is done while it is needed; when all is mended, the node is made to fit.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from tests.apiserver.kubectl import Body
from tests.e2e import specs
from tests.e2e.journey import JOB_NAME, SLOW, is_fitting
from tests.e2e.marks import LABELS, is_marked
from tests.e2e.node_gate import node_gate
from tests.e2e.raw_store import RawStore
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.world import World, condition, eventually, settled, summary

KINDS = ("Dataset", "TrainingRun")
# Nothing watches Secrets: they are looked at while a pod is waited for, every 30 seconds.
MENDED_SECONDS = 75.0


@dataclass(frozen=True)
class Fault:
    """What is done to a child, and how to see that it is as it was; `before` is the child."""

    child: str
    edit: Mapping[str, Any] | None  # None: it is deleted
    mended: Callable[[Body, Body], object]

    def inflict(self, world: World, name: str) -> None:
        if self.edit is None:
            world.delete(self.child, name)
        else:
            world.patch(self.child, name, self.edit)


def is_another(before: Body, now: Body) -> bool:
    return bool(now["metadata"]["uid"] != before["metadata"]["uid"])


def same_keys(before: Body, now: Body) -> bool:
    return (now.get("data") or {}).keys() == before["data"].keys() and is_another(before, now)


FAULTS = {
    "job-deleted": Fault("job", None, is_another),
    "job-suspended": Fault(
        "job", {"spec": {"suspend": True}}, lambda _, now: not now["spec"]["suspend"]
    ),
    "job-given-more-tries": Fault(
        "job", {"spec": {"backoffLimit": 9}}, lambda _, now: now["spec"]["backoffLimit"] == 2
    ),
    "job-without-labels": Fault("job", {"metadata": {"labels": dict.fromkeys(LABELS)}}, is_marked),
    "job-without-owner": Fault("job", {"metadata": {"ownerReferences": None}}, is_marked),
    "secret-deleted": Fault("secret", None, same_keys),
    "secret-emptied": Fault("secret", {"data": None}, same_keys),
    "secret-with-a-wrong-key": Fault("secret", {"data": {"access-key": "d3Jvbmc="}}, same_keys),
}
CASES = [(kind, fault) for kind in KINDS for fault in FAULTS]


def name_of(kind: str, fault: str) -> str:
    return f"{fault}-{kind.lower()[:4]}"


@dataclass
class Ward:
    """The namespace in which all faults were inflicted, and which children never recovered."""

    world: World
    lost: dict[tuple[str, str], Any]


@pytest.fixture(scope="module")
def ward(common: World, raw: RawStore) -> Iterator[Ward]:
    with node_gate(common) as gate:
        start(common, raw, gate.template)
        before = {case: inflict(common, *case) for case in CASES}
        lost = {case: left for case in CASES if (left := not_mended(common, case, before[case]))}
        gate.open()
        yield Ward(common, lost)


def start(world: World, raw: RawStore, template: Mapping[str, Any]) -> None:
    """Have a Dataset and a TrainingRun for each fault, all with a Job that waits for a node."""
    raw.put(f"{world.namespace}/data/one.csv", rows(100))
    dataset = specs.dataset(f"{world.namespace}/data/")
    world.apply("Dataset", "data", dataset)
    run = specs.training_run("data", template=template)
    world.apply_all("TrainingRun", {name_of("TrainingRun", fault): run for fault in FAULTS})
    waiting = {**dataset, "template": template}
    world.apply_all("Dataset", {name_of("Dataset", fault): waiting for fault in FAULTS})
    eventually(lambda: len(pods(world, "Pending")) == len(CASES))


def pods(world: World, phase: str) -> list[Body]:
    return world.list("pods", "-l", JOB_NAME, f"--field-selector=status.phase={phase}")


def child_of(world: World, kind: str, fault: str) -> str:
    """Give the name of the one Job, which is also its Secret's."""
    (job,) = jobs_of(world, kind, fault)
    return str(job["metadata"]["name"])


def jobs_of(world: World, kind: str, fault: str) -> list[Body]:
    uid = world.read(kind, name_of(kind, fault))["metadata"]["uid"]
    return world.list("jobs", "-l", f"tidemill.dev/owner-uid={uid}")


def inflict(world: World, kind: str, fault: str) -> Body:
    name = child_of(world, kind, fault)
    child = world.read(FAULTS[fault].child, name)
    FAULTS[fault].inflict(world, name)
    return child


def not_mended(world: World, case: tuple[str, str], before: Body) -> Body | None:
    """Wait until a child is as it was; gives it as it is when that never happens."""
    fault = FAULTS[case[1]]
    name = before["metadata"]["name"]
    try:
        world.wait(fault.child, name, lambda now: fault.mended(before, now), MENDED_SECONDS)
    except AssertionError:
        return world.get(fault.child, name) or {"metadata": None}
    return None


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_child_that_somebody_touches_is_mended_and_the_work_ends(
    ward: Ward, kind: str, fault: str
) -> None:
    left = ward.lost.get((kind, fault))
    assert left is None, f"it stayed as it was made: {left['metadata'] if left else None}"
    body = ward.world.wait_ready(kind, name_of(kind, fault))
    assert not condition(body, "Stalled")
    (job,) = jobs_of(ward.world, kind, fault)
    assert job["status"]["succeeded"] == 1


def test_a_run_whose_job_is_deleted_while_it_trains_trains_anew_on_what_was_pinned(
    ward: Ward, raw: RawStore
) -> None:
    world = ward.world
    raw.put(f"{world.namespace}/own/one.csv", rows(100))
    world.apply("Dataset", "own", specs.dataset(f"{world.namespace}/own/"))
    world.apply("TrainingRun", "training", specs.training_run("own", estimator=SLOW))
    name = world.wait("TrainingRun", "training", is_fitting)["status"]["job"]
    job, pinned = (
        world.read("job", name),
        world.read("TrainingRun", "training")["status"]["applied"],
    )
    assert not job["status"].get("succeeded"), "it had ended already"
    world.delete("job", name, "--wait=false")
    raw.put(f"{world.namespace}/own/two.csv", rows(10))
    world.wait("job", name, lambda now: is_another(job, now))
    world.wait("Dataset", "own", lambda b: settled(b) and b["status"]["rows"] == 110)
    ended = world.wait_ready("TrainingRun", "training")
    assert ended["status"]["applied"] == pinned
    assert summary(ended)["reason"] == "Succeeded"


def test_a_run_whose_pod_is_deleted_while_it_trains_ends_all_the_same(ward: Ward) -> None:
    world = ward.world
    world.apply("TrainingRun", "robbed", specs.training_run("data", estimator=SLOW))
    name = world.wait("TrainingRun", "robbed", is_fitting)["status"]["job"]
    (pod,) = world.list("pods", "-l", f"{JOB_NAME}={name}")
    world.delete("pod", pod["metadata"]["name"], "--wait=false")
    ended = world.wait_ready("TrainingRun", "robbed")
    assert ended["status"]["job"] == name
    job = world.read("job", name)
    assert (job["status"]["succeeded"], job["status"].get("failed", 0)) in {(1, 0), (1, 1)}


def test_a_run_that_is_deleted_while_it_trains_leaves_nothing(ward: Ward, raw: RawStore) -> None:
    world = ward.world
    # A cached result would end it before it began.
    world.apply("TrainingRun", "dropped", specs.training_run("data", estimator=SLOW, seed=11))
    run = world.wait("TrainingRun", "dropped", is_fitting)
    name, uid = run["status"]["job"], run["metadata"]["uid"]
    assert world.list("pods", "-l", f"{JOB_NAME}={name}")
    world.delete("TrainingRun", "dropped")

    def nothing_left() -> bool:
        label = f"tidemill.dev/owner-uid={uid}"
        left = [world.list(kind, "-l", label) for kind in ("jobs", "pods", "secrets")]
        return not any(left)

    eventually(nothing_left, MENDED_SECONDS)
    assert raw.keys(f"models/{world.namespace}/dropped/", bucket=BUCKET) == []
