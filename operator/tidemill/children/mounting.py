"""Whether a pod waits for the volume of a claim.

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
    """Name a pod that has had a node for a while and waits there for the volume of its claim."""
    for pod in pods:
        claims = _claims(pod)
        scheduled = _condition(pod, "PodScheduled")
        begun = _condition(pod, "PodReadyToStartContainers")
        if not claims or scheduled.get("status") != "True" or begun.get("status") != "False":
            continue
        since = datetime.fromisoformat(scheduled.get("lastTransitionTime") or now.isoformat())
        if (now - since).total_seconds() >= PATIENCE_SECONDS:
            return _told(pod, claims)
    return None


def _told(pod: Mapping[str, Any], claims: list[str]) -> Diagnosis:
    name, node = pod["metadata"]["name"], pod.get("spec", {}).get("nodeName", "?")
    message = (
        f"node {node} has not mounted the volume of claim {', '.join(claims)} for pod {name}: it "
        "may be in use on another node (ReadWriteOnce), or its server may not answer; see "
        f"`kubectl describe pod {name}`"
    )
    return Diagnosis(Reason.SOURCE_UNAVAILABLE, message, name)


def _claims(pod: Mapping[str, Any]) -> list[str]:
    volumes = pod.get("spec", {}).get("volumes") or ()
    found = (volume.get("persistentVolumeClaim") for volume in volumes)
    return [str(claim["claimName"]) for claim in found if claim]


def _condition(pod: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    for condition in pod.get("status", {}).get("conditions") or ():
        if condition["type"] == kind:
            found: Mapping[str, Any] = condition
            return found
    return {}
