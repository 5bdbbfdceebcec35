"""Pods as the API server has them: what of their status is told, and of which pod."""

import json
from typing import Any

import pytest

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis, diagnose, is_over, parse_termination

Body = dict[str, Any]


def pod(name: str, created: str = "2025-01-01T00:00:00Z", **status: Any) -> Body:
    container = {"name": "server", "resources": {"limits": {"memory": "1Gi"}}}
    return {
        "metadata": {"name": name, "creationTimestamp": created},
        "spec": {"nodeName": "n1", "containers": [container]},
        "status": status,
    }


def container(*, ready: bool = False, last: Body | None = None, **state: Any) -> Body:
    found: Body = {
        "name": "server",
        "image": "registry.test/server@sha256:0",
        "ready": ready,
        "restartCount": 1 if last else 0,
        "state": state,
    }
    if last:
        found["lastState"] = {"terminated": last}
    return {"phase": "Running", "containerStatuses": [found]}


def crash(code: int = 1, reason: str = "Error", message: str = "") -> Body:
    return {"exitCode": code, "reason": reason, "message": message}


RUNNING: Body = {"running": {"startedAt": "2025-01-01T00:00:00Z"}}
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}
SCHEDULED = {"type": "PodScheduled", "status": "True"}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (container(**BACK_OFF, last=crash()), Reason.CONTAINER_FAILED),
        (container(**RUNNING, last=crash(137, "OOMKilled")), Reason.OOM_KILLED),
        (container(ready=True, **RUNNING, last=crash(137, "OOMKilled")), None),
        (container(ready=True, **RUNNING), None),
        (container(**RUNNING), None),
        (container(terminated=crash(0, "Completed")), None),
        (container(terminated=crash(0, "OOMKilled")), Reason.OOM_KILLED),
        (container(waiting={"reason": "ErrImagePull", "message": "x"}), Reason.IMAGE_PULL_FAILED),
        (container(waiting={"reason": "InvalidImageName"}), Reason.IMAGE_PULL_FAILED),
        (container(waiting={"reason": "ErrImageNeverPull"}), Reason.IMAGE_PULL_FAILED),
        (container(waiting={"reason": "CreateContainerError"}), Reason.POD_NOT_CREATED),
        (container(waiting={"reason": "ContainerCreating"}), None),
        (
            container(terminated=crash(128, "StartError", "exec: not found")),
            Reason.CONTAINER_FAILED,
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, Reason.EVICTED),
        ({"phase": "Running", "reason": "NodeLost"}, Reason.NODE_LOST),
        ({"phase": "Pending", "conditions": None, "containerStatuses": None}, None),
        ({"phase": "Pending", "conditions": [SCHEDULED]}, None),
        (
            {"conditions": [{"type": "DisruptionTarget", "reason": "PreemptionByScheduler"}]},
            None,
        ),
        (
            {"conditions": [{"type": "PodScheduled", "status": "True", "reason": "Unschedulable"}]},
            None,
        ),
    ],
    ids=[
        "crash loop",
        "runs again after it was out of memory",
        "ready again after it was out of memory",
        "ready",
        "starts",
        "completed",
        "a child of it was out of memory",
        "image refused",
        "image misspelt",
        "image absent",
        "container refused",
        "creating",
        "cannot be started",
        "evicted",
        "node lost",
        "new, with nulls",
        "scheduled",
        "preempted",
        "schedulable again",
    ],
)
def test_the_reason(status: Body, reason: Reason | None) -> None:
    found = diagnose([pod("p", **status)])
    assert (found.reason if found else None) is reason


@pytest.mark.parametrize(
    ("reason", "needs"),
    [
        (Reason.UNSCHEDULABLE, True),
        (Reason.IMAGE_PULL_FAILED, True),
        (Reason.POD_NOT_CREATED, True),
        (Reason.NODE_LOST, True),
        (Reason.CONTAINER_FAILED, False),
        (Reason.STORE_UNAVAILABLE, False),
    ],
)
def test_what_stays_until_somebody_acts(reason: Reason, needs: bool) -> None:
    assert Diagnosis(reason, "x", "p").needs_somebody is needs


def test_a_lost_node_says_what_can_be_done() -> None:
    lost = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}
    found = diagnose([pod("p", phase="Running", conditions=[lost])])
    assert found is not None
    assert found.needs_somebody
    assert "`kubectl delete node n1`" in found.message


@pytest.mark.parametrize(
    ("text", "log"),
    [
        ("", ()),
        ("Traceback\n  line 1\nValueError: x\n", ("Traceback", "  line 1", "ValueError: x")),
        ("\n".join(str(n) for n in range(100)), tuple(str(n) for n in range(80, 100))),
        ("x" * 5000, ("x" * 512,)),
        (json.dumps({"log": ["a"]}), ("a",)),
        (json.dumps({"log": list(range(30))}), tuple(str(n) for n in range(10, 30))),
        (json.dumps({"log": "a text"}), ()),
        (json.dumps({"log": None}), ()),
        (json.dumps({"log": {"a": 1}}), ()),
        ('{"log": ["cut', ('{"log": ["cut',)),
    ],
    ids=[
        "nothing",
        "the end of a log",
        "many lines",
        "a long line",
        "told",
        "many told",
        "told as text",
        "told nothing",
        "told as a mapping",
        "cut in the middle",
    ],
)
def test_the_last_lines_are_bounded_whatever_was_left(text: str, log: tuple[str, ...]) -> None:
    found = diagnose([pod("p", **container(terminated=crash(1, message=text)))])
    assert found is not None
    assert found.log == log
    assert (found.final, found.exit_code) == (True, 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [("", {}), ("no JSON", {}), ("[1]", {}), ("1", {}), ('{"a": 1}', {"a": 1})],
    ids=["empty", "text", "list", "number", "mapping"],
)
def test_only_a_mapping_tells_anything(text: str, told: Body) -> None:
    assert parse_termination(text) == told


@pytest.mark.parametrize(
    "told",
    [{"reason": ["x"], "message": "m"}, {"reason": "FitFailed"}, {"reason": "x", "message": "m"}],
    ids=["reason is a list", "no message", "unknown reason"],
)
def test_half_a_word_is_none(told: Body) -> None:
    found = diagnose([pod("p", **container(terminated=crash(10, message=json.dumps(told))))])
    assert found is not None
    assert found.reason is Reason.CONTAINER_FAILED
    assert "exit code 10" in found.message


OLDER, NEWER = "2025-01-01T00:00:00Z", "2025-01-01T00:00:01Z"


@pytest.mark.parametrize("turned", [False, True], ids=["in order", "turned"])
def test_the_newest_of_two_faults_is_told(turned: bool) -> None:
    pods = [
        pod("old", OLDER, **container(terminated=crash(1))),
        pod("new", NEWER, **container(terminated=crash(2))),
    ]
    found = diagnose(reversed(pods) if turned else pods)
    assert found is not None
    assert found.pod == "new"


def test_without_pods_there_is_no_fault() -> None:
    assert diagnose([]) is None


@pytest.mark.parametrize(
    ("phase", "over"),
    [("Failed", True), ("Succeeded", True), ("Running", False), ("Pending", False), (None, False)],
)
def test_a_pod_is_over_when_its_phase_says_so(phase: str | None, over: bool) -> None:
    assert is_over({"status": {"phase": phase} if phase else {}}) is over
