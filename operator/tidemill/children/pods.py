"""Why a pod is not doing its work, in one reason and one message.

`diagnose` reads what the API server has of the pods of one child and names the most telling fault:
what ended a container before what keeps one from starting. It is pure; the caller lists the pods.
"""

import itertools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.foreign import FOREIGN, PREPARE, ROOMS, SERVE, rank_of

MAX_LOG_LINES = 20
MAX_LOG_LINE = 512
_PULL_FAULTS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
_ABOUT_VOLUMES = ("persistentvolume", "persistent volume", "pvc(s)", "volume zone")
# Of a Job's pod the container that works; others are before it or beside it.
WORKER = "runner"
_SIGKILL, _SIGTERM = 137, 143
# As the kubelet says it.
_FULL = re.compile(rf'Usage of EmptyDir volume "({"|".join(ROOMS)})" exceeds the limit "([^"]+)"')
# Ours, beside the user's code.
FOLLOWER = "follow"
_NEEDS_SOMEBODY = {
    Reason.UNSCHEDULABLE,
    Reason.IMAGE_PULL_FAILED,
    Reason.POD_NOT_CREATED,
    # Until the node is back or removed, the pod counts as running and has no successor.
    Reason.NODE_LOST,
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong with a pod; `final` when the container has ended.

    `overdue` when it runs for longer than it may, so that its Job is to be ended. `aside` when the
    work goes on: it tells of a container beside the one that works, or of the pod before.
    """

    reason: Reason
    message: str
    pod: str
    final: bool = False
    exit_code: int | None = None
    log: tuple[str, ...] = ()
    container: str | None = None
    overdue: bool = False
    aside: bool = False

    @property
    def needs_somebody(self) -> bool:
        """Tell whether it stays so until somebody acts, although the pod may yet run."""
        return self.reason in _NEEDS_SOMEBODY


def diagnose(pods: Iterable[Mapping[str, Any]]) -> Diagnosis | None:
    """Name the most telling fault among the pods of one child; None when none is seen."""
    newest_first = sorted(
        pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True
    )
    found = [d for pod in newest_first if (d := _diagnose_one(pod))]
    return next((d for d in found if d.final), found[0] if found else None)


def overdue(pods: Iterable[Mapping[str, Any]], limit: float, now: datetime) -> Diagnosis | None:
    """Name a pod whose user's container runs for more than so many seconds."""
    for pod in pods:
        for container in pod.get("status", {}).get("initContainerStatuses") or ():
            running = container.get("state", {}).get("running") or {}
            if container["name"] != PREPARE or not running.get("startedAt"):
                continue
            ran = (now - datetime.fromisoformat(running["startedAt"])).total_seconds()
            if ran > limit:
                message = (
                    f"spec.prepare.container is not done after {limit:.0f} s: make it quicker, or "
                    "raise spec.prepare.deadline"
                )
                name, found = pod["metadata"]["name"], Reason.PREPARE_FAILED
                return Diagnosis(found, message, name, True, overdue=True)
    return None


def overflowed(pods: Iterable[Mapping[str, Any]]) -> Diagnosis | None:
    """Name a pod that was evicted since the user's container filled a folder of its own.

    To the Job that is an eviction like any other; but the same again would end the same.
    """
    for pod in pods:
        status = pod.get("status", {})
        room = _FULL.search(str(status.get("message", "")))
        containers = pod.get("spec", {}).get("initContainers") or ()
        foreign = next((FOREIGN[one["name"]] for one in containers if one["name"] in FOREIGN), None)
        if status.get("reason") != "Evicted" or room is None or foreign is None:
            continue
        rank = next(filter(None, (rank_of(pod, one["name"]) for one in containers)), "")
        message = (
            f"{foreign.field}{rank} wrote more than {room[2]} to {ROOMS[room[1]]}, the limit: "
            "write less"
        )
        return Diagnosis(foreign.reason, message, pod["metadata"]["name"], True, overdue=True)
    return None


def works(pod: Mapping[str, Any]) -> bool:
    """Tell whether a container runs that does a pod's work: ours, or the user's before it."""
    status = pod.get("status", {})
    containers = [
        *(one for one in status.get("containerStatuses") or () if one["name"] == WORKER),
        *(one for one in status.get("initContainerStatuses") or () if one["name"] in FOREIGN),
    ]
    return any(one.get("state", {}).get("running") for one in containers)


def is_over(pod: Mapping[str, Any]) -> bool:
    """Tell whether a pod is over: its successor, if it has one, is another pod."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _diagnose_one(pod: Mapping[str, Any]) -> Diagnosis | None:
    status = pod.get("status", {})
    return _node_fault(pod, status) or _container_fault(pod, status) or _not_scheduled(pod, status)


def _node_fault(pod: Mapping[str, Any], status: Mapping[str, Any]) -> Diagnosis | None:
    name, node = pod["metadata"]["name"], pod.get("spec", {}).get("nodeName", "?")
    out = f"restore the node, or remove it with `kubectl delete node {node}`"
    if status.get("reason") == "NodeLost" or _is_silent(status):
        message = f"node {node} stopped answering while pod {name} ran on it: {out}"
        return Diagnosis(Reason.NODE_LOST, message, name)
    if status.get("reason") == "Evicted":
        text = str(status.get("message", "no reason given")).strip()
        return Diagnosis(Reason.EVICTED, f"node {node} evicted the pod: {text}", name, final=True)
    disruption = _condition(status, "DisruptionTarget", None)
    if disruption and disruption.get("reason") == "DeletionByTaintManager":
        message = f"node {node} was lost while pod {name} ran on it: {out}"
        return Diagnosis(Reason.NODE_LOST, message, name, final=True)
    return None


def _is_silent(status: Mapping[str, Any]) -> bool:
    """Tell whether the node controller took a pod for unready while its kubelet has not said so.

    It turns Ready to False and gives no reason; what the kubelet said of the containers stays.
    """
    ready, containers = (_condition(status, c, None) or {} for c in ("Ready", "ContainersReady"))
    return ready.get("status") == "False" and containers.get("status") == "True"


def _condition(
    status: Mapping[str, Any], kind: str, reason: str | None
) -> Mapping[str, Any] | None:
    for condition in status.get("conditions") or ():
        if condition["type"] == kind and reason in (None, condition.get("reason")):
            found: Mapping[str, Any] = condition
            return found
    return None


def _container_fault(pod: Mapping[str, Any], status: Mapping[str, Any]) -> Diagnosis | None:
    statuses = (status.get(f) or () for f in ("initContainerStatuses", "containerStatuses"))
    beside = _sidecars(pod)
    # They are ended with the pod, and often badly: what ended the pod is told first.
    for container in sorted(itertools.chain(*statuses), key=lambda one: one["name"] in beside):
        if container.get("ready"):
            continue
        state = container.get("state", {})
        ended = state.get("terminated") or container.get("lastState", {}).get("terminated")
        # A container that is to serve has no end that is good.
        bad = ended and (ended.get("exitCode") or ended.get("reason") == "OOMKilled")
        if ended and (bad or container["name"] == SERVE):
            if container["name"] in beside:
                return _sidecar_ended(pod, container["name"], ended)
            return _ended(pod, container["name"], ended)
        waiting = state.get("waiting") or {}
        text = str(waiting.get("message", "")).strip()
        if waiting.get("reason") in _PULL_FAULTS:
            image = container.get("image", "?")
            foreign = FOREIGN.get(container["name"])
            field = f"{foreign.field}.image: " if foreign else ""
            message = (
                f"{field}node {pod['spec'].get('nodeName')} cannot pull the image {image}: {text}: "
                "check the registry and the name; it is tried again"
            )
            return Diagnosis(Reason.IMAGE_PULL_FAILED, message, pod["metadata"]["name"])
        if waiting.get("reason") in ("CreateContainerConfigError", "CreateContainerError"):
            message = f"the container cannot be created: {text}"
            return Diagnosis(Reason.POD_NOT_CREATED, message, pod["metadata"]["name"])
    return None


def _sidecars(pod: Mapping[str, Any]) -> set[str]:
    """Name the containers beside ours: the user's, from `spec.template.sidecars`."""
    first = pod.get("spec", {}).get("initContainers") or ()
    always = {one["name"] for one in first if one.get("restartPolicy") == "Always"}
    return always - {SERVE}  # which is what the pod is there for


def _sidecar_ended(pod: Mapping[str, Any], container: str, ended: Mapping[str, Any]) -> Diagnosis:
    """Say that a sidecar ends again and again; what it says is nobody's word but its own."""
    name, code = pod["metadata"]["name"], int(ended.get("exitCode", 0))
    why = " (out of memory)" if ended.get("reason") == "OOMKilled" else ""
    if container == FOLLOWER:
        message = (
            f"the container {container}, which passes on progress and keeps checkpoints, ended "
            f"with exit code {code}{why} and is started again"
        )
        return Diagnosis(
            Reason.CONTAINER_FAILED, message, name, container=container, aside=works(pod)
        )
    message = (
        f"the sidecar {container} ended with exit code {code}{why} and is started again: correct "
        f"spec.template.sidecars, see `kubectl logs {name} -c {container}`"
    )
    found = Diagnosis(Reason.CONTAINER_FAILED, message, name, container=container)
    return replace(found, aside=works(pod))


def _ended(pod: Mapping[str, Any], container: str, ended: Mapping[str, Any]) -> Diagnosis:
    name, code = pod["metadata"]["name"], int(ended.get("exitCode", 0))
    text, foreign = str(ended.get("message", "")), FOREIGN.get(container)
    rank = rank_of(pod, container)
    told = {} if foreign else parse_termination(text)
    # Who leaves no JSON has the end of its log there: Kubernetes puts it in that place.
    lines = told.get("log") if told else text.splitlines()
    lines = lines if isinstance(lines, list) else []
    log = tuple(str(line)[:MAX_LOG_LINE] for line in lines[-MAX_LOG_LINES:])
    if ended.get("reason") == "OOMKilled":
        limit = _memory_limit(pod, container)
        what = f"its memory limit of {limit}" if limit else "what its node has of memory"
        message = (
            f"the container {container}{rank} passed {what}: raise "
            "spec.template.resources.limits.memory, or use less"
        )
        return Diagnosis(Reason.OOM_KILLED, message, name, True, code, log, container)
    if foreign and code not in (_SIGKILL, _SIGTERM):
        message = (
            f"{foreign.field}{rank} ended with exit code {code}: correct what it runs, see "
            f"`kubectl logs {name} -c {container}`"
        )
        return Diagnosis(foreign.reason, message, name, True, code, log, container)
    reason = Reason.named(told.get("reason"))
    if reason and told.get("message"):
        return Diagnosis(reason, str(told["message"]), name, True, code, log, container)
    killed = code == _SIGKILL or (foreign is not None and code == _SIGTERM)
    cause = "killed from outside" + (", or it lost another rank" if rank else "")
    hint = f" ({cause})" if killed else ""
    message = f"the container {container}{rank} ended with exit code {code}{hint}: see its log"
    return Diagnosis(Reason.CONTAINER_FAILED, message, name, True, code, log, container)


def _memory_limit(pod: Mapping[str, Any], container: str) -> str | None:
    specs = (pod.get("spec", {}).get(f) or () for f in ("initContainers", "containers"))
    for spec in itertools.chain(*specs):
        if spec["name"] == container:
            limit = spec.get("resources", {}).get("limits", {}).get("memory")
            return None if limit is None else str(limit)
    return None


def parse_termination(text: str) -> dict[str, Any]:
    """Read the JSON that our containers leave behind; anything else says nothing."""
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _not_scheduled(pod: Mapping[str, Any], status: Mapping[str, Any]) -> Diagnosis | None:
    condition = _condition(status, "PodScheduled", "Unschedulable")
    if not condition or condition.get("status") != "False":
        return None
    text = str(condition.get("message", "")).strip()
    way_out = "change spec.template, or add a node"
    if any(word in text.lower() for word in _ABOUT_VOLUMES):
        way_out = "the claim must be bound to a volume in reach of a node, see `kubectl get pvc`"
    message = f"no node takes the pod: {text}: {way_out}"
    return Diagnosis(Reason.UNSCHEDULABLE, message, pod["metadata"]["name"])
