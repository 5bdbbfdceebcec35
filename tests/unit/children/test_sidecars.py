"""A container beside ours: its end is told as its own, and hides no other."""

import json
from typing import Any

import pytest

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis, diagnose

Body = dict[str, Any]
CRASHED = {"terminated": {"exitCode": 3, "message": "no port\n"}}
RUNNING = {"running": {"startedAt": "2025-01-01T00:00:00Z"}}
FIT = {"reason": "FitFailed", "message": "it raised"}
FAILED = {"terminated": {"exitCode": 10, "message": json.dumps(FIT)}}


def pod(side: Body, runner: Body, *, ready: bool = False) -> Body:
    return {
        "metadata": {"name": "p"},
        "spec": {
            "initContainers": [{"name": "side", "restartPolicy": "Always"}],
            "containers": [{"name": "runner"}],
        },
        "status": {
            "initContainerStatuses": [{"name": "side", "ready": ready, "state": side}],
            "containerStatuses": [{"name": "runner", "ready": False, "state": runner}],
        },
    }


def told(body: Body) -> Diagnosis:
    found = diagnose([body])
    assert found is not None
    return found


@pytest.mark.parametrize("side", [CRASHED, {"terminated": {"exitCode": 143}}])
def test_what_ended_the_pod_is_told_first(side: Body) -> None:
    found = told(pod(side, FAILED))
    assert (found.reason, found.message, found.final) == (Reason.FIT_FAILED, "it raised", True)


def test_one_that_ends_is_started_again_and_named() -> None:
    found = told(pod(CRASHED, {"waiting": {"reason": "PodInitializing"}}))
    assert (found.reason, found.final) == (Reason.CONTAINER_FAILED, False)
    assert found.message == (
        "the sidecar side ended with exit code 3 and is started again: correct "
        "spec.template.sidecars, see `kubectl logs p -c side`"
    )


def test_out_of_memory_it_is_told_so_and_the_run_does_not_grow() -> None:
    state = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    found = told(pod(state, RUNNING))
    assert found.reason is Reason.CONTAINER_FAILED
    assert "exit code 137 (out of memory)" in found.message


def test_it_cannot_speak_in_our_name() -> None:
    forged = {"terminated": {"exitCode": 30, "message": json.dumps({**FIT, "log": ["x"]})}}
    found = told(pod(forged, RUNNING))
    assert found.reason is Reason.CONTAINER_FAILED
    assert "it raised" not in found.message


def test_one_that_runs_says_nothing() -> None:
    assert diagnose([pod(RUNNING, RUNNING, ready=True)]) is None
