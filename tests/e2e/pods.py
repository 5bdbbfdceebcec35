"""The pods of one of our objects, known by the name of it that theirs begin with."""

from tests.apiserver.kubectl import Body
from tests.e2e.world import World


def is_of(child: Body, name: str) -> bool:
    """Tell whether a Job or pod belongs to the object of that name."""
    return str(child["metadata"]["name"]).startswith(f"{name}-")


def pods_of(world: World, name: str, phase: str) -> list[str]:
    """Give the names of the pods of an object in one phase."""
    found = world.list("pods", f"--field-selector=status.phase={phase}")
    return [pod["metadata"]["name"] for pod in found if is_of(pod, name)]


def pod_of(world: World, name: str) -> Body:
    """Read the only running pod of an object."""
    (pod,) = pods_of(world, name, "Running")
    return world.read("pod", pod)


def log_of(world: World, name: str) -> str:
    """Read the logs of the running pods of an object; empty when none has started."""
    flags = ("-n", world.namespace, "--all-containers")
    return "".join(world.kubectl("logs", pod, *flags) for pod in pods_of(world, name, "Running"))
