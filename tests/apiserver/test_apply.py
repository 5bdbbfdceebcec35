"""Making the cluster agree with a manifest, on a real API server with its defaults."""

import copy
from typing import Any

import pytest

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.engine.errors import Retry, Stalled
from tidemill.kube import resources
from tidemill.kube.apply import APPLIED, Change, ensure
from tidemill.kube.client import Client
from tidemill.kube.owners import OWNER_UID_LABEL
from tidemill.kube.resources import CONFIG_MAPS, DEPLOYMENTS, JOBS, SERVICES

Body = dict[str, Any]
OWNER = {"apiVersion": "tidemill.dev/v1alpha1", "kind": "Dataset", "controller": True}
RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
TOKEN = {"serviceAccountToken": {"audience": "tidemill.dev", "path": "t", "expirationSeconds": 600}}
CONTAINER = {
    "name": "main",
    "image": "none",
    "command": ["run"],
    "env": [{"name": "A", "value": "1"}, {"name": "EMPTY", "value": ""}],
    "ports": [{"name": "http", "containerPort": 8080}],
    "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"memory": "1Gi"}},
    "securityContext": RESTRICTED,
    "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 2},
    "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
}
POD = {
    "metadata": {"labels": {"app": "x"}},
    "spec": {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 30,
        "containers": [CONTAINER],
        "volumes": [
            {"name": "scratch", "emptyDir": {}},
            {"name": "token", "projected": {"sources": [TOKEN], "defaultMode": 0o440}},
        ],
    },
}
JOB_POD = {**POD, "spec": {**POD["spec"], "restartPolicy": "Never"}}  # type: ignore[dict-item]
SPECS: dict[str, Body] = {
    "Deployment": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "x"}},
        "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "100%"}},
        "template": POD,
    },
    "Job": {"backoffLimit": 0, "activeDeadlineSeconds": 60, "template": JOB_POD},
    "Service": {"selector": {"app": "x"}, "ports": [{"name": "http", "port": 80}]},
}
RESOURCES = {"Deployment": DEPLOYMENTS, "Job": JOBS, "Service": SERVICES}
each_kind = pytest.mark.parametrize("kind", SPECS)


def manifest(kind: str, namespace: str, uid: str = "u1", owner: str = "owner") -> Body:
    reference = {**OWNER, "name": owner, "uid": uid}
    metadata = {"name": "x", "namespace": namespace, "ownerReferences": [reference]}
    return {
        "apiVersion": RESOURCES[kind].api_version,
        "kind": kind,
        "metadata": metadata,
        "spec": copy.deepcopy(SPECS[kind]),
    }


async def live(client: Client, body: Body) -> Body:
    metadata = body["metadata"]
    found = await client.get(resources.of(body), metadata["namespace"], metadata["name"])
    assert found is not None
    return found


@each_kind
async def test_created_once_and_left_alone_when_defaults_are_all_that_differs(
    client: Client, namespace: str, kind: str
) -> None:
    desired = manifest(kind, namespace)
    assert await ensure(client, desired, None) is Change.CREATED
    before = await live(client, desired)
    assert await ensure(client, desired, before) is Change.NONE
    assert await ensure(client, desired, None) is Change.NONE, "a stale view makes no second one"
    assert await live(client, desired) == before


@each_kind
async def test_what_others_added_is_left_alone(client: Client, namespace: str, kind: str) -> None:
    desired = manifest(kind, namespace)
    await ensure(client, desired, None)
    change = {"metadata": {"labels": {"theirs": "1"}, "annotations": {"theirs": "1"}}}
    await client.patch(RESOURCES[kind], namespace, "x", change)
    assert await ensure(client, desired, await live(client, desired)) is Change.NONE
    assert (await live(client, desired))["metadata"]["labels"]["theirs"] == "1"


@pytest.mark.parametrize(
    ("kind", "path", "edited"),
    [
        pytest.param("Deployment", "replicas", 3, id="replicas"),
        pytest.param("Deployment", "template.spec.containers.0.image", "evil", id="image"),
        pytest.param("Deployment", "template.spec.containers.0.env.0.value", "2", id="env"),
        pytest.param("Deployment", "template.spec.containers.0.env", [], id="env removed"),
        pytest.param("Deployment", "template.spec.automountServiceAccountToken", None, id="token"),
        pytest.param(
            "Deployment",
            "template.spec.containers.0.securityContext.allowPrivilegeEscalation",
            None,
            id="privileges",
        ),
        pytest.param("Deployment", "template.spec.volumes.0.emptyDir.medium", "Memory", id="more"),
        pytest.param("Service", "ports.0.port", 81, id="port"),
        pytest.param("Service", "selector.app", "y", id="selector"),
        pytest.param("Job", "activeDeadlineSeconds", 5, id="deadline"),
    ],
)
async def test_what_was_edited_by_hand_is_corrected(
    client: Client, namespace: str, kind: str, path: str, edited: object
) -> None:
    desired = manifest(kind, namespace)
    await ensure(client, desired, None)
    before = await live(client, desired)
    await edit(client, kind, before, path, edited)
    foreign = "medium" in path
    expected = Change.NONE if foreign else Change.CORRECTED
    assert await ensure(client, desired, await live(client, desired)) is expected
    if not foreign:
        assert (await live(client, desired))["spec"] == before["spec"]
        assert await ensure(client, desired, await live(client, desired)) is Change.NONE


async def edit(client: Client, kind: str, body: Body, path: str, value: object) -> None:
    """Change one field as `kubectl edit` does: replace the object whole."""
    body = copy.deepcopy(body)
    *parents, last = path.split(".")
    place: Any = body["spec"]
    for step in parents:
        place = place[int(step)] if isinstance(place, list) else place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    await client.replace(RESOURCES[kind], body)


async def test_what_the_api_server_refuses_is_refused(client: Client, namespace: str) -> None:
    desired = manifest("Deployment", namespace)
    await ensure(client, desired, None)
    desired["spec"]["selector"] = {"matchLabels": {"app": "y"}}
    with pytest.raises(Stalled, match=r"spec\.selector") as caught:
        await ensure(client, desired, await live(client, desired))
    assert caught.value.reason is Reason.SPEC_INVALID


async def test_another_wish_is_applied_and_what_it_leaves_out_is_dropped(
    client: Client, namespace: str
) -> None:
    desired = manifest("Deployment", namespace)
    await ensure(client, desired, None)
    container = desired["spec"]["template"]["spec"]["containers"][0]
    del container["env"][1]
    del container["command"]
    assert await ensure(client, desired, await live(client, desired)) is Change.UPDATED
    after = (await live(client, desired))["spec"]["template"]["spec"]["containers"][0]
    assert after["env"] == [{"name": "A", "value": "1"}]
    assert "command" not in after
    assert await ensure(client, desired, await live(client, desired)) is Change.NONE


@each_kind
async def test_the_object_of_another_owner_is_not_touched(
    client: Client, namespace: str, kind: str
) -> None:
    await ensure(client, manifest(kind, namespace, "u1", "first"), None)
    before = await live(client, manifest(kind, namespace))
    for known in (None, before):
        with pytest.raises(Stalled, match="belongs to Dataset first") as caught:
            await ensure(client, manifest(kind, namespace, "u2", "second"), known)
        assert caught.value.reason is Reason.NAME_CONFLICT
    assert await live(client, manifest(kind, namespace)) == before


@each_kind
@pytest.mark.parametrize("mark", ["labels", "ownerReferences"])
async def test_a_mark_that_somebody_removed_comes_back(
    client: Client, namespace: str, kind: str, mark: str
) -> None:
    desired = manifest(kind, namespace)
    desired["metadata"]["labels"] = {OWNER_UID_LABEL: "u1"}
    await ensure(client, desired, None)
    gone = {"labels": {OWNER_UID_LABEL: None}, "ownerReferences": None}[mark]
    resource = resources.of(desired)
    edited = await client.patch(resource, namespace, "x", {"metadata": {mark: gone}})
    assert await ensure(client, desired, edited) is Change.CORRECTED
    now = await live(client, desired)
    assert now["metadata"]["labels"][OWNER_UID_LABEL] == "u1"
    assert now["metadata"]["ownerReferences"][0]["uid"] == "u1"


async def test_the_object_of_nobody_is_not_touched(client: Client, namespace: str) -> None:
    desired = manifest("Service", namespace)
    stray = copy.deepcopy(desired)
    del stray["metadata"]["ownerReferences"]
    await client.create(SERVICES, stray)
    with pytest.raises(Stalled, match="to nobody of ours"):
        await ensure(client, desired, None)


@each_kind
async def test_the_object_of_a_deleted_namesake_is_waited_for(
    client: Client, namespace: str, kind: str
) -> None:
    await ensure(client, manifest(kind, namespace, "u1"), None)
    with pytest.raises(Retry, match="waiting until it is gone") as caught:
        await ensure(client, manifest(kind, namespace, "u2"), None)
    assert caught.value.after == 2.0


async def test_an_object_on_its_way_out_is_waited_for(client: Client, namespace: str) -> None:
    desired = manifest("Service", namespace)
    await ensure(client, desired, None)
    change = {"metadata": {"finalizers": ["example.com/hold"]}}
    await client.patch(SERVICES, namespace, "x", change)
    await client.delete(SERVICES, namespace, "x")
    with pytest.raises(Retry, match="is being deleted"):
        await ensure(client, desired, await live(client, desired))
    await client.patch(SERVICES, namespace, "x", {"metadata": {"finalizers": None}})


async def test_the_digest_is_of_the_manifest_and_beside_other_annotations(
    client: Client, namespace: str
) -> None:
    desired: Body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": "x", "annotations": {"ours": "1"}},
        "data": {"a": "1"},
    }
    await ensure(client, desired, None)
    found = await client.get(CONFIG_MAPS, namespace, "x")
    assert found is not None
    assert set(found["metadata"]["annotations"]) == {"ours", APPLIED}
    assert APPLIED not in desired["metadata"]["annotations"], "the caller's manifest is its own"
