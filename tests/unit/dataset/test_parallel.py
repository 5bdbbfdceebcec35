"""A Dataset that several pods read: one Job, which stays what it was started as."""

import base64
import json
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, FakeStore, World, summary
from tests.unit.dataset.test_reconcile import run, started

from tidemill.kube.resources import SECRETS


@pytest.fixture
def three(source: FakeStore) -> FakeStore:
    """Three objects under the prefix."""
    source.objects |= {f"d/{name}.csv": b"a\n1\n" for name in ("a", "b", "c")}
    return source


def given(world: World) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        base64.b64decode(world.api.one(SECRETS)["data"]["input.json"])
    )
    return document


def pod(world: World, name: str, told: dict[str, Any], code: int, created: str) -> None:
    """A pod of the Job that has ended."""
    labels = {"batch.kubernetes.io/controller-uid": world.job()["metadata"]["uid"]}
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "labels": labels,
        "creationTimestamp": created,
    }
    state = {"terminated": {"exitCode": code, "message": json.dumps(told)}}
    status = {"phase": "Failed", "containerStatuses": [{"name": "runner", "state": state}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": status}
    world.api.put(body)


@pytest.mark.usefixtures("three")
async def test_the_job_has_as_many_pods_as_asked_and_tells_them(world: World) -> None:
    await started(world, parallelism=2)
    spec = world.job()["spec"]
    assert (spec["completions"], spec["parallelism"]) == (2, 2)
    assert given(world)["workers"] == 2


@pytest.mark.usefixtures("three")
async def test_there_are_no_more_pods_than_objects(world: World) -> None:
    await started(world, parallelism=64)
    assert world.job()["spec"]["completions"] == given(world)["workers"] == 3


@pytest.mark.usefixtures("three")
async def test_an_engine_is_told_of_and_kept_whatever_is_asked_then(world: World) -> None:
    body = await started(world, distributed={"engine": "Dask", "workers": 2})
    assert world.job()["spec"]["completions"] == 2
    assert (given(world)["workers"], given(world)["engine"]) == (2, "Dask")
    [runner] = world.job()["spec"]["template"]["spec"]["containers"]
    address = {"fieldRef": {"fieldPath": "status.podIP"}}
    assert {"name": "TIDEMILL_POD_IP", "valueFrom": address} in runner["env"]
    world.edit(body, distributed=None)
    world.api.one(SECRETS)["data"].pop("input.json")
    world.wait(60)
    await run(world)
    assert (given(world)["workers"], given(world)["engine"]) == (2, "Dask")


@pytest.mark.usefixtures("three")
async def test_one_pod_is_told_nothing_of_others(world: World) -> None:
    await started(world, parallelism=1)
    assert "workers" not in given(world)
    assert "completions" not in world.job()["spec"]


@pytest.mark.usefixtures("three")
async def test_a_job_that_runs_keeps_its_pods_whatever_is_asked_then(world: World) -> None:
    body = await started(world, parallelism=2)
    job, name = world.job(), world.job()["metadata"]["name"]
    world.edit(body, parallelism=3)
    job["spec"]["parallelism"] = 1  # somebody scales it
    world.api.one(SECRETS)["data"].pop("input.json")
    world.wait(60)
    await run(world)
    assert world.job()["metadata"]["name"] == name
    assert (world.job()["spec"]["completions"], world.job()["spec"]["parallelism"]) == (2, 2)
    assert given(world)["workers"] == 2


@pytest.mark.usefixtures("three")
async def test_the_pod_that_the_job_failed_for_is_told_of(world: World) -> None:
    body = await started(world, parallelism=3)
    ragged = {"reason": "RaggedRows", "message": "a.csv, row 3", "log": ["x"]}
    away = {"reason": "StoreUnavailable", "message": "the store is away", "log": ["x"]}
    pod(world, "j-1-early", away, 30, "2026-01-01T00:00:00Z")
    pod(world, "j-0-first", ragged, 20, "2026-01-01T00:00:01Z")
    pod(world, "j-2-late", away, 30, "2026-01-01T00:00:02Z")
    job = world.job()
    world.end_job(job, "Failed", "PodFailurePolicy")
    job["status"]["conditions"][0]["message"] = (
        f"Container runner for pod {NAMESPACE}/j-0-first failed with exit code 20 matching "
        "FailJob rule at index 2"
    )
    await run(world)
    assert (summary(body)["reason"], summary(body)["status"]) == ("RaggedRows", "False")
