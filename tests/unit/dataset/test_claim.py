"""A Dataset on a volume: from the claim to the Job, and when its files are read again."""

import base64
import json
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, World, summary, until_quiet
from tests.unit.dataset.scene import RESULT, cluster, leave_result, process

from tidemill.kube.resources import JOBS, SECRETS

KIND, NAME = "Dataset", "d"
PVC = {"claimName": "deliveries", "path": "day", "format": "CSV", "include": ["*.csv"]}


def spec(**changes: Any) -> dict[str, Any]:
    return {"source": {"pvc": {**PVC, **changes}}, "refresh": {"settlePeriod": "2m"}}


def claim(world: World, *, uid: str = "c1", phase: str = "Bound", **more: Any) -> dict[str, Any]:
    metadata = {
        "name": "deliveries",
        "namespace": NAMESPACE,
        "uid": uid,
        **more.pop("metadata", {}),
    }
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata}
    return world.api.put({**body, "spec": more, "status": {"phase": phase}})


async def run(world: World) -> None:
    await until_quiet(world, process(world)(), KIND, NAME)


async def ready(world: World) -> dict[str, Any]:
    body = world.put(KIND, NAME, spec())
    await run(world)
    cluster(world)()
    await run(world)
    assert summary(body)["status"] == "True"
    return body


def jobs(world: World) -> list[str]:
    return [job["metadata"]["name"] for job in world.api.all(JOBS)]


@pytest.mark.parametrize("phase", ["Bound", "Pending"])
async def test_the_job_has_the_claim_and_knows_the_place(world: World, phase: str) -> None:
    claim(world, phase=phase)
    body = world.put(KIND, NAME, spec())
    await run(world)
    assert summary(body)["message"].startswith("the Job")
    pod = world.job()["spec"]["template"]["spec"]
    [volume] = [v for v in pod["volumes"] if "persistentVolumeClaim" in v]
    assert volume["persistentVolumeClaim"] == {"claimName": "deliveries", "readOnly": True}
    data = world.api.one(SECRETS)["data"]["input.json"]
    assert json.loads(base64.b64decode(data))["source"] == {
        "kind": "Pvc",
        "claim": "deliveries",
        "path": "day",
        "format": "CSV",
        "include": ["*.csv"],
        "settleSeconds": 120.0,
    }


@pytest.mark.parametrize(
    ("made", "reason", "tells"),
    [
        (None, "SourceMissing", "which does not exist in namespace"),
        ({"phase": "Lost"}, "SourceMissing", "whose volume is lost"),
        ({"volumeMode": "Block"}, "SpecInvalid", "a block device without files"),
        (
            {"metadata": {"deletionTimestamp": "2025-01-01T00:00:00Z"}},
            "SourceMissing",
            "which is being deleted",
        ),
    ],
    ids=["missing", "lost", "block", "going"],
)
async def test_a_claim_that_cannot_be_read(
    world: World, made: dict[str, Any] | None, reason: str, tells: str
) -> None:
    if made is not None:
        claim(world, **made)
    body = world.put(KIND, NAME, spec())
    await run(world)
    told = summary(body)
    assert (told["status"], told["reason"]) == ("False", reason)
    assert "spec.source.pvc.claimName names the PersistentVolumeClaim deliveries" in told["message"]
    assert tells in told["message"]
    assert jobs(world) == []
    world.api.objects = {k: v for k, v in world.api.objects.items() if k[2] != "deliveries"}
    claim(world)
    await run(world)
    assert len(jobs(world)) == 1


async def test_it_is_read_once_and_again_when_asked(world: World) -> None:
    claim(world)
    body = await ready(world)
    first = jobs(world)
    world.wait(86_400)
    await run(world)
    assert jobs(world) == first
    world.request(body, "now")
    await run(world)
    assert jobs(world) != first
    leave_result(world, world.job(), RESULT)
    world.end_job(world.job(), "Complete")
    await run(world)
    assert summary(body)["status"] == "True"
    assert len(jobs(world)) == 1


async def test_another_claim_of_the_name_is_another_source(world: World) -> None:
    made = claim(world)
    body = await ready(world)
    first = jobs(world)
    world.api.remove(made)
    await run(world)
    assert summary(body)["reason"] == "SourceMissing"
    assert body["status"]["version"] == RESULT["version"]
    claim(world, uid="c2")
    await run(world)
    assert jobs(world) != first


async def test_a_schedule_reads_it_anew(world: World) -> None:
    claim(world)
    asked = {**spec(), "refresh": {"schedule": "0 3 * * *"}}
    body = world.put(KIND, NAME, asked)
    await run(world)
    cluster(world)()
    await run(world)
    first = jobs(world)
    world.wait(2 * 3600)
    await run(world)
    assert jobs(world) == first
    world.wait(2 * 3600)
    await run(world)
    assert jobs(world) != first
    assert body["status"]["nextRefreshTime"] == "2025-01-02T03:00:00Z"
