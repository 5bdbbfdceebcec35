"""A TrainingRun and its world, where a decision alone does not show what happens."""

import base64
import copy
import json
from typing import Any

import pytest
from tests.unit.children.fake_api import FakeApi
from tests.unit.children.world import (
    NAMESPACE,
    World,
    condition_types,
    once,
    summary,
    until_quiet,
)
from tests.unit.training.scene import (
    NEWER,
    RESULT,
    SPEC,
    VERSION,
    cluster,
    leave_result,
    process,
    put_dataset,
)

from tidemill.engine.key import Key
from tidemill.jobs.progress import ProgressBoard, Report, Tokens
from tidemill.kube.resources import JOBS, PODS, SECRETS
from tidemill.store.errors import AccessDenied, BucketMissing, StoreError, Unavailable

KIND, NAME = "TrainingRun", "r"


async def run(world: World) -> None:
    await until_quiet(world, process(world)(), KIND, NAME)


async def started(world: World, **changes: Any) -> dict[str, Any]:
    put_dataset(world)
    body = world.put(KIND, NAME, {**SPEC, **changes})
    await run(world)
    assert len(world.api.all(JOBS)) == 1
    return body


async def ended(world: World) -> dict[str, Any]:
    body = await started(world)
    cluster(world)()
    await run(world)
    assert summary(body)["status"] == "True"
    return body


def pod(world: World, **status: Any) -> None:
    """Have a pod of the Job."""
    labels = {"batch.kubernetes.io/controller-uid": world.job()["metadata"]["uid"]}
    metadata = {"name": "pod", "namespace": NAMESPACE, "labels": labels}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": status}
    world.api.put(body)


async def test_what_the_runner_is_given(world: World) -> None:
    await started(world, deadline="10m", template={"nodeSelector": {"disk": "fast"}})
    job = world.job()
    data = world.api.one(SECRETS)["data"]
    given = json.loads(base64.b64decode(data["input.json"]))
    assert given["dataset"]["version"] == VERSION
    assert given["dataset"]["manifest"] == f"datasets/ns/data/manifests/{'1' * 64}.jsonl"
    assert given["spec"]["deadline"] == "10m"
    assert not {"suspend", "template"} & given["spec"].keys()
    assert given["output"].endswith(f"/{job['metadata']['name']}/")
    assert given["image"] == world.runner
    assert job["spec"]["activeDeadlineSeconds"] == 600
    assert job["spec"]["template"]["spec"]["nodeSelector"] == {"disk": "fast"}
    assert base64.b64decode(data["access-key"]) == b"SHORT1"
    assert "OPERATOR" not in str([base64.b64decode(v) for v in data.values()])


async def test_at_rest_nothing_is_written(world: World) -> None:
    await ended(world)
    before, reads = len(world.api.writes), world.api.reads
    assert await once(process(world)(), KIND, NAME) is not None
    assert len(world.api.writes) == before
    assert world.api.reads == reads + 1


@pytest.mark.parametrize("gone", ["deleted", "being deleted"])
async def test_nothing_is_done_for_what_is_gone(world: World, gone: str) -> None:
    body = await started(world)
    if gone == "deleted":
        world.api.remove(body)
    else:
        body["metadata"]["deletionTimestamp"] = "2025-01-01T00:00:00Z"
    board = ProgressBoard(Tokens("s"), lambda *_: None)
    key = Key(KIND, NAMESPACE, NAME)
    board._reports[key] = ("u", Report(1, "", None))
    before = len(world.api.writes)
    await process(world, board)()(key)
    assert len(world.api.writes) == before
    assert board.latest(key, "u") is None


async def test_a_job_that_somebody_removed_starts_on_what_was_pinned(world: World) -> None:
    body = await started(world)
    put_dataset(world, NEWER)
    world.api.remove(world.job())
    await run(world)
    notes = world.job()["spec"]["template"]["metadata"]["annotations"]
    assert notes["tidemill.dev/dataset-version"] == VERSION
    assert body["status"]["applied"]["datasetVersion"] == VERSION


async def test_a_job_removed_after_its_end_leaves_its_result(world: World) -> None:
    body = await started(world)
    leave_result(world, world.job(), RESULT)
    world.api.remove(world.job())
    await run(world)
    assert summary(body)["status"] == "True"
    assert world.api.all(JOBS) == []


@pytest.mark.parametrize("job_too", [False, True], ids=["job there", "job gone"])
async def test_a_status_wiped_by_hand_is_made_again(world: World, job_too: bool) -> None:
    body = await ended(world)
    before = body.pop("status")
    if job_too:
        world.api.remove(world.job())
    await run(world)
    same = ("artifact", "metrics", "score", "report")
    assert {k: body["status"][k] for k in same} == {k: before[k] for k in same}
    assert len(world.api.created) == 2


async def test_conditions_wiped_by_hand_are_made_again(world: World) -> None:
    body = await ended(world)
    body["status"]["conditions"] = []
    await run(world)
    assert summary(body)["message"] == "model dddddddddddd, accuracy=0.75"


async def test_what_was_pinned_is_read_back_from_the_job(world: World) -> None:
    body = await started(world)
    pinned = body.pop("status")["applied"]
    world.job()["metadata"]["annotations"].clear()
    put_dataset(world, NEWER)
    await run(world)
    assert body["status"]["applied"] == pinned
    assert world.job()["metadata"]["annotations"]["tidemill.dev/dataset-version"] == VERSION


async def test_a_new_image_does_not_disturb_a_run(world: World) -> None:
    body = await started(world)
    before = len(world.api.writes)
    world.runner = "registry.test/runner@sha256:" + "f" * 64
    await run(world)
    assert len(world.api.writes) == before
    assert body["status"]["applied"]["image"] != world.runner


async def test_suspended_and_resumed(world: World) -> None:
    body = await started(world)
    world.edit(body, suspend=True)
    await run(world)
    assert (world.api.all(JOBS), world.api.all(SECRETS)) == ([], [])
    assert summary(body)["reason"] == "Suspended"
    put_dataset(world, NEWER)
    world.edit(body, suspend=False)
    await run(world)
    assert body["status"]["applied"]["datasetVersion"] == VERSION
    assert base64.b64decode(world.api.one(SECRETS)["data"]["access-key"]) == b"SHORT2"
    cluster(world)()
    await run(world)
    assert summary(body)["status"] == "True"


async def test_suspended_from_the_start(world: World) -> None:
    put_dataset(world)
    body = world.put(KIND, NAME, {**SPEC, "suspend": True})
    await run(world)
    assert world.api.all(JOBS) == []
    assert condition_types(body) == {"Succeeded"}


async def test_suspended_at_its_very_end_it_keeps_its_result(world: World) -> None:
    body = await started(world)
    world.edit(body, suspend=True)
    leave_result(world, world.job(), RESULT)  # after it was listed as running
    await run(world)
    world.edit(body, suspend=False)
    await run(world)
    assert summary(body)["status"] == "True"
    assert world.api.all(JOBS) == []


async def test_a_spec_changed_after_the_end_is_told_and_can_be_taken_back(world: World) -> None:
    body = await ended(world)
    before = summary(body)["message"]
    world.edit(body, seed=9)
    await run(world)
    assert summary(body)["message"].startswith(before)
    assert "the spec was changed" in summary(body)["message"]
    world.edit(body, seed=0)
    await run(world)
    assert summary(body)["message"] == before


async def test_it_is_woken_by_its_dataset(world: World) -> None:
    world.put(KIND, NAME, SPEC)
    reconciler = process(world)()
    await once(reconciler, KIND, NAME)
    waiters = reconciler.__self__.launcher.context.waiters  # type: ignore[attr-defined]
    assert waiters.take(Key("Dataset", NAMESPACE, "data")) == {Key(KIND, NAMESPACE, NAME)}


async def test_a_job_with_our_label_is_not_mistaken_for_the_runs(world: World) -> None:
    body = await started(world)
    other = copy.deepcopy(world.job())
    other["metadata"].update(name="other", creationTimestamp="2025-01-02T00:00:00Z")
    world.end_job(world.api.put(other), "Failed")
    await run(world)
    assert summary(body)["reason"] == "Training"


@pytest.mark.parametrize("ready", [0, 1], ids=["pending", "running"])
async def test_a_secret_removed_comes_back_for_a_pod_that_waits_for_it(
    world: World, ready: int
) -> None:
    await started(world)
    world.job()["status"] = {"ready": ready}
    world.api.remove(world.api.one(SECRETS))
    await run(world)
    assert len(world.api.all(SECRETS)) == (0 if ready else 1)


async def test_keys_are_renewed_at_half_their_life_while_a_pod_works(world: World) -> None:
    world.most_seconds = 3600
    await started(world)
    world.job()["status"] = {"ready": 1}
    before = world.api.one(SECRETS)["data"]["access-key"]
    for seconds, renewed in ((1700, False), (200, True)):
        world.wait(seconds)
        await run(world)
        assert (world.api.one(SECRETS)["data"]["access-key"] != before) is renewed


async def test_a_job_edited_by_hand_is_put_back(world: World) -> None:
    await started(world)
    world.job()["spec"]["suspend"] = True
    await run(world)
    assert world.job()["spec"]["suspend"] is False


async def test_a_failure_has_its_log(world: World) -> None:
    body = await started(world)
    pod(world, containerStatuses=[{"name": "runner", "state": {"terminated": {"exitCode": 3}}}])
    world.end_job(world.job(), "Failed", "PodFailurePolicy")
    await run(world)
    failure = body["status"]["failure"]
    assert (failure["reason"], failure["exitCode"]) == ("ContainerFailed", 3)
    assert failure["log"] == ["log of pod"]


@pytest.mark.parametrize(
    ("seconds", "reason"), [(30, "Training"), (90, "PodNotCreated")], ids=["soon", "late"]
)
async def test_a_job_without_a_pod_is_told_after_a_while(
    world: World, seconds: int, reason: str
) -> None:
    body = await started(world)
    world.wait(seconds)
    await run(world)
    assert summary(body)["reason"] == reason


async def test_a_pod_of_a_job_before_this_one_says_nothing(world: World) -> None:
    body = await started(world)
    pod(world, containerStatuses=[{"name": "runner", "state": {"terminated": {"exitCode": 3}}}])
    world.api.remove(world.job())
    await run(world)
    world.wait(15)
    await run(world)
    assert summary(body)["reason"] == "Training"


async def test_what_keeps_the_present_pod_is_told_before_how_the_last_one_ended(
    world: World,
) -> None:
    body = await started(world)
    failed = {"name": "runner", "state": {"terminated": {"exitCode": 30}}}
    pod(world, phase="Failed", containerStatuses=[failed])
    world.wait(15)
    await run(world)
    assert summary(body)["reason"] == "ContainerFailed"
    world.api.one(PODS)["metadata"]["name"] = "first"
    world.api.objects[PODS, NAMESPACE, "first"] = world.api.objects.pop((PODS, NAMESPACE, "pod"))
    refused = {"name": "runner", "state": {"waiting": {"reason": "ErrImagePull"}}}
    pod(world, phase="Pending", containerStatuses=[refused])
    await run(world)
    assert summary(body)["reason"] == "ImagePullFailed"


RUNS = {"name": "runner", "state": {"running": {"startedAt": "2025-01-01T00:00:00Z"}}}


async def test_a_sidecar_that_ends_again_and_again_leaves_the_run_training(world: World) -> None:
    body = await started(world)
    crashed = {"name": "side", "state": {"terminated": {"exitCode": 3}}}
    pod(world, phase="Running", initContainerStatuses=[crashed], containerStatuses=[RUNS])
    world.api.one(PODS)["spec"] = {"initContainers": [{"name": "side", "restartPolicy": "Always"}]}
    world.wait(15)
    board = ProgressBoard(Tokens("s"), lambda *_: None)
    uid = body["metadata"]["uid"]
    board._reports[Key(KIND, NAMESPACE, NAME)] = (uid, Report(40, "fitting", None))
    await until_quiet(world, process(world, board)(), KIND, NAME)
    assert summary(body)["reason"] == "Training"
    assert "trains: the sidecar side ended with exit code 3" in summary(body)["message"]
    assert body["status"]["progress"]["percent"] == 40


async def test_the_failure_before_is_no_present_state(world: World) -> None:
    body = await started(world)
    failed = {"name": "runner", "state": {"terminated": {"exitCode": 30}}}
    pod(world, phase="Failed", containerStatuses=[failed])
    world.api.one(PODS)["metadata"]["name"] = "first"
    world.api.objects[PODS, NAMESPACE, "first"] = world.api.objects.pop((PODS, NAMESPACE, "pod"))
    pod(world, phase="Running", containerStatuses=[RUNS])
    world.wait(15)
    await run(world)
    assert summary(body)["reason"] == "Training"
    assert "trains: attempt 2, after ContainerFailed" in summary(body)["message"]
    assert body["status"]["attempt"]["pod"] == "first"
    assert body["status"]["progress"]["message"] == "started"


AWAY: dict[str, tuple[StoreError, str, str]] = {
    "away": (Unavailable("away"), "StoreUnavailable", "Reconciling"),
    "denied": (AccessDenied("no"), "AccessDenied", "Stalled"),
    "no bucket": (BucketMissing("no"), "BucketMissing", "Stalled"),
}


@pytest.mark.parametrize("case", AWAY)
@pytest.mark.parametrize("when", ["before the start", "after the end", "for a digest"])
async def test_a_store_in_trouble_is_told_and_heals(world: World, case: str, when: str) -> None:
    error, reason, kind = AWAY[case]
    if when == "after the end":
        body = await started(world)
        cluster(world)()
        world.store.fault = error
    else:
        put_dataset(world)
        version = VERSION if when == "for a digest" else "latest"
        body = world.put(KIND, NAME, {**SPEC, "dataset": {"name": "data", "version": version}})
        world.store.fault = error
    if when == "for a digest":
        world.store.objects[f"datasets/ns/data/manifests/{'1' * 64}.jsonl"] = b""
    for _ in range(3):
        await once(process(world)(), KIND, NAME)
    assert summary(body)["reason"] == reason
    assert condition_types(body) == {"Succeeded", kind}
    written = len(world.api.writes)
    await once(process(world)(), KIND, NAME)
    assert len(world.api.writes) == written
    world.store.fault = None
    await run(world)
    cluster(world)()
    await run(world)
    assert summary(body)["status"] == "True"


async def test_keys_that_are_not_granted_are_told_and_the_run_starts_later(world: World) -> None:
    put_dataset(world)
    body = world.put(KIND, NAME, SPEC)
    world.sts = Unavailable("away")
    await once(process(world)(), KIND, NAME)
    assert summary(body)["reason"] == "StoreUnavailable"
    assert "applied" not in body["status"]
    world.sts = None
    await run(world)
    assert len(world.api.all(JOBS)) == 1


async def test_a_name_that_is_taken_is_told(world: World) -> None:
    body = await started(world)
    api: FakeApi = world.api
    other = world.job()
    other["metadata"]["ownerReferences"] = []
    other["metadata"]["labels"] = {}
    before = len(api.created)
    await once(process(world)(), KIND, NAME)
    assert summary(body)["reason"] == "NameConflict"
    assert len(api.created) == before
