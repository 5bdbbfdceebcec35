"""An administrator who writes a policy where the operator looks for it."""

from typing import Any

from tests.unit.children.world import World

from tidemill.kube.resources import CONFIG_MAPS
from tidemill.policy.document import KEY, NAME

SYSTEM = "tidemill-system"


def put_policy(world: World, text: str) -> dict[str, Any]:
    """Apply the ConfigMap; each time is another version of it."""
    metadata = {"name": NAME, "namespace": SYSTEM, "resourceVersion": str(hash(text))}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {KEY: text}}
    return world.api.put(body)


def remove_policy(world: World) -> None:
    """Delete the ConfigMap."""
    world.api.objects.pop((CONFIG_MAPS, SYSTEM, NAME))
