"""A Dataset from a volume: what is told of its claim, and when its Job reads it anew."""

import base64
import json
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, World, once, summary, until_quiet
from tests.unit.dataset.scene import RESULT, leave_result, process

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.sources import PvcSource
from tidemill.dataset.claim_probe import judge
from tidemill.dataset.observed import Listing, SourceProblem
from tidemill.dataset.plan import ingest_key
from tidemill.kube.resources import JOBS, SECRETS

KIND, NAME, CLAIM = "Dataset", "d", "deliveries"
PVC: dict[str, Any] = {"claimName": CLAIM, "path": "power/2026", "format": "CSV"}
OTHER = "sha256:" + "2" * 64


def claim(phase: str = "Bound", uid: str = "c1", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": NAMESPACE, "uid": uid},
        "spec": {"volumeMode": "Filesystem", **spec},
        "status": {"phase": phase},
    }


def source(**changes: Any) -> PvcSource:
    return PvcSource.model_validate({**PVC, **changes})


def listed(body: dict[str, Any], **changes: Any) -> Listing:
    found = judge(body, NAMESPACE, source(**changes))
    assert isinstance(found, Listing), found
    return found


@pytest.mark.parametrize("phase", ["Bound", "Pending"])
def test_a_claim_is_read_once_and_nothing_is_known_of_its_files(phase: str) -> None:
    found = listed(claim(phase))
    assert (found.objects, found.bytes, found.settled, found.weak) == (0, 0, True, True)
    assert found == listed(claim())


def test_a_new_claim_without_a_status_is_taken() -> None:
    body = claim()
    del body["status"]
    assert listed(body) == listed(claim())


def test_another_claim_or_path_is_another_source() -> None:
    marks = {
        listed(claim()).fingerprint,
        listed(claim(uid="c2")).fingerprint,
        listed(claim(), path="power").fingerprint,
        listed(claim(), claimName="others").fingerprint,
    }
    assert len(marks) == 4


DELETED = {**claim(), "metadata": {**claim()["metadata"], "deletionTimestamp": "now"}}


@pytest.mark.parametrize(
    ("body", "reason", "tells"),
    [
        (None, Reason.SOURCE_MISSING, ("does not exist in namespace ns", "create it")),
        (claim("Lost"), Reason.SOURCE_MISSING, ("phase Lost", "restore the PersistentVolume")),
        (DELETED, Reason.SOURCE_MISSING, ("is being deleted", "create it anew")),
        (claim(volumeMode="Block"), Reason.SPEC_INVALID, ("block device", "Filesystem")),
    ],
    ids=["missing", "lost", "being deleted", "block device"],
)
def test_a_claim_that_no_pod_can_read(
    body: dict[str, Any] | None, reason: Reason, tells: tuple[str, ...]
) -> None:
    found = judge(body, NAMESPACE, source())
    assert isinstance(found, SourceProblem)
    assert (found.reason, found.passing, found.waits) == (reason, False, False)
    for text in ("spec.source.pvc.claimName", f"PersistentVolumeClaim {CLAIM}", *tells):
        assert text in found.message


def put(world: World, refresh: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    world.api.put(claim())
    more = {"refresh": refresh} if refresh else {}
    return world.put(KIND, NAME, {"source": {"pvc": {**PVC, **changes}}, **more})


async def run(world: World) -> None:
    await until_quiet(world, process(world)(), KIND, NAME)


async def succeed(world: World, **result: Any) -> None:
    leave_result(world, world.job(), {**RESULT, **result})
    world.end_job(world.job(), "Complete")
    await run(world)


def given(world: World) -> dict[str, Any]:
    """Give the input document of the Job, as its pod reads it."""
    [secret] = [s for s in world.api.all(SECRETS) if "input.json" in s["data"]]
    document: dict[str, Any] = json.loads(base64.b64decode(secret["data"]["input.json"]))
    return document


async def test_the_job_is_told_where_and_mounts_the_claim_to_read(world: World) -> None:
    signs = {"include": ["*.csv.gz"], "partitions": "Hive", "csv": {"delimiter": ";"}}
    put(world, {"settlePeriod": "1m"}, **signs)
    await run(world)
    told = given(world)["source"]
    assert told.pop("csv")["delimiter"] == ";"
    assert told == {
        "kind": "Pvc",
        "claim": CLAIM,
        "root": "/volume",
        "path": "power/2026",
        "format": "CSV",
        "settleSeconds": 60.0,
        "include": ["*.csv.gz"],
        "partitions": "Hive",
    }
    pod = world.job()["spec"]["template"]["spec"]
    [volume] = [one for one in pod["volumes"] if "persistentVolumeClaim" in one]
    assert volume["persistentVolumeClaim"] == {"claimName": CLAIM, "readOnly": True}
    mounts = pod["containers"][0]["volumeMounts"]
    [mount] = [one for one in mounts if one["name"] == volume["name"]]
    assert (mount["mountPath"], mount["readOnly"]) == ("/volume", True)


async def test_it_is_ingested_at_once_and_then_left_alone(world: World) -> None:
    body = put(world)
    await once(process(world)(), KIND, NAME)
    assert "only its Job sees" in summary(body)["message"]
    await run(world)
    await succeed(world)
    assert (summary(body)["status"], body["status"]["source"]["objects"]) == ("True", 0)
    result = await once(process(world)(), KIND, NAME)
    assert result is not None
    assert result.requeue_after is None
    world.wait(86_400)
    await run(world)
    assert world.job()["metadata"]["annotations"]["tidemill.dev/attempt"] == "1"


async def test_a_reconcile_asked_for_reads_anew_once(world: World) -> None:
    body = put(world)
    await run(world)
    await succeed(world)
    world.request(body, "now")
    await run(world)
    assert world.job()["metadata"]["annotations"]["tidemill.dev/attempt"] == "2"
    assert given(world)["why"] == "Requested"
    await succeed(world, version=OTHER)
    assert (body["status"]["version"], summary(body)["status"]) == (OTHER, "True")
    before = len(world.api.writes)
    await run(world)
    assert len(world.api.writes) == before


async def test_each_time_of_a_schedule_reads_anew(world: World) -> None:
    body = put(world, {"schedule": "@daily"})
    await run(world)
    await succeed(world)
    world.wait(86_400)
    await run(world)
    assert world.job()["metadata"]["annotations"]["tidemill.dev/attempt"] == "2"
    assert given(world)["why"] == "Scheduled"
    await succeed(world, version=OTHER)
    assert (body["status"]["version"], summary(body)["status"]) == (OTHER, "True")


@pytest.mark.parametrize("what", ["claim", "path"])
async def test_another_claim_or_path_is_read(world: World, what: str) -> None:
    body = put(world)
    await run(world)
    await succeed(world)
    first = world.job()["metadata"]["name"]
    if what == "claim":
        world.api.put(claim(uid="c2"))
    else:
        world.edit(body, source={"pvc": {**PVC, "path": "power/2027"}})
    await run(world)
    assert world.job()["metadata"]["name"] != first
    assert summary(body)["reason"] == "Ingesting"


async def test_a_missing_claim_starts_no_job_and_heals_when_it_comes(world: World) -> None:
    body = world.put(KIND, NAME, {"source": {"pvc": PVC}})
    await run(world)
    result = await once(process(world)(), KIND, NAME)
    assert result is not None
    assert result.requeue_after == 30.0
    assert summary(body)["reason"] == "SourceMissing"
    assert {c["type"] for c in body["status"]["conditions"]} == {"Ready", "Stalled"}
    assert world.api.all(JOBS) == []
    world.api.put(claim("Pending"))
    await run(world)
    assert summary(body)["reason"] == "Ingesting"


async def test_a_claim_that_is_lost_leaves_the_version_in_use(world: World) -> None:
    body = put(world)
    await run(world)
    await succeed(world)
    world.api.put(claim("Lost"))
    await run(world)
    assert summary(body)["reason"] == "SourceMissing"
    assert "stays in use" in summary(body)["message"]
    world.api.put(claim())
    await run(world)
    assert (summary(body)["reason"], body["status"]["ingest"]["attempts"]) == ("Ready", 1)


async def test_a_volume_that_is_not_mounted_is_told(world: World) -> None:
    body = put(world)
    await run(world)
    times = {"lastTransitionTime": world.now.isoformat()}
    conditions = [
        {"type": "PodScheduled", "status": "True", **times},
        {"type": "PodReadyToStartContainers", "status": "False", **times},
    ]
    labels = {"batch.kubernetes.io/controller-uid": world.job()["metadata"]["uid"]}
    world.api.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pod", "namespace": NAMESPACE, "labels": labels},
            "spec": {**world.job()["spec"]["template"]["spec"], "nodeName": "n1"},
            "status": {"phase": "Pending", "conditions": conditions},
        }
    )
    world.wait(61)
    await run(world)
    assert summary(body)["reason"] == "SourceUnavailable"
    assert f"has not mounted the volume of claim {CLAIM}" in summary(body)["message"]
    assert {c["type"] for c in body["status"]["conditions"]} == {"Ready", "Reconciling"}


async def test_the_deadline_names_the_field_of_the_source(world: World) -> None:
    body = put(world)
    await run(world)
    world.end_job(world.job(), "Failed", "DeadlineExceeded")
    await run(world)
    assert "narrow spec.source.pvc.path" in summary(body)["message"]


def key(fingerprint: str = "f", refresh: dict[str, Any] | None = None, **changes: Any) -> str:
    spec = {"source": {"pvc": {**PVC, **changes}}, "refresh": refresh}
    return ingest_key(DatasetSpec.model_validate(spec), fingerprint)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"refresh": {"settlePeriod": "1h"}}, True),
        ({"partitions": None, "include": None}, True),
        ({"fingerprint": "g"}, False),
        ({"path": ""}, False),
        ({"include": ["*.csv"]}, False),
        ({"partitions": "Hive"}, False),
        ({"format": "Parquet"}, False),
    ],
    ids=["period", "defaults", "claim", "path", "globs", "partitions", "format"],
)
def test_the_key_is_of_what_is_read(changes: dict[str, Any], same: bool) -> None:
    assert (key(**changes) == key()) is same
