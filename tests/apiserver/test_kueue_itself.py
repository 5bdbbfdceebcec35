"""A run in a queue of Kueue itself: its own controller admits, holds back and preempts the Job.

Kubernetes' own Job controller runs beside it; there is no kubelet, and pods stay as they are made.
"""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.apiserver.control_plane import binary
from tests.apiserver.kubectl import Body, Kubectl
from tests.apiserver.test_kueue import Run, _data, new_world
from tests.apiserver.waiting import eventually
from tests.support import kueue
from tests.support.children import with_parent
from tests.unit.children.world import NAMESPACE, World

from tidemill.kube.client import Client

__all__ = ["_data", "new_world"]
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="Kueue needs a view of /etc of its own")
NOTICED = 60.0
ONE_CPU = {"resources": {"requests": {"cpu": "1", "memory": "64Mi"}}}
WHERE = {"pool": "spot"}


@pytest.fixture(scope="module", autouse=True)
def _kueue(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("kueue")
    controllers = (
        f"--kubeconfig={kubectl.kubeconfig}",
        "--controllers=job-controller,garbage-collector-controller",
        "--leader-elect=false",
        "--secure-port=0",
    )
    kueue.install(kubectl)
    with (folder / "jobs.log").open("w") as log:
        jobs = subprocess.Popen(
            with_parent(str(binary("kube-controller-manager")), *controllers),
            stdout=log,
            stderr=log,
        )
    try:
        with kueue.running(kubectl, folder):
            yield
    finally:
        kueue.remove(kubectl)
        jobs.kill()
        jobs.wait()


Begin = Callable[..., Run]


@pytest.fixture
def begin(kubectl: Kubectl, client: Client, new_world: Callable[[], World]) -> Begin:
    def made(name: str, **changes: Any) -> Run:
        run = Run(kubectl, client, new_world(), name)
        run.apply(template={**ONE_CPU, **changes.pop("template", {})}, **changes)
        return run

    return made


async def until(run: Run, reason: str, words: str) -> None:
    """Reconcile until the run says so, as the operator does time and again."""
    end = time.monotonic() + NOTICED
    while True:
        found, message = await run.reconciled()
        if found == reason and words in message:
            return
        assert time.monotonic() < end, (found, message)


async def test_it_waits_for_quota_trains_is_preempted_and_trains_again(
    kubectl: Kubectl, begin: Begin
) -> None:
    first = begin("first")
    await until(first, "Queued", "in the queue ml: LocalQueue ml doesn't exist")
    kueue.queues(kubectl, NAMESPACE, "1", WHERE)
    await until(first, "Training", "trains")
    admitted = first.job()["spec"]
    assert (admitted["suspend"], admitted["template"]["spec"]["nodeSelector"]) == (False, WHERE)
    second = begin("second", seed=2)
    await until(second, "Queued", "insufficient unused quota for cpu in flavor ns, 1 more needed")
    body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 100}
    kubectl.apply({**body, "metadata": {"name": "urgent"}})
    urgent = begin("urgent", seed=3, template={"priorityClassName": "urgent"})
    await until(urgent, "Training", "trains")
    await until(first, "Queued", "it was stopped: Preempted to accommodate a workload")
    preempted = first.job()
    assert preempted["spec"]["suspend"] is True
    assert "failure" not in first.body()["status"]
    kubectl("delete", "trainingrun", "urgent", "-n", NAMESPACE)
    await until(first, "Training", "trains")
    assert first.job()["metadata"]["uid"] == preempted["metadata"]["uid"]
    assert "attempt" not in first.body()["status"]
    kubectl("patch", "trainingrun", "first", "-n", NAMESPACE, "--type=merge", "-p", SUSPENDED)
    await until(first, "Suspended", "spec.suspend is true")
    # Its place is free: the next one in the queue has it.
    await until(second, "Training", "trains")


SUSPENDED = '{"spec": {"suspend": true}}'


INDEX = "batch.kubernetes.io/job-completion-index"
TOGETHER = {
    "container": {
        "image": "registry.example/code@sha256:" + "c" * 64,
        "command": ["fit"],
        "parallelism": 2,
    }
}


def ranks(kubectl: Kubectl, run: Run) -> dict[str, Body]:
    """The pods of a run that have not ended, by their numbers."""
    job = run.job()["metadata"]["name"]
    found = kubectl.get("pods", "-n", NAMESPACE, "-l", f"batch.kubernetes.io/job-name={job}")
    living = [pod for pod in found["items"] if pod["status"]["phase"] == "Pending"]
    return {pod["metadata"]["annotations"][INDEX]: pod for pod in living}


async def both(kubectl: Kubectl, run: Run) -> dict[str, Body]:
    """Wait until both are there."""

    async def ask() -> dict[str, Body] | None:
        found = await asyncio.to_thread(ranks, kubectl, run)
        return found if found.keys() == {"0", "1"} else None

    found = await eventually(ask, NOTICED)
    assert found is not None
    return found


def end(kubectl: Kubectl, pod: Body, code: int) -> None:
    """Have a pod's code end as the kubelet would say it."""
    state = {"terminated": {"exitCode": code, "finishedAt": "2025-01-01T00:00:00Z"}}
    container = {"name": "train", "image": "i", "imageID": "i", "restartCount": 0}
    statuses = [{**container, "ready": False, "state": state}]
    change = {"status": {"phase": "Failed", "initContainerStatuses": statuses}}
    flags = ("--subresource=status", "--type=merge", "-p", json.dumps(change))
    kubectl("patch", "pod", pod["metadata"]["name"], "-n", NAMESPACE, *flags)


async def test_ranks_start_together_a_lost_one_is_replaced_and_one_that_fails_ends_all(
    kubectl: Kubectl, begin: Begin
) -> None:
    kubectl("delete", "trainingruns", "--all", "-n", NAMESPACE)
    kueue.queues(kubectl, NAMESPACE, "1", WHERE)
    run = begin("ranks", estimator=TOGETHER)
    await until(run, "Queued", "insufficient quota for cpu in flavor ns")
    assert ranks(kubectl, run) == {}
    kueue.queues(kubectl, NAMESPACE, "3", WHERE)
    await until(run, "Training", "trains")
    before, job = await both(kubectl, run), run.job()["metadata"]["name"]
    [service] = kubectl.get("services", "-n", NAMESPACE)["items"]
    place = service["metadata"]["name"]
    for number, pod in before.items():
        spec = pod["spec"]
        assert (spec["hostname"], spec["subdomain"]) == (f"{job}-{number}", place)
        assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    # Both edits are somebody else's; what the Service was to be is told by the run alone.
    kubectl("delete", "service", place, "-n", NAMESPACE)
    await run.reconciled()
    foreign = '{"spec": {"publishNotReadyAddresses": false, "selector": {"x": "y"}}}'
    kubectl("patch", "service", place, "-n", NAMESPACE, "--type=merge", "-p", foreign)
    await run.reconciled()
    again = kubectl.get("service", place, "-n", NAMESPACE)["spec"]
    assert again["selector"] == service["spec"]["selector"]
    assert again["publishNotReadyAddresses"] is True
    end(kubectl, before["1"], 143)
    after = await both(kubectl, run)
    assert after["0"]["metadata"]["uid"] == before["0"]["metadata"]["uid"]
    assert after["1"]["metadata"]["uid"] != before["1"]["metadata"]["uid"]
    assert after["1"]["spec"]["hostname"] == before["1"]["spec"]["hostname"]
    end(kubectl, after["1"], 3)
    await until(run, "FitFailed", "spec.estimator.container of rank 1 ended with exit code 3")
    assert kubectl.get("services", "-n", NAMESPACE)["items"] == []
