"""A run whose code several pods run: their Job, their names, the Service, and who is to blame."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, World, live_through, summary, until_quiet
from tests.unit.training.scene import SPEC, cluster, process
from tests.unit.training.test_user_code import CONTAINER, MOUNTED, S3, key, started

from tidemill.kube.resources import JOBS, PODS, SECRETS, SERVICES
from tidemill.store import layout

KIND, NAME = "TrainingRun", "r"
THREE: dict[str, Any] = {"script": {**MOUNTED, "parallelism": 3}}
Body = dict[str, Any]


def pod_spec(world: World) -> Body:
    found: Body = world.job()["spec"]["template"]["spec"]
    return found


def env_of(world: World, container: str) -> dict[str, str]:
    pod = pod_spec(world)
    [found] = [c for c in pod["initContainers"] if c["name"] == container]
    return {one["name"]: one.get("value", str(one.get("valueFrom"))) for one in found["env"]}


@pytest.mark.parametrize(
    ("estimator", "container"),
    [(THREE, "script"), ({"container": {**CONTAINER, "parallelism": 3}}, "train")],
    ids=["script", "container"],
)
async def test_pods_are_numbered_and_told_of_one_another(
    world: World, estimator: Body, container: str
) -> None:
    await started(world, estimator)
    job, service = world.job()["metadata"]["name"], world.api.one(SERVICES)["metadata"]["name"]
    spec = world.job()["spec"]
    assert (spec["parallelism"], spec["completions"], spec["completionMode"]) == (3, 3, "Indexed")
    assert spec["successPolicy"] == {"rules": [{"succeededIndexes": "0"}]}
    assert (spec["backoffLimitPerIndex"], spec["maxFailedIndexes"]) == (6, 0)
    assert spec["backoffLimit"] == 18
    assert pod_spec(world)["subdomain"] == service
    env = env_of(world, container)
    first = f"{job}-0.{service}"
    assert {env[name] for name in ("MASTER_ADDR", "PET_MASTER_ADDR")} == {first}
    assert {env[name] for name in ("WORLD_SIZE", "PET_NNODES")} == {"3"}
    for name in ("RANK", "NODE_RANK", "PET_NODE_RANK"):
        assert "batch.kubernetes.io/job-completion-index" in env[name]
    given = json.loads(base64.b64decode(world.api.one(SECRETS)["data"]["input.json"]))
    assert given["ranks"] == {"hosts": [f"{job}-{n}.{service}" for n in range(3)]}
    assert given["workers"] == 1  # no search is shared


async def test_a_limit_that_the_spec_sets_is_that_of_each_rank(world: World) -> None:
    await started(world, THREE, retry={"limit": 1})
    spec = world.job()["spec"]
    assert (spec["backoffLimitPerIndex"], spec["maxFailedIndexes"]) == (1, 0)
    assert spec["backoffLimit"] == 3


async def test_the_service_gives_the_pods_of_the_job_addresses_from_their_first_moment(
    world: World,
) -> None:
    body = await started(world, THREE)
    service = world.api.one(SERVICES)
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    labels = world.job()["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    [owner] = service["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (body["metadata"]["uid"], True)


async def test_one_pod_has_no_service_and_is_told_nothing(world: World) -> None:
    await started(world, {"script": {**MOUNTED, "parallelism": 1}})
    assert world.api.all(SERVICES) == []
    assert "completionMode" not in world.job()["spec"]
    assert "subdomain" not in pod_spec(world)
    assert not {"RANK", "MASTER_ADDR"} & env_of(world, "script").keys()


async def test_a_service_that_is_removed_or_edited_is_put_right(world: World) -> None:
    await started(world, THREE)
    wanted = json.dumps(world.api.one(SERVICES)["spec"], sort_keys=True)
    world.api.remove(world.api.one(SERVICES))
    await until_quiet(world, process(world)(), KIND, NAME)
    world.api.one(SERVICES)["spec"]["publishNotReadyAddresses"] = False
    await until_quiet(world, process(world)(), KIND, NAME)
    assert json.dumps(world.api.one(SERVICES)["spec"], sort_keys=True) == wanted


async def test_a_run_that_may_not_start_has_none(world: World) -> None:
    script = {"s3": {**S3["s3"], "credentialsRef": {"name": "tidemill-store"}}, "parallelism": 2}
    body = await started(world, {"script": script})
    assert "is Tidemill's own" in summary(body)["message"]
    assert world.api.all(SERVICES) == []


async def test_it_goes_when_the_run_is_suspended_and_comes_back_with_its_job(world: World) -> None:
    body = await started(world, THREE)
    before = world.api.one(SERVICES)["metadata"]["name"]
    world.edit(body, suspend=True)
    await until_quiet(world, process(world)(), KIND, NAME)
    assert (world.api.all(SERVICES), world.api.all(JOBS)) == ([], [])
    world.edit(body, suspend=False)
    await until_quiet(world, process(world)(), KIND, NAME)
    assert world.api.one(SERVICES)["metadata"]["name"] == before


async def test_what_rank_0_said_in_a_job_before_is_gone_when_another_begins(world: World) -> None:
    body = await started(world, THREE)
    document = json.loads(base64.b64decode(world.api.one(SECRETS)["data"]["input.json"]))
    key = layout.first_rank_key(document["checkpoint"])
    world.store.objects[key] = b"{}"
    world.edit(body, suspend=True)
    await until_quiet(world, process(world)(), KIND, NAME)
    world.edit(body, suspend=False)
    await until_quiet(world, process(world)(), KIND, NAME)
    assert world.job()
    assert key not in world.store.objects


async def test_somebody_elses_service_of_that_name_is_let_be(world: World) -> None:
    body = await started(world, THREE)
    theirs = world.api.one(SERVICES)
    theirs["metadata"] |= {"ownerReferences": [], "labels": {}}
    await until_quiet(world, process(world)(), KIND, NAME)
    assert summary(body)["reason"] == "NameConflict"
    world.edit(body, suspend=True)
    await until_quiet(world, process(world)(), KIND, NAME)
    assert world.api.one(SERVICES) == theirs


async def test_another_job_with_more_memory_is_behind_the_same_service(world: World) -> None:
    body = await started(world, THREE, retry={"growMemory": "8Gi"})
    service = world.api.one(SERVICES)["metadata"]["name"]
    rank(world, 1, 137, "2025-01-01T00:00:01Z", reason="OOMKilled")
    world.end_job(world.job(), "Failed", "PodFailurePolicy")
    await until_quiet(world, process(world)(), KIND, NAME)
    [again] = [one for one in world.api.all(JOBS) if "status" not in one]
    assert again["spec"]["template"]["spec"]["subdomain"] == service
    assert world.api.one(SERVICES)["metadata"]["name"] == service
    told = body["status"]["attempt"]["message"]
    assert "the container script of rank 1 passed" in told


@pytest.mark.parametrize("n", range(1, 8))
async def test_nothing_is_left_of_it_whenever_the_operator_dies(
    new_world: Callable[[], World], n: int
) -> None:
    world = new_world()
    await started_and_ended(world, n)
    assert world.api.all(SERVICES) == []
    assert world.api.created.count(f"Service {world.job()['metadata']['name']}") == 1


async def started_and_ended(world: World, die_at: int) -> None:
    world.put("Dataset", "data", {"source": {"s3": {"bucket": "raw", "format": "CSV"}}})
    world.put(KIND, NAME, {**SPEC, "estimator": THREE})
    [dataset] = [one for one in world.api.objects.values() if one["kind"] == "Dataset"]
    dataset["status"] = {"version": "sha256:" + "1" * 64}
    world.api.die_at = die_at
    await live_through(world, process(world), (KIND, NAME), cluster(world))


def rank(world: World, number: int, code: int, at: str, reason: str = "Error") -> None:
    """Have a pod of the Job whose code has ended with this exit code, at this time."""
    ended = {"exitCode": code, "reason": reason, "message": f"words of {number}", "finishedAt": at}
    status = {"name": "script", "ready": False, "state": {"terminated": ended}}
    world.api.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"pod-{number}",
                "namespace": NAMESPACE,
                "labels": {"batch.kubernetes.io/controller-uid": world.job()["metadata"]["uid"]},
                "annotations": {"batch.kubernetes.io/job-completion-index": str(number)},
            },
            "spec": {"initContainers": [{"name": "script"}], "nodeName": "n"},
            "status": {"phase": "Failed", "initContainerStatuses": [status]},
        }
    )


# The rank that failed first is named, not those that failed of it, were ended or lost it.
ENDS: dict[str, tuple[dict[int, tuple[int, str]], int]] = {
    "alone": ({1: (1, "03")}, 1),
    "before rank 0": ({0: (1, "05"), 1: (1, "03"), 2: (1, "04")}, 1),
    "rank 0 itself": ({0: (1, "03"), 1: (1, "04")}, 0),
    "while others lost it": ({0: (143, "02"), 1: (143, "03"), 2: (7, "04")}, 2),
    "while others were ended": ({0: (137, "01"), 1: (9, "03")}, 1),
}


@pytest.mark.parametrize("name", ENDS)
async def test_the_rank_whose_code_failed_is_named(world: World, name: str) -> None:
    ends, guilty = ENDS[name]
    body = await started(world, THREE)
    for number, (code, second) in ends.items():
        rank(world, number, code, f"2025-01-01T00:00:{second}Z")
    world.end_job(world.job(), "Failed", "PodFailurePolicy")
    await until_quiet(world, process(world)(), KIND, NAME)
    told = summary(body)
    assert told["reason"] == "FitFailed"
    code = ends[guilty][0]
    assert f"spec.estimator.script of rank {guilty} ended with exit code {code}" in told["message"]
    assert f"words of {guilty}" in told["message"]
    assert world.api.all(SERVICES) == []


@pytest.mark.parametrize("seconds", ["03", "04"], ids=["in the same second", "a second later"])
async def test_a_rank_that_passed_its_memory_limit_goes_before_those_that_failed_of_it(
    world: World, seconds: str
) -> None:
    body = await started(world, THREE)
    rank(world, 0, 1, "2025-01-01T00:00:03Z")
    rank(world, 1, 137, f"2025-01-01T00:00:{seconds}Z", reason="OOMKilled")
    world.end_job(world.job(), "Failed", "PodFailurePolicy")
    await until_quiet(world, process(world)(), KIND, NAME)
    assert summary(body)["reason"] == "OOMKilled"
    assert "the container script of rank 1 passed" in summary(body)["message"]


async def test_the_rank_that_fills_its_folder_is_named(world: World) -> None:
    body = await started(world, THREE)
    rank(world, 2, 0, "2025-01-01T00:00:03Z")
    [pod] = world.api.all(PODS)
    told = 'Usage of EmptyDir volume "out" exceeds the limit "10Gi". '
    pod["status"] = {"phase": "Failed", "reason": "Evicted", "message": told}
    world.wait(30)
    await until_quiet(world, process(world)(), KIND, NAME)
    assert "spec.estimator.script of rank 2 wrote more than 10Gi" in summary(body)["message"]
    assert world.api.all(SERVICES) == []


async def test_what_one_rank_lacks_is_told_while_another_has_done_its_part(world: World) -> None:
    body = await started(world, THREE)
    rank(world, 0, 0, "2025-01-01T00:00:03Z")
    [pod] = world.api.all(PODS)
    why = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"}
    pod["status"] = {"phase": "Pending", "conditions": [why]}
    world.job()["status"] = {"ready": 2}
    world.wait(30)
    await until_quiet(world, process(world)(), KIND, NAME)
    assert summary(body)["reason"] == "Unschedulable"


async def test_one_that_lost_another_is_not_said_to_have_failed_by_its_code(world: World) -> None:
    body = await started(world, THREE)
    rank(world, 2, 143, "2025-01-01T00:00:03Z")
    world.end_job(world.job(), "Failed", "MaxFailedIndexesExceeded")
    await until_quiet(world, process(world)(), KIND, NAME)
    told = summary(body)
    assert told["reason"] == "ContainerFailed"
    assert "of rank 2 ended with exit code 143" in told["message"]
    assert "or it lost another rank" in told["message"]


def test_over_how_many_pods_is_part_of_what_comes_of_it() -> None:
    alone, spelled, two = (
        key({"container": {**CONTAINER, **more}})
        for more in ({}, {"parallelism": 1}, {"parallelism": 2})
    )
    assert alone == spelled != two
