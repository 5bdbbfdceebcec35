"""How much a pod may use, as the scheduler counts, from its manifest.

A container counts with its request or its limit, whichever is larger. Containers that work at the
same time add up; init containers run one after another, beside the sidecars begun before them, and
count where one of them needs more than all that come after. Without a limit of memory a container
may use all that its node has; without one of CPU it gets what is idle, and that is not counted.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tidemill.kube.drift import quantity

UNBOUNDED = Decimal("Infinity")
MEMORY = "memory"
Amount = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod, with what it may use."""

    name: str
    uses: Amount
    first: bool  # it has ended before the others begin


def of_containers(pod: Mapping[str, Any]) -> list[Container]:
    """Give the containers of a pod spec in the order they start."""
    begun = [
        Container(one["name"], _uses(one), one.get("restartPolicy") != "Always")
        for one in pod.get("initContainers") or ()
    ]
    return begun + [Container(one["name"], _uses(one), False) for one in pod["containers"]]


def of_pod(containers: list[Container]) -> Amount:
    """Give what a pod may use at once, at most."""
    beside: dict[str, Decimal] = defaultdict(Decimal)
    most: dict[str, Decimal] = defaultdict(Decimal)
    for one in containers:
        for name, amount in one.uses.items():
            most[name] = max(most[name], beside[name] + amount)
            if not one.first:
                beside[name] += amount
    return most


def of_all(pod: Amount, pods: int) -> Amount:
    """Give what so many pods may use."""
    return {name: amount * pods for name, amount in pod.items()}


def _uses(container: Mapping[str, Any]) -> Amount:
    found = container.get("resources") or {}
    requests, limits = found.get("requests") or {}, found.get("limits") or {}
    return {name: _larger(name, requests, limits) for name in _names(requests, limits)}


def _names(requests: Mapping[str, Any], limits: Mapping[str, Any]) -> Iterator[str]:
    yield from dict.fromkeys([*requests, *limits, MEMORY])


def _larger(name: str, requests: Mapping[str, Any], limits: Mapping[str, Any]) -> Decimal:
    if name == MEMORY and name not in limits:
        return UNBOUNDED
    given = [quantity(one[name]) for one in (requests, limits) if name in one]
    return max((one for one in given if one is not None), default=UNBOUNDED)
