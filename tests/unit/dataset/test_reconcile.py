"""A Dataset and its world, where a decision alone does not show what happens."""

import base64
import json
from typing import Any

import pytest
from tests.unit.children.world import (
    NAMESPACE,
    FakeStore,
    World,
    condition_types,
    once,
    summary,
    until_quiet,
)
from tests.unit.dataset.scene import RESULT, SPEC, VERSION, cluster, process

from tidemill.kube.errors import Forbidden, Invalid
from tidemill.kube.resources import JOBS, SECRETS
from tidemill.store.errors import AccessDenied, BucketMissing, StoreError, Unavailable

KIND, NAME = "Dataset", "d"


async def run(world: World) -> None:
    await until_quiet(world, process(world)(), KIND, NAME)


async def settled(world: World) -> None:
    await run(world)
    world.wait(10)
    await run(world)


async def started(world: World, **changes: Any) -> dict[str, Any]:
    body = world.put(KIND, NAME, {**SPEC, **changes})
    await settled(world)
    assert len(world.api.all(JOBS)) == 1
    return body


async def ready(world: World) -> dict[str, Any]:
    body = await started(world)
    cluster(world)()
    await run(world)
    assert summary(body)["status"] == "True"
    return body


def fail(world: World, reason: str, code: int) -> None:
    """End the Job as a refusal by its pod ends it."""
    job = world.job()
    labels = {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}
    metadata = {"name": "pod", "namespace": NAMESPACE, "labels": labels}
    told = json.dumps({"reason": reason, "message": "a.csv, row 3"})
    state = {"terminated": {"exitCode": code, "message": told}}
    status = {"phase": "Failed", "containerStatuses": [{"name": "runner", "state": state}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": status}
    world.api.put(body)
    world.end_job(job, "Failed", "PodFailurePolicy")


async def refused(world: World) -> dict[str, Any]:
    body = await started(world)
    fail(world, "RaggedRows", 20)
    await run(world)
    assert summary(body)["reason"] == "RaggedRows"
    return body


async def test_what_the_runner_is_given(world: World, source: FakeStore) -> None:
    assert source.objects
    await started(world)
    data = world.api.one(SECRETS)["data"]
    given = json.loads(base64.b64decode(data["input.json"]))
    assert (given["source"]["bucket"], given["source"]["prefix"]) == ("raw", "d/")
    assert given["fingerprint"].startswith("sha256:")
    assert given["output"].endswith(f"/{world.job()['metadata']['name']}/")
    assert base64.b64decode(data["access-key"]) == b"SHORT1"


@pytest.mark.usefixtures("source")
async def test_a_feature_table_is_judged_as_one(world: World) -> None:
    entity = {"key": ["site"], "timestamp": "ts"}
    await started(world, entity=entity)
    given = json.loads(base64.b64decode(world.api.one(SECRETS)["data"]["input.json"]))
    assert given["entity"] == entity


@pytest.mark.usefixtures("source")
async def test_at_rest_nothing_is_written(world: World) -> None:
    await ready(world)
    before = len(world.api.writes)
    for _ in range(3):
        world.wait(60)
        result = await once(process(world)(), KIND, NAME)
        assert result is not None
        assert result.requeue_after == 60.0
    assert len(world.api.writes) == before


@pytest.mark.usefixtures("source")
async def test_nothing_is_done_for_what_is_being_deleted(world: World) -> None:
    body = await started(world)
    body["metadata"]["deletionTimestamp"] = "2025-01-01T00:00:00Z"
    cluster(world)()
    before = len(world.api.writes)
    await once(process(world)(), KIND, NAME)
    assert len(world.api.writes) == before


async def test_a_source_that_changes_during_its_job_is_read_anew(
    world: World, source: FakeStore
) -> None:
    body = await started(world)
    first = world.job()["metadata"]["name"]
    source.objects["d/b.csv"] = b"a\n2\n"
    await run(world)
    assert [j["metadata"]["name"] for j in world.api.all(JOBS)] == [first]  # until it settles
    world.wait(10)
    await run(world)
    assert world.job()["metadata"]["name"] != first
    assert len(world.api.all(SECRETS)) == 1
    cluster(world)()
    await run(world)
    assert summary(body)["status"] == "True"


@pytest.mark.usefixtures("source")
async def test_another_prefix_during_its_job_is_read_instead(
    world: World, source: FakeStore
) -> None:
    source.objects["e/a.csv"] = b"a\n1\n"
    body = await started(world)
    first = world.job()["metadata"]["name"]
    world.edit(body, source={"s3": {**SPEC["source"]["s3"], "prefix": "e/"}})
    await settled(world)
    assert world.job()["metadata"]["name"] != first


@pytest.mark.usefixtures("source")
async def test_a_job_that_somebody_removed_is_made_again(world: World) -> None:
    body = await started(world)
    name = world.job()["metadata"]["name"]
    world.api.remove(world.job())
    await run(world)
    assert world.job()["metadata"]["name"] == name
    cluster(world)()
    await run(world)
    world.api.remove(world.job())
    await run(world)
    assert world.api.all(JOBS) == []  # it had done its work
    assert body["status"]["version"] == VERSION


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("job_too", [False, True], ids=["job there", "job gone"])
async def test_a_status_wiped_by_hand_is_made_again(world: World, job_too: bool) -> None:
    body = await ready(world)
    del body["status"]
    if job_too:
        world.api.remove(world.job())
    await settled(world)
    cluster(world)()
    await run(world)
    assert summary(body)["status"] == "True"
    assert body["status"]["version"] == VERSION


@pytest.mark.usefixtures("source")
async def test_a_new_image_does_not_disturb_a_job(world: World) -> None:
    await started(world)
    before = len(world.api.writes)
    world.runner = "registry.test/runner@sha256:" + "f" * 64
    await run(world)
    assert len(world.api.writes) == before


@pytest.mark.parametrize("ready", [0, 1], ids=["pending", "running"])
@pytest.mark.usefixtures("source")
async def test_a_secret_removed_comes_back_for_a_pod_that_waits_for_it(
    world: World, ready: int
) -> None:
    await started(world)
    world.job()["status"] = {"ready": ready}
    world.api.remove(world.api.one(SECRETS))
    await run(world)
    assert len(world.api.all(SECRETS)) == (0 if ready else 1)


@pytest.mark.usefixtures("source")
async def test_suspended_during_its_job_it_takes_the_result_when_resumed(world: World) -> None:
    body = await started(world)
    world.edit(body, suspend=True)
    cluster(world)()
    await run(world)
    assert (summary(body)["reason"], summary(body)["status"]) == ("Suspended", "Unknown")
    world.edit(body, suspend=False)
    await run(world)
    assert summary(body)["status"] == "True"


@pytest.mark.usefixtures("source")
async def test_suspended_with_a_version_it_stays_ready(world: World) -> None:
    body = await ready(world)
    world.edit(body, suspend=True)
    await run(world)
    assert (summary(body)["reason"], summary(body)["status"]) == ("Suspended", "True")


async def test_a_refusal_outlives_what_happens_in_between(world: World, source: FakeStore) -> None:
    body = await refused(world)
    message = summary(body)["message"]
    source.fault = Unavailable("away")
    await once(process(world)(), KIND, NAME)
    assert summary(body)["reason"] == "StoreUnavailable"
    source.fault = None
    world.edit(body, suspend=True)
    await run(world)
    world.edit(body, suspend=False)
    await run(world)
    assert (summary(body)["reason"], summary(body)["message"]) == ("RaggedRows", message)
    assert condition_types(body) == {"Ready", "Stalled"}


AWAY: dict[str, tuple[StoreError, str, str]] = {
    "away": (Unavailable("away"), "StoreUnavailable", "Reconciling"),
    "denied": (AccessDenied("no"), "AccessDenied", "Stalled"),
    "no bucket": (BucketMissing("no"), "BucketMissing", "Stalled"),
}


@pytest.mark.parametrize("case", AWAY)
async def test_a_source_in_trouble_is_told_once_and_heals(
    world: World, source: FakeStore, case: str
) -> None:
    error, reason, kind = AWAY[case]
    source.fault = error
    body = world.put(KIND, NAME, SPEC)
    for _ in range(3):
        await once(process(world)(), KIND, NAME)
    assert summary(body)["reason"] == reason
    assert condition_types(body) == {"Ready", kind}
    assert len(world.api.writes) == 1
    source.fault = None
    await settled(world)
    cluster(world)()
    await run(world)
    assert summary(body)["status"] == "True"


@pytest.mark.parametrize("case", AWAY)
@pytest.mark.usefixtures("source")
async def test_a_store_that_keeps_the_result_back_is_told_and_heals(
    world: World, case: str
) -> None:
    error, reason, kind = AWAY[case]
    body = await started(world)
    cluster(world)()
    world.store.fault = error
    for _ in range(3):
        await once(process(world)(), KIND, NAME)
    assert summary(body)["reason"] == reason
    assert condition_types(body) == {"Ready", kind}
    world.store.fault = None
    await run(world)
    assert summary(body)["status"] == "True"


@pytest.mark.usefixtures("source")
async def test_a_secret_that_comes_later_heals_it(world: World) -> None:
    s3 = {**SPEC["source"]["s3"], "credentialsRef": {"name": "keys"}}
    body = world.put(KIND, NAME, {"source": {"s3": s3}})
    result = await once(process(world)(), KIND, NAME)
    assert summary(body)["reason"] == "SecretMissing"
    assert result is not None
    assert result.requeue_after == 30.0
    data = {"AWS_ACCESS_KEY_ID": "eA==", "AWS_SECRET_ACCESS_KEY": "eA=="}
    metadata = {"name": "keys", "namespace": NAMESPACE}
    world.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    await settled(world)
    [mounted] = [v for v in pod_of(world)["volumes"] if v["name"] == "source"]
    assert mounted["secret"]["secretName"] == "keys"


def pod_of(world: World) -> dict[str, Any]:
    spec: dict[str, Any] = world.job()["spec"]["template"]["spec"]
    return spec


@pytest.mark.usefixtures("source")
async def test_a_reconcile_asked_for_tries_a_refusal_once(world: World) -> None:
    body = await refused(world)
    world.request(body, "now")
    await run(world)
    assert body["status"]["ingest"]["attempts"] == 2
    assert body["status"]["lastHandledReconcileAt"] == "now"
    fail(world, "RaggedRows", 20)
    await run(world)
    assert body["status"]["ingest"]["attempts"] == 2
    assert summary(body)["reason"] == "RaggedRows"


@pytest.mark.usefixtures("source")
async def test_a_reconcile_asked_for_is_not_lost_to_a_store_that_is_away(world: World) -> None:
    body = await refused(world)
    world.request(body, "now")
    world.sts = Unavailable("away")
    await once(process(world)(), KIND, NAME)
    assert summary(body)["reason"] == "StoreUnavailable"
    world.sts = None
    await run(world)
    assert body["status"]["ingest"]["attempts"] == 2
    assert len(world.api.all(JOBS)) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Forbidden("exceeded quota", status=403), "Forbidden"),
        (Invalid("spec.template.spec.nodeSelector: Invalid value", status=422), "SpecInvalid"),
    ],
    ids=["quota", "template"],
)
@pytest.mark.usefixtures("source")
async def test_a_job_that_the_api_server_refuses_is_told(
    world: World, error: Exception, reason: str
) -> None:
    world.api.refuse["create", JOBS] = error
    body = world.put(KIND, NAME, SPEC)
    await settled(world)
    assert summary(body)["reason"] == reason
    assert str(error) in summary(body)["message"]
    assert condition_types(body) == {"Ready", "Stalled"}
    world.api.refuse.clear()
    await run(world)
    assert len(world.api.all(JOBS)) == 1


async def test_an_attempt_after_a_pause_is_another_job(world: World, source: FakeStore) -> None:
    assert source.objects
    body = await started(world)
    first = world.job()["metadata"]["name"]
    fail(world, "StoreUnavailable", 30)
    await run(world)
    assert summary(body)["reason"] == "StoreUnavailable"
    world.wait(10)
    await run(world)
    assert world.job()["metadata"]["name"] != first
    assert len(world.api.all(SECRETS)) == 1
    assert body["status"]["ingest"] == {
        "key": body["status"]["ingest"]["key"],
        "job": world.job()["metadata"]["name"],
        "attempts": 2,
    }


async def test_content_that_comes_back_is_the_version_it_was(
    world: World, source: FakeStore
) -> None:
    body = await ready(world)
    source.objects["d/b.csv"] = b"a\n2\n"
    await settled(world)
    other = {**RESULT, "version": "sha256:" + "2" * 64, "rows": 5}
    job = world.job()
    uid = body["metadata"]["uid"]
    world.store.objects[f"runs/{NAMESPACE}/{uid}/{job['metadata']['name']}/result.json"] = (
        json.dumps(other).encode()
    )
    world.end_job(job, "Complete")
    await run(world)
    assert body["status"]["rows"] == 5
    del source.objects["d/b.csv"]
    await settled(world)
    cluster(world)()
    await run(world)
    assert body["status"]["version"] == VERSION
    assert [v["version"][7] for v in body["status"]["versions"]] == ["1", "2"]
    assert len(world.api.all(JOBS)) == 1
