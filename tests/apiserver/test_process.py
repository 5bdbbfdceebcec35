"""The operator's process against a real API server: watches, faults, ends."""

import json
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.control_plane import ControlPlane, wait_ready
from tests.apiserver.crd_objects import minimal
from tests.apiserver.kubectl import Kubectl
from tests.apiserver.running import Toy, toy
from tests.apiserver.toy import SLOW
from tests.apiserver.waiting import eventually

from tidemill.kube.client import Client
from tidemill.kube.resources import (
    DATASETS,
    EVENTS,
    JOBS,
    LEASES,
    MODEL_DEPLOYMENTS,
    SERVICES,
    TRAINING_RUNS,
)

Body = dict[str, Any]
pytestmark = pytest.mark.usefixtures("kubectl")
BUSY = "workqueue_depth|controller_runtime_active_workers"
OWN = {"Dataset": DATASETS, "TrainingRun": TRAINING_RUNS, "ModelDeployment": MODEL_DEPLOYMENTS}


def an_object(namespace: str, name: str = "a", kind: str = "Dataset") -> Body:
    body = minimal(kind, name)
    body["metadata"]["namespace"] = namespace
    return body


class World:
    """What a test asks of the world."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace

    async def create(self, name: str = "a", kind: str = "Dataset") -> None:
        await self.client.create(OWN[kind], an_object(self.namespace, name, kind))

    async def is_ready(self, name: str = "a", kind: str = "Dataset", generation: int = 1) -> bool:
        live = await self.client.get(OWN[kind], self.namespace, name)
        status = (live or {}).get("status", {})
        return bool(status.get("observedGeneration") == generation and status["conditions"])

    async def becomes_ready(self, name: str = "a", kind: str = "Dataset") -> None:
        await eventually(lambda: self.is_ready(name, kind))


@pytest.fixture
def world(client: Client, namespace: str) -> World:
    return World(client, namespace)


@pytest.fixture
async def operator(tmp_path: Path, plane: ControlPlane, namespace: str) -> AsyncIterator[Toy]:
    async with toy(tmp_path, plane.kubeconfig, namespace) as running:
        yield running


@pytest.mark.parametrize("kind", OWN)
async def test_an_object_is_reconciled_and_an_echo_is_not(
    operator: Toy, world: World, kind: str
) -> None:
    await world.create(kind=kind)
    await world.becomes_ready(kind=kind)
    # Another object's whole way is behind the first one's echoes in the same watches.
    await world.create("b", kind)
    await world.becomes_ready("b", kind)
    assert operator.reconciled(f"{kind}/{world.namespace}/a") == 1


async def test_a_change_of_the_spec_is_reconciled(operator: Toy, world: World) -> None:
    await world.create()
    await world.becomes_ready()
    change = {"spec": {"suspend": True}}
    await world.client.patch(DATASETS, world.namespace, "a", change)
    await eventually(lambda: world.is_ready(generation=2))
    assert operator.reconciled(f"Dataset/{world.namespace}/a") == 2


async def test_the_annotation_asks_for_a_reconcile(operator: Toy, world: World) -> None:
    await world.create()
    await world.becomes_ready()
    annotations = {"tidemill.dev/reconcile-requested-at": "now"}
    change = {"metadata": {"annotations": annotations}}
    await world.client.patch(DATASETS, world.namespace, "a", change)
    await eventually(lambda: count(operator, f"Dataset/{world.namespace}/a", 2))


async def count(operator: Toy, key: str, at_least: int) -> bool:
    return operator.reconciled(key) >= at_least


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("resource", [JOBS, SERVICES], ids=str)
async def test_a_deleted_child_comes_back(world: World, resource: Any) -> None:
    await world.create()
    await world.becomes_ready()
    first = await world.client.get(resource, world.namespace, "d-a")
    assert first is not None
    await world.client.delete(resource, world.namespace, "d-a", propagation="Background")

    async def is_another() -> bool:
        live = await world.client.get(resource, world.namespace, "d-a")
        return live is not None and live["metadata"]["uid"] != first["metadata"]["uid"]

    await eventually(is_another)


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize(
    ("resource", "edit", "field", "expected"),
    [
        pytest.param(JOBS, {"spec": {"parallelism": 3}}, "parallelism", 1, id="job"),
        pytest.param(
            SERVICES, {"spec": {"selector": {"app": "x"}}}, "selector", {"app": "a"}, id="selector"
        ),
        pytest.param(
            SERVICES,
            {"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 9}]}},
            "ports",
            [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
            id="port",
        ),
    ],
)
async def test_an_edited_child_is_corrected(
    world: World, resource: Any, edit: Body, field: str, expected: object
) -> None:
    await world.create()
    await world.becomes_ready()
    await world.client.patch(resource, world.namespace, "d-a", edit)

    async def is_corrected() -> bool:
        live = await world.client.get(resource, world.namespace, "d-a")
        return live is not None and live["spec"][field] == expected

    await eventually(is_corrected)


async def test_a_restart_writes_nothing_when_nothing_changed(
    tmp_path: Path, plane: ControlPlane, world: World
) -> None:
    async with toy(tmp_path, plane.kubeconfig, world.namespace) as first:
        for number in range(5):
            await world.create(f"n{number}")
            await world.becomes_ready(f"n{number}")
        await eventually(lambda: wrote(first, 5 * 4))
    async with toy(tmp_path, plane.kubeconfig, world.namespace) as second:
        for number in range(5):
            await eventually(lambda n=number: count(second, f"Dataset/{world.namespace}/n{n}", 1))
        await eventually(lambda: idle(second))
        assert await second.metric("tidemill_api_writes_total") == 0


async def wrote(operator: Toy, writes: int) -> bool:
    return await operator.metric("tidemill_api_writes_total") == writes


async def idle(operator: Toy) -> bool:
    _, text = await operator.get("/metrics")
    busy = re.findall(rf"^(?:{BUSY})\{{.*\}} (.*)$", text, re.MULTILINE)
    return all(float(value) == 0 for value in busy)


async def test_killed_after_any_write_the_next_process_brings_the_same_end(
    tmp_path: Path, plane: ControlPlane, world: World
) -> None:
    for number in range(1, 6):
        name = f"n{number}"
        flags = (f"--namespace={world.namespace}", "--identity=one")  # a container restarts
        die = f"--die-at-write={number}"
        async with toy(tmp_path, plane.kubeconfig, world.namespace, *flags, die) as dying:
            await world.create(name)
            if number <= 4:
                assert await dying.ended() == 77
            else:
                await world.becomes_ready(name)  # there is no fifth write
        async with toy(tmp_path, plane.kubeconfig, world.namespace, *flags):
            await world.becomes_ready(name)
        jobs = await world.client.list(JOBS, world.namespace)
        services = await world.client.list(SERVICES, world.namespace)
        assert (len(jobs), len(services)) == (number, number)


async def test_sigterm_lets_a_reconcile_end_and_gives_the_lease_back(
    operator: Toy, world: World
) -> None:
    await world.create(SLOW)
    await eventually(lambda: count(operator, f"Dataset/{world.namespace}/{SLOW}", 1))
    operator.send(signal.SIGTERM)
    assert await operator.ended() == 0
    assert await world.is_ready(SLOW)
    lease = await world.client.get(LEASES, world.namespace, "tidemill-operator")
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == ""


async def test_sigterm_ends_a_process_that_waits_for_the_lease(
    tmp_path: Path, plane: ControlPlane, operator: Toy, world: World
) -> None:
    async with toy(tmp_path, plane.kubeconfig, world.namespace, wait=False) as second:
        await eventually(lambda: is_waiting(second))
        await world.create()
        await world.becomes_ready()
        assert second.reconciled(f"Dataset/{world.namespace}/a") == 0
        second.send(signal.SIGTERM)
        assert await second.ended() == 0
    assert await operator.ready()


async def is_waiting(operator: Toy) -> bool:
    return await operator.get("/readyz") == (
        503,
        "waits for the Lease\n",
    )


async def test_a_killed_leader_is_followed(
    tmp_path: Path, plane: ControlPlane, operator: Toy, world: World
) -> None:
    async with toy(tmp_path, plane.kubeconfig, world.namespace, wait=False) as second:
        await eventually(lambda: is_waiting(second))
        operator.send(signal.SIGKILL)
        await world.create()
        await eventually(second.ready)
        await world.becomes_ready()


async def test_a_leader_without_its_lease_ends(operator: Toy, world: World) -> None:
    lease = await world.client.get(LEASES, world.namespace, "tidemill-operator")
    assert lease is not None
    spec = {**lease["spec"], "holderIdentity": "somebody else"}
    await world.client.patch(LEASES, world.namespace, "tidemill-operator", {"spec": spec})
    assert await operator.ended() == 1


async def test_roles_in_one_namespace_suffice(
    tmp_path: Path, plane: ControlPlane, kubectl: Kubectl, world: World
) -> None:
    """Nothing cluster-wide is read: no lists over all namespaces, no CRDs, no namespaces."""
    bind = {"namespace": world.namespace}
    rules = [
        (
            ["tidemill.dev"],
            ["datasets", "trainingruns", "modeldeployments"],
            ["get", "list", "watch"],
        ),
        (["tidemill.dev"], ["datasets/status"], ["patch"]),
        (["batch"], ["jobs"], ["get", "list", "watch", "create", "patch"]),
        (["apps"], ["deployments"], ["list", "watch"]),
        ([""], ["services"], ["get", "list", "watch", "create", "patch"]),
        ([""], ["events"], ["create"]),
        (["coordination.k8s.io"], ["leases"], ["get", "create", "update"]),
    ]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "toy", **bind},
        "rules": [{"apiGroups": g, "resources": r, "verbs": v} for g, r, v in rules],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "toy", **bind},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "toy"},
        "subjects": [{"kind": "ServiceAccount", "name": "toy", **bind}],
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "toy", **bind}}
    for body in (account, role, binding):
        kubectl.apply(body)
    token = kubectl("create", "token", "toy", f"--namespace={world.namespace}").strip()
    limited = tmp_path / "kubeconfig"
    config = json.loads(plane.kubeconfig.read_text())
    config["users"] = [{"name": "u", "user": {"token": token}}]
    limited.write_text(json.dumps(config))
    async with toy(tmp_path, limited, world.namespace) as running:
        await world.create()
        await world.becomes_ready()
        assert await running.ready()
        log = running.log.read_text()
        assert "orbidden" not in log
        assert token not in log


@pytest.mark.usefixtures("operator")
async def test_events_tell_of_transitions(world: World) -> None:
    await world.create()

    async def told() -> list[Body]:
        return await world.client.list(EVENTS, world.namespace)

    (event,) = await eventually(told)
    assert (event["reason"], event["type"], event["count"]) == ("Ready", "Normal", 1)
    assert event["involvedObject"]["name"] == "a"


async def test_an_outage_of_the_api_server_is_outlived(
    tmp_path: Path, plane: ControlPlane, world: World
) -> None:
    """With a Lease long enough: nothing in the watches gives up, and what changed is seen."""
    flags = (f"--namespace={world.namespace}", "--lease-seconds=120", "--renew-seconds=100")
    async with toy(tmp_path, plane.kubeconfig, world.namespace, *flags) as running:
        await world.create("before")
        await world.becomes_ready("before")
        plane.processes.stop_api()
        try:
            await eventually(lambda: has_noticed(running))
        finally:
            plane.processes.start_api()
            wait_ready(plane.processes)
        await world.client.close()
        await world.create("after")
        await world.becomes_ready("after")
        assert await running.ready()


async def has_noticed(operator: Toy) -> bool:
    return "Lease not renewed" in operator.log.read_text()
