"""A run in a queue against Kueue's real API: what it says is told, what it writes is let be.

Its controller is a stand-in (tests/support/kueue.py).
"""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from tests.apiserver.kubectl import Body, Kubectl
from tests.support import kueue
from tests.support.kueue import NO_QUOTA, PREEMPTED, QUEUE_LABEL, StandIn
from tests.unit.children.fixtures import new_world
from tests.unit.children.world import NAMESPACE, World
from tests.unit.training.scene import SPEC, VERSION, process

from tidemill.engine.key import Key
from tidemill.kube.client import Client

__all__ = ["new_world"]
API = "tidemill.dev/v1alpha1"


@pytest.fixture(scope="module", autouse=True)
def _data(kubectl: Kubectl) -> Iterator[None]:
    """Have a Dataset with a version, in the namespace of the tests' world."""
    place = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    kubectl.apply(place)
    source = {"s3": {"bucket": "raw", "format": "CSV"}}
    metadata = {"name": "data", "namespace": NAMESPACE}
    body = {"apiVersion": API, "kind": "Dataset", "metadata": metadata, "spec": {"source": source}}
    kubectl.apply(body)
    change = f'{{"status": {{"version": "{VERSION}", "conditions": []}}}}'
    flags = ("--subresource=status", "--type=merge", "-p", change)
    kubectl("patch", "dataset.tidemill.dev", "data", "-n", NAMESPACE, *flags)
    yield
    kubectl("delete", "trainingruns,datasets.tidemill.dev,jobs", "--all", "-n", NAMESPACE)


@pytest.fixture(scope="module")
def _kueue(kubectl: Kubectl) -> Iterator[None]:
    kueue.install(kubectl)
    yield
    kueue.remove(kubectl)


class Run:
    """One run, reconciled against the API server."""

    def __init__(self, kubectl: Kubectl, client: Client, world: World, name: str) -> None:
        self.kubectl, self.name = kubectl, name
        world.api = cast("Any", client)
        self._reconcile = process(world)()

    def apply(self, **changes: Any) -> None:
        metadata = {"name": self.name, "namespace": NAMESPACE}
        spec = {**SPEC, "queueName": "ml", **changes}
        body = {"apiVersion": API, "kind": "TrainingRun", "metadata": metadata, "spec": spec}
        self.kubectl.apply(body)

    async def reconciled(self) -> tuple[str, str]:
        """The reason and the message of the summary after two passes."""
        for _ in range(2):
            await self._reconcile(Key("TrainingRun", NAMESPACE, self.name))
        first = self.body()["status"]["conditions"][0]
        return first["reason"], first["message"]

    def body(self) -> Body:
        return self.kubectl.get("trainingrun", self.name, "-n", NAMESPACE)

    def job(self) -> Body:
        name = self.body()["status"]["job"]
        return self.kubectl.get("job", name, "-n", NAMESPACE)


@pytest.fixture
def run(kubectl: Kubectl, client: Client, new_world: Any, request: pytest.FixtureRequest) -> Run:
    name = request.node.name.replace("_", "-")[:40].strip("-")
    return Run(kubectl, client, new_world(), name)


async def test_a_cluster_without_kueue(run: Run) -> None:
    run.apply()
    reason, message = await run.reconciled()
    assert reason == "Queued"
    assert "there is no Kueue in this cluster" in message
    types = {one["type"] for one in run.body()["status"]["conditions"]}
    assert "Stalled" in types
    assert run.job()["spec"]["suspend"] is True


@pytest.mark.usefixtures("_kueue")
async def test_it_waits_trains_is_preempted_and_trains_again(run: Run, kubectl: Kubectl) -> None:
    run.apply()
    reason, message = await run.reconciled()
    assert (reason, "waits for Kueue to take it into the queue ml" in message) == ("Queued", True)
    job, stand_in = run.job(), StandIn(kubectl, NAMESPACE)
    assert job["metadata"]["labels"][QUEUE_LABEL] == "ml"
    stand_in.take(job)
    assert await run.reconciled() == ("Queued", f"the Job waits in the queue ml: {NO_QUOTA}")
    stand_in.admit(job)
    admitted = run.job()
    assert (await run.reconciled())[0] == "Training"
    assert run.job() == admitted
    assert admitted["spec"]["template"]["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
    stand_in.preempt(job)
    preempted = run.job()
    reason, message = await run.reconciled()
    assert reason == "Queued"
    assert PREEMPTED in message
    assert run.job() == preempted
    stand_in.admit(job)
    assert (await run.reconciled())[0] == "Training"
    assert "failure" not in run.body()["status"]


@pytest.mark.usefixtures("_kueue")
async def test_what_kueue_does_not_own_is_held(run: Run, kubectl: Kubectl) -> None:
    run.apply(deadline="10m")
    await run.reconciled()
    job = run.job()
    change = '{"spec": {"activeDeadlineSeconds": 9999}, "metadata": {"labels": {"%s": null}}}'
    flags = ("--type=merge", "-p", change % QUEUE_LABEL)
    kubectl("patch", "job", job["metadata"]["name"], "-n", NAMESPACE, *flags)
    await run.reconciled()
    held = run.job()
    assert held["spec"]["activeDeadlineSeconds"] == 600
    assert held["spec"]["suspend"] is True
    assert held["metadata"]["labels"][QUEUE_LABEL] == "ml"


@pytest.mark.usefixtures("_kueue")
async def test_a_search_over_pods_is_taken_as_one(run: Run, kubectl: Kubectl) -> None:
    search = {
        "method": "Random",
        "trials": 4,
        "parallelism": 3,
        "space": {"m__strategy": {"values": ["prior"]}},
    }
    run.apply(search=search, distributed={"workers": 3})
    await run.reconciled()
    workload = StandIn(kubectl, NAMESPACE).take(run.job())
    assert workload["spec"]["podSets"][0]["count"] == 3
    assert (await run.reconciled())[0] == "Queued"
