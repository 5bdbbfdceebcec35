"""Why a pod does not work: the reason, and a message that names the thing and the way out."""

import json
from typing import Any

import pytest

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis, diagnose


def pod(name: str = "p", age: int = 0, **status: Any) -> dict[str, Any]:
    limits = {"memory": "300Mi"}
    return {
        "metadata": {"name": name, "creationTimestamp": f"2025-01-01T00:00:{59 - age}Z"},
        "spec": {
            "nodeName": "n1",
            "containers": [{"name": "runner", "resources": {"limits": limits}}],
        },
        "status": status,
    }


def ended(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    return {"containerStatuses": [{"name": "runner", "state": state}]}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"containerStatuses": [{"name": "runner", "image": "r/i:1", "state": state}]}


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    found = {"type": kind, "status": status, "reason": reason, "message": message}
    return {"conditions": [found]}


def unready(containers: str) -> dict[str, Any]:
    """Give a pod that is not ready, and what its kubelet last said of its containers."""
    kinds = {"Ready": "False", "ContainersReady": containers}
    return {"conditions": [{"type": kind, "status": status} for kind, status in kinds.items()]}


TOLD = json.dumps({"reason": "FitFailed", "message": "it raised", "log": ["a", "b"]})
TROUBLES = {
    "out of memory": (
        pod(**ended(137, "OOMKilled")),
        Reason.OOM_KILLED,
        ("limit of 300Mi", "raise spec.template.resources.limits.memory"),
    ),
    "told by itself": (pod(**ended(10, message=TOLD)), Reason.FIT_FAILED, ("it raised",)),
    "told nothing": (pod(**ended(3)), Reason.CONTAINER_FAILED, ("exit code 3",)),
    "an unknown reason": (
        pod(**ended(3, message='{"reason": "What", "message": "x"}')),
        Reason.CONTAINER_FAILED,
        ("exit code 3",),
    ),
    "killed": (pod(**ended(137)), Reason.CONTAINER_FAILED, ("killed from outside",)),
    "image": (
        pod(**waiting("ImagePullBackOff", "not found")),
        Reason.IMAGE_PULL_FAILED,
        ("node n1", "r/i:1", "not found", "check the registry"),
    ),
    "container refused": (
        pod(**waiting("CreateContainerConfigError", 'secret "x" not found')),
        Reason.POD_NOT_CREATED,
        ('secret "x" not found',),
    ),
    "no node": (
        pod(**condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available")),
        Reason.UNSCHEDULABLE,
        ("0/3 nodes are available", "spec.template"),
    ),
    "node away": (
        pod(**unready(containers="True")),
        Reason.NODE_LOST,
        ("node n1 stopped answering",),
    ),
    "node lost": (
        pod(**condition("DisruptionTarget", "True", "DeletionByTaintManager")),
        Reason.NODE_LOST,
        ("node n1 was lost",),
    ),
    "evicted": (
        pod(reason="Evicted", message="low on disk"),
        Reason.EVICTED,
        ("node n1", "low on disk"),
    ),
}


@pytest.mark.parametrize("case", TROUBLES)
def test_a_trouble_has_a_reason_and_a_message(case: str) -> None:
    body, reason, tells = TROUBLES[case]
    found = diagnose([body])
    assert found is not None
    assert found.reason is reason
    assert [part for part in tells if part not in found.message] == []


def test_a_container_without_a_limit_is_told_to_have_filled_its_node() -> None:
    body = pod(**ended(137, "OOMKilled"))
    body["spec"]["containers"][0]["resources"] = {}
    found = diagnose([body])
    assert found is not None
    assert "what its node has of memory" in found.message


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"phase": "Running", "containerStatuses": [{"name": "runner", "ready": True}]},
        unready(containers="False"),
        ended(0, "Completed"),
        condition("PodScheduled", "True", ""),
        waiting("ContainerCreating"),
    ],
    ids=["new", "running", "not ready yet", "done", "scheduled", "creating"],
)
def test_a_pod_that_does_its_work_has_no_trouble(status: dict[str, Any]) -> None:
    assert diagnose([pod(**status)]) is None


def test_what_ended_a_pod_comes_before_what_keeps_a_newer_one_from_starting() -> None:
    older = pod("old", 10, **ended(10, message=TOLD))
    newer = pod("new", 0, **waiting("ImagePullBackOff"))
    found = diagnose([newer, older])
    assert isinstance(found, Diagnosis)
    assert (found.pod, found.final, found.exit_code, found.log) == ("old", True, 10, ("a", "b"))
