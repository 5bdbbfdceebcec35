"""A ModelDeployment and its world, where a decision alone does not show what happens."""

import base64
import copy
from typing import Any

import pytest
from tests.unit.children.world import (
    NAMESPACE,
    World,
    condition_types,
    once,
    summary,
    until_quiet,
)
from tests.unit.deployment.scene import (
    KIND,
    answering,
    come_up,
    digest,
    package,
    process,
    put_run,
    served,
)

from tidemill.deployment.keys import CREDENTIALS_SECONDS
from tidemill.engine.key import Key
from tidemill.kube.errors import Forbidden
from tidemill.kube.resources import DEPLOYMENTS, SECRETS, SERVICES
from tidemill.store.errors import Unavailable

NAME = "m"


async def run(world: World) -> None:
    await until_quiet(world, process(world)(), KIND, NAME)


async def up(world: World, **changes: Any) -> dict[str, Any]:
    """Have version a serve with two pods."""
    body = world.put(KIND, NAME, {"model": package("a"), "replicas": 2, **changes})
    await rolled(world)
    assert summary(body)["reason"] == "Ready"
    return body


async def rolled(world: World) -> None:
    for _ in range(3):
        await run(world)
        for body in world.api.all(DEPLOYMENTS):
            come_up(body)


def deployment(world: World, letter: str) -> dict[str, Any]:
    notes = "tidemill.dev/model-digest"
    [found] = [
        body
        for body in world.api.all(DEPLOYMENTS)
        if body["metadata"]["annotations"][notes] == digest(letter)
    ]
    return found


def key_of(world: World, letter: str) -> bytes:
    """Give the key in the Secret of a version."""
    name = deployment(world, letter)["metadata"]["name"]
    body = world.api.objects[SECRETS, NAMESPACE, name]
    return base64.b64decode(body["data"]["access-key"])


async def test_at_rest_nothing_is_written(world: World) -> None:
    await up(world)
    before = len(world.api.writes)
    result = await once(process(world)(), KIND, NAME)
    assert len(world.api.writes) == before
    assert result is not None
    assert result.requeue_after == CREDENTIALS_SECONDS / 2  # its keys


@pytest.mark.parametrize("gone", ["deleted", "being deleted"])
async def test_nothing_is_done_for_what_is_gone(world: World, gone: str) -> None:
    body = await up(world)
    if gone == "deleted":
        world.api.remove(body)
    else:
        body["metadata"]["deletionTimestamp"] = "2025-01-01T00:00:00Z"
    world.api.remove(world.api.one(SERVICES))
    before = len(world.api.writes)
    await once(process(world)(), KIND, NAME)
    assert len(world.api.writes) == before


async def test_the_target_goes_back_while_another_comes_up(world: World) -> None:
    body = await up(world)
    world.edit(body, model=package("b"))
    await run(world)
    assert len(world.api.all(DEPLOYMENTS)) == 2
    world.edit(body, model=package("a"))
    await run(world)
    assert served(world)["stable"]["digest"] == digest("a")
    assert (len(world.api.all(DEPLOYMENTS)), len(world.api.all(SECRETS))) == (1, 1)
    assert answering(world) == 2


async def test_a_third_target_replaces_the_one_that_came_up(world: World) -> None:
    body = await up(world)
    for letter in ("b", "c"):
        world.edit(body, model=package(letter))
        await run(world)
    found = {d["metadata"]["annotations"]["tidemill.dev/model-digest"][7] for d in all_of(world)}
    assert found == {"a", "c"}
    assert answering(world) == 2
    await rolled(world)
    assert served(world)["stable"]["digest"] == digest("c")
    assert len(world.api.all(DEPLOYMENTS)) == 1


def all_of(world: World) -> list[dict[str, Any]]:
    return world.api.all(DEPLOYMENTS)


async def test_more_pods_during_a_rollout_are_more_of_those_that_serve(world: World) -> None:
    body = await up(world)
    world.edit(body, model=package("b"), replicas=5)
    await run(world)
    assert [d["spec"]["replicas"] for d in all_of(world)] == [5, 5]


@pytest.mark.parametrize("replicas", [0, 1, 5])
async def test_another_size(world: World, replicas: int) -> None:
    body = await up(world)
    world.edit(body, replicas=replicas)
    await rolled(world)
    assert served(world)["replicas"] == f"{replicas}/{replicas}"
    assert len(world.api.all(DEPLOYMENTS)) == 1
    world.edit(body, replicas=2)
    await rolled(world)
    assert answering(world) == 2


@pytest.mark.parametrize("what", ["service", "secret", "deployment", "all"])
async def test_what_somebody_removed_comes_back(world: World, what: str) -> None:
    await up(world)
    gone = {
        "service": (SERVICES,),
        "secret": (SECRETS,),
        "deployment": (DEPLOYMENTS,),
        "all": (SERVICES, SECRETS, DEPLOYMENTS),
    }
    before = sorted(name for _, _, name in world.api.objects)
    for resource in gone[what]:
        world.api.remove(world.api.one(resource))
    await rolled(world)
    assert sorted(name for _, _, name in world.api.objects) == before
    assert answering(world) == 2


async def test_the_address_removed_during_a_rollout_leads_to_who_answers(world: World) -> None:
    body = await up(world)
    world.edit(body, model=package("b"))
    await run(world)
    world.api.remove(world.api.one(SERVICES))
    await run(world)
    assert answering(world) == 2


EDITS: dict[str, Any] = {
    "replicas": lambda d: d["spec"].update(replicas=7),
    "image": lambda d: d["spec"]["template"]["spec"]["containers"][0].update(image="x"),
    "env": lambda d: d["spec"]["template"]["spec"]["containers"][0].update(env=[]),
    "annotations": lambda d: d["metadata"].update(annotations={}),
    "labels": lambda d: d["metadata"].update(labels={}),
    "revision": lambda d: d["metadata"]["labels"].pop("tidemill.dev/revision"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
async def test_what_somebody_edited_is_put_back(world: World, edit: Any) -> None:
    body = await up(world)
    live = world.api.one(DEPLOYMENTS)
    before = copy.deepcopy(live)
    edit(live)
    await rolled(world)
    after = world.api.one(DEPLOYMENTS)
    assert after["spec"] == before["spec"]
    for mark in ("labels", "annotations"):
        assert after["metadata"][mark] == before["metadata"][mark]
    assert summary(body)["reason"] == "Ready"


async def test_a_status_wiped_by_hand_is_made_again(world: World) -> None:
    body = await up(world)
    before = body.pop("status")
    await run(world)
    after = body["status"]
    for found in (before, after):
        found["conditions"] = [{**c, "lastTransitionTime": ""} for c in found["conditions"]]
    assert after == before


async def test_a_new_server_image_is_rolled_out_like_a_version(world: World) -> None:
    await up(world)
    world.server = "registry.test/server@sha256:" + "f" * 64
    await run(world)
    assert len(world.api.all(DEPLOYMENTS)) == 2
    assert answering(world) == 2
    await rolled(world)
    [container] = world.api.one(DEPLOYMENTS)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == world.server


@pytest.mark.parametrize("why", ["run deleted", "suspended", "stuck"])
async def test_whatever_happens_the_version_that_serves_keeps_its_keys(
    world: World, why: str
) -> None:
    if why == "run deleted":
        artifact = put_run(world, artifact=package("a"))
        body = await up(world, model={"run": "run"})
        world.api.remove(artifact)
    else:
        body = await up(world)
        world.edit(body, **({"suspend": True} if why == "suspended" else {"model": package("b")}))
    await run(world)
    first = key_of(world, "a")
    result = await once(process(world)(), KIND, NAME)
    assert result is not None
    assert result.requeue_after is not None
    world.wait(CREDENTIALS_SECONDS / 2)
    await run(world)
    assert key_of(world, "a") != first


async def test_suspended_it_changes_nothing(world: World) -> None:
    body = await up(world)
    world.edit(body, suspend=True, model=package("b"), replicas=9)
    await run(world)
    assert summary(body)["reason"] == "Suspended"
    assert [d["spec"]["replicas"] for d in all_of(world)] == [2]
    assert served(world)["stable"]["digest"] == digest("a")
    world.edit(body, suspend=False)
    await rolled(world)
    assert served(world)["stable"]["digest"] == digest("b")


RUNS: dict[str, tuple[dict[str, Any] | None, str, str, str]] = {
    "not there": (None, "WaitingForRun", "Reconciling", "create it"),
    "new": ({}, "WaitingForRun", "Reconciling", "has not ended"),
    "failed": (
        {"completedAt": "x", "failure": {"message": "it raised"}},
        *("RunFailed", "Stalled", "it raised"),
    ),
    "failed without a word": ({"completedAt": "x"}, "RunFailed", "Stalled", "no reason given"),
    "of another namespace": (
        {"artifact": package("a", "other")},
        *("SpecInvalid", "Stalled", "models/ns/"),
    ),
    "a broken address": (
        {"artifact": {"uri": "x", "digest": digest("a")}},
        *("SpecInvalid", "Stalled", "models/ns/"),
    ),
}


@pytest.mark.parametrize("case", RUNS)
async def test_a_run_that_cannot_be_served(world: World, case: str) -> None:
    status, reason, kind, tells = RUNS[case]
    if status is not None:
        put_run(world, **status)
    body = world.put(KIND, NAME, {"model": {"run": "run"}})
    reconciler = process(world)()
    await once(reconciler, KIND, NAME)
    assert summary(body)["reason"] == reason
    assert condition_types(body) == {"Ready", kind}
    assert tells in summary(body)["message"]
    assert world.api.created == []
    waiters = reconciler.__self__.context.waiters  # type: ignore[attr-defined]
    assert waiters.take(Key("TrainingRun", NAMESPACE, "run")) == {Key(KIND, NAMESPACE, NAME)}


@pytest.mark.parametrize(
    "uri",
    [
        f"s3://tidemill/models/other/r/{'a' * 64}/",
        f"s3://another/models/{NAMESPACE}/r/{'a' * 64}/",
        f"s3://tidemill/models/{NAMESPACE}/../other/r/",
        f"s3://tidemill/models/{NAMESPACE}x/r/",
        f"s3://tidemill/models/{NAMESPACE}/{'a' * 1900}/",
        f"s3://tidemill/models/{NAMESPACE}/{'é' * 300}/",
    ],
    ids=["namespace", "bucket", "climbs out", "begins alike", "too long", "too long when escaped"],
)
async def test_a_package_outside_is_refused(world: World, uri: str) -> None:
    body = world.put(KIND, NAME, {"model": {"uri": uri, "digest": digest("a")}})
    await run(world)
    assert summary(body)["reason"] == "SpecInvalid"
    assert (world.api.created, world.granted) == ([], 0)


async def test_a_version_edited_to_lie_outside_is_given_no_keys(world: World) -> None:
    body = await up(world)
    live = world.api.one(DEPLOYMENTS)
    [container] = live["spec"]["template"]["spec"]["containers"]
    outside = package("a", "other")["uri"]
    container["env"] = [{"name": "TIDEMILL_MODEL_URI", "value": outside}]
    world.edit(body, suspend=True)
    world.wait(CREDENTIALS_SECONDS)
    granted = world.granted
    await run(world)
    assert world.granted == granted


def pod(world: World, letter: str, **status: Any) -> dict[str, Any]:
    """Have a pod of a version."""
    labels = deployment(world, letter)["spec"]["template"]["metadata"]["labels"]
    metadata = {"name": f"pod{len(world.api.objects)}", "namespace": NAMESPACE, "labels": labels}
    return world.api.put(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": status}
    )


async def test_a_pod_long_gone_says_nothing_of_the_present_one(world: World) -> None:
    body = await up(world)
    pod(world, "a", phase="Failed", reason="Evicted", message="long ago")
    leaving = {"containerStatuses": [{"name": "server", "state": {"terminated": {"exitCode": 1}}}]}
    pod(world, "a", **leaving)["metadata"]["deletionTimestamp"] = "2025-01-01T00:00:00Z"
    pod(world, "a", phase="Running")
    come_up(world.api.one(DEPLOYMENTS), 1)
    await run(world)
    assert summary(body)["reason"] == "RollingOut"


async def test_pods_that_may_not_be_made_are_told(world: World) -> None:
    body = await up(world)
    live = world.api.one(DEPLOYMENTS)
    come_up(live, 1)
    refused = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    live["status"]["conditions"] = [{"type": "Available", "status": "True"}, refused]
    await run(world)
    assert summary(body)["reason"] == "PodNotCreated"
    assert "exceeded quota" in summary(body)["message"]


async def test_a_version_that_does_not_come_up_leaves_the_other_alone(world: World) -> None:
    body = await up(world)
    world.edit(body, model=package("b"))
    await run(world)
    ended = {"exitCode": 20, "message": '{"reason": "DigestMismatch", "message": "not these"}'}
    pod(world, "b", containerStatuses=[{"name": "server", "lastState": {"terminated": ended}}])
    await run(world)
    assert summary(body)["reason"] == "DigestMismatch"
    assert condition_types(body) == {"Ready", "Stalled"}
    assert "version aaaaaaaaaaaa keeps serving" in summary(body)["message"]
    assert answering(world) == 2
    before = len(world.api.writes)
    result = await once(process(world)(), KIND, NAME)
    assert (len(world.api.writes), result.requeue_after if result else 0) == (before, 30.0)


async def test_an_address_that_is_taken_is_told(world: World) -> None:
    metadata = {"name": NAME, "namespace": NAMESPACE}
    taken = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {}}
    world.api.put(taken)
    body = world.put(KIND, NAME, {"model": package("a")})
    await run(world)
    assert summary(body)["reason"] == "NameConflict"
    assert "url" not in body["status"]
    assert world.api.created == []
    assert taken["spec"] == {}


@pytest.mark.parametrize(
    ("error", "reason", "kind"),
    [
        (Unavailable("away"), "StoreUnavailable", "Reconciling"),
        (Forbidden("exceeded quota", status=403), "Forbidden", "Stalled"),
    ],
    ids=["keys", "quota"],
)
async def test_what_cannot_be_made_is_told_beside_what_serves(
    world: World, error: Exception, reason: str, kind: str
) -> None:
    body = await up(world)
    world.edit(body, model=package("b"))
    if isinstance(error, Unavailable):
        world.sts = error
    else:
        world.api.refuse["apply", DEPLOYMENTS] = error
    for _ in range(3):
        await once(process(world)(), KIND, NAME)
    assert summary(body)["reason"] == reason
    assert condition_types(body) == {"Ready", kind}
    assert served(world)["stable"]["digest"] == digest("a")
    assert answering(world) == 2
    world.sts = None
    world.api.refuse.clear()
    await rolled(world)
    assert served(world)["stable"]["digest"] == digest("b")
