"""What happens around a ModelDeployment: runs with packages, Deployments whose pods come up."""

from collections.abc import Callable
from typing import Any

from tests.unit.children.world import NAMESPACE, Reconcile, World

from tidemill.deployment.observed import REVISION_LABEL
from tidemill.deployment.packages import Packages
from tidemill.deployment.reconcile import ModelDeploymentReconciler
from tidemill.kube.resources import DEPLOYMENTS, MODEL_DEPLOYMENTS, SERVICES

KIND = "ModelDeployment"


def digest(letter: str) -> str:
    """Give a digest that is easy to tell from others."""
    return "sha256:" + letter * 64


def package(letter: str, namespace: str = NAMESPACE) -> dict[str, str]:
    """Name a package in the store, as spec.model does."""
    uri = f"s3://tidemill/models/{namespace}/r/{letter * 64}/"
    return {"uri": uri, "digest": digest(letter)}


def process(world: World) -> Callable[[], Reconcile]:
    """Give what starts an operator's process."""
    return lambda: (
        ModelDeploymentReconciler(
            world.context(), world.platform, Packages(world.platform.store)
        ).reconcile
    )


def put_run(world: World, name: str = "run", **status: Any) -> dict[str, Any]:
    """Have a TrainingRun that stands as told."""
    body = world.put("TrainingRun", name, {})
    body["status"] = status
    return body


def come_up(body: dict[str, Any], ready: int | None = None) -> None:
    """Do as the Deployment controller does: some pods answer, all unless told otherwise."""
    wanted = body["spec"]["replicas"]
    count = wanted if ready is None else ready
    body["status"] = {
        "observedGeneration": body["metadata"]["generation"],
        "replicas": wanted,
        "updatedReplicas": wanted,
        "readyReplicas": count,
    }


def cluster(world: World) -> Callable[[], None]:
    """Bring up every pod, and look that the address has always somebody who answers."""
    answered = False

    def run() -> None:
        nonlocal answered
        now = answering(world)
        if answered and not now:
            raise AssertionError("the address answered, and answers no more")
        answered = answered or now > 0
        for body in world.api.all(DEPLOYMENTS):
            come_up(body)

    return run


def answering(world: World) -> int:
    """Count the pods that the Service sends traffic to and that answer."""
    found = 0
    for service in world.api.all(SERVICES):
        revision = service["spec"]["selector"][REVISION_LABEL]
        for body in world.api.all(DEPLOYMENTS):
            if body["spec"]["selector"]["matchLabels"][REVISION_LABEL] == revision:
                found += body.get("status", {}).get("readyReplicas", 0)
    return found


def served(world: World) -> dict[str, Any]:
    """Give the ModelDeployment's status."""
    status: dict[str, Any] = world.api.one(MODEL_DEPLOYMENTS)["status"]
    return status
