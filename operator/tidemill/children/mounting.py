"""Whether a pod waits for the volume of a claim, or of a ConfigMap that may not be there.

A claim that is in use on another node, or a file server that does not answer, keeps the kubelet
from mounting. It says so in Events alone: in the pod there is only that nothing has begun.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis

PATIENCE_SECONDS = 60.0


def unmounted(pods: Iterable[Mapping[str, Any]], now: datetime) -> Diagnosis | None:
    """Name a pod that has had a node for a while and waits there for a volume of a user's."""
    for pod in pods:
        claims = _named(pod, "persistentVolumeClaim", "claimName")
        maps = _named(pod, "configMap", "name")
        scheduled = _condition(pod, "PodScheduled")
        begun = _condition(pod, "PodReadyToStartContainers")
        waits = (scheduled.get("status"), begun.get("status")) == ("True", "False")
        if not waits or not (claims or maps):
            continue
        since = datetime.fromisoformat(scheduled.get("lastTransitionTime") or now.isoformat())
        if (now - since).total_seconds() >= PATIENCE_SECONDS:
            return _told(pod, claims, maps)
    return None


def _told(pod: Mapping[str, Any], claims: list[str], maps: list[str]) -> Diagnosis:
    name, node = pod["metadata"]["name"], pod.get("spec", {}).get("nodeName", "?")
    whose, why = [], []
    if claims:
        whose.append(f"claim {', '.join(claims)}")
        why.append("it may be in use on another node (ReadWriteOnce), or its server may not answer")
    if maps:
        whose.append(f"ConfigMap {', '.join(maps)}")
        why.append("a ConfigMap may not be there: create it")
    message = (
        f"node {node} has not mounted the volume of {' or '.join(whose)} for pod {name}: "
        f"{'; '.join(why)}; see `kubectl describe pod {name}`"
    )
    return Diagnosis(Reason.SOURCE_UNAVAILABLE, message, name)


def _named(pod: Mapping[str, Any], source: str, key: str) -> list[str]:
    volumes = pod.get("spec", {}).get("volumes") or ()
    found = (volume.get(source) for volume in volumes)
    return [str(one[key]) for one in found if one]


def _condition(pod: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    for condition in pod.get("status", {}).get("conditions") or ():
        if condition["type"] == kind:
            found: Mapping[str, Any] = condition
            return found
    return {}
