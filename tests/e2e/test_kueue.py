"""A run in a queue of Kueue: it waits, trains, is preempted by one more urgent, and goes on."""

from collections.abc import Iterator

import pytest
from tests.apiserver.kubectl import Body, Kubectl
from tests.e2e.components import components_of
from tests.e2e.raw_store import RawStore
from tests.e2e.test_estimators import sample
from tests.e2e.test_path import BUCKET
from tests.e2e.world import World, summary, tells
from tests.support import kueue

NAME = "deliveries-search"
# It looks after those that wait each half minute.
NOTICED = 90.0
# So many that it is at work until the other has come.
TRIALS = 400


@pytest.fixture(scope="module", autouse=True)
def _kueue(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    if components_of(kubectl) is None:
        pytest.skip("Kueue is started beside the local cluster only")
    kueue.install(kubectl)
    try:
        with kueue.running(kubectl, tmp_path_factory.mktemp("kueue")):
            yield
    finally:
        kueue.remove(kubectl)


def queued(world: World, name: str = NAME, **changes: object) -> None:
    """Have a search of some length in a queue."""
    run = sample(world, "search")
    del run["spec"]["search"]["earlyStopping"]
    run["metadata"]["name"] = name
    run["spec"]["search"] |= {"method": "Random", "trials": TRIALS}
    run["spec"] |= {"queueName": "ml", "cache": "Refresh", **changes}
    world.apply_list([sample(world, "dataset"), run])


def says(world: World, words: str) -> None:
    def told(body: Body) -> bool:
        return tells(body, "Queued") and words in summary(body)["message"]

    world.wait("TrainingRun", NAME, told, within=NOTICED)


def test_a_run_is_preempted_and_goes_on_where_it_was(world: World, raw: RawStore) -> None:
    queued(world)
    says(world, "the Job waits in the queue ml: LocalQueue ml doesn't exist")
    # As much as a run asks for where its template says nothing.
    kueue.queues(world.kubectl, world.namespace, "250m", {})
    uid = world.read("TrainingRun", NAME)["metadata"]["uid"]
    trials = f"runs/{world.namespace}/{uid}/search/"
    world.wait("TrainingRun", NAME, lambda _: raw.keys(trials, bucket=BUCKET))
    job = world.read("job", world.read("TrainingRun", NAME)["status"]["job"])
    priority = {"name": world.namespace}
    urgent: Body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 100}
    world.kubectl.apply({**urgent, "metadata": priority})
    try:
        search = {**sample(world, "search")["spec"]["search"], "trials": 2}
        template = {"priorityClassName": world.namespace}
        queued(world, "urgent", search=search, template=template)
        says(world, "it was stopped: Preempted to accommodate a workload")
        status = world.read("TrainingRun", NAME)["status"]
        assert "failure" not in status
        kept = {key: raw.get(key, bucket=BUCKET) for key in raw.keys(trials, bucket=BUCKET)}
        world.wait_ready("TrainingRun", "urgent")
        status = world.wait_ready("TrainingRun", NAME)["status"]
    finally:
        world.kubectl("delete", "priorityclass", world.namespace)
    assert status["job"] == job["metadata"]["name"]
    assert world.read("job", status["job"])["metadata"]["uid"] == job["metadata"]["uid"]
    assert status["search"]["trials"] == TRIALS
    assert "attempt" not in status
    # A trial done again would tell another number of seconds.
    assert {key: raw.get(key, bucket=BUCKET) for key in kept} == kept


def test_a_run_that_is_suspended_leaves_its_queue(world: World) -> None:
    queued(world)
    says(world, "LocalQueue ml doesn't exist")
    assert len(world.list("workloads")) == 1
    world.patch("TrainingRun", NAME, {"spec": {"suspend": True}})
    world.wait_reason("TrainingRun", NAME, "Suspended")
    # With its Job goes its Workload, which belongs to it.
    world.wait("TrainingRun", NAME, lambda _: world.list("workloads") == [])
    world.patch("TrainingRun", NAME, {"spec": {"suspend": False}})
    world.wait_reason("TrainingRun", NAME, "Queued")
