"""A user's container that serves: its end is told as its own, whichever end it is."""

from typing import Any

import pytest

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis, diagnose

Body = dict[str, Any]
RUNNING: Body = {"running": {"startedAt": "2025-01-01T00:00:00Z"}}
AGAIN = {"waiting": {"reason": "CrashLoopBackOff"}}


def pod(ended: Body | None = None, *, ready: bool = False, **state: Body) -> Body:
    last = {"lastState": {"terminated": ended}} if ended else {}
    image = "registry.example/peaks@sha256:0"
    users = {"name": "model", "image": image, "ready": ready, "state": state or AGAIN, **last}
    return {
        "metadata": {"name": "p"},
        "spec": {
            "nodeName": "n1",
            "initContainers": [
                {
                    "name": "model",
                    "restartPolicy": "Always",
                    "resources": {"limits": {"memory": "1Gi"}},
                }
            ],
            "containers": [{"name": "server"}],
        },
        "status": {
            "initContainerStatuses": [users],
            "containerStatuses": [{"name": "server", "ready": False, "state": RUNNING}],
        },
    }


def told(body: Body) -> Diagnosis:
    found = diagnose([body])
    assert found is not None
    return found


@pytest.mark.parametrize("code", [0, 1, 3])
def test_no_end_of_it_is_good(code: int) -> None:
    found = told(pod({"exitCode": code, "message": "line one\nline two\n"}))
    assert (found.reason, found.final) == (Reason.CONTAINER_FAILED, True)
    assert found.message == (
        f"spec.model.container ended with exit code {code}: correct what it runs, see "
        "`kubectl logs p -c model`"
    )
    assert found.log == ("line one", "line two")


def test_it_cannot_speak_in_our_name() -> None:
    found = told(pod({"exitCode": 20, "message": '{"reason": "Evicted", "message": "x"}'}))
    assert found.reason is Reason.CONTAINER_FAILED


def test_what_it_passed_of_memory_is_named() -> None:
    found = told(pod({"exitCode": 137, "reason": "OOMKilled"}))
    assert found.reason is Reason.OOM_KILLED
    assert "the container model passed its memory limit of 1Gi" in found.message


def test_an_image_that_cannot_be_pulled_is_named_with_its_field() -> None:
    found = told(pod(waiting={"reason": "ErrImagePull", "message": "not found"}))
    assert found.reason is Reason.IMAGE_PULL_FAILED
    assert found.message.startswith("spec.model.container.image: node n1 cannot pull the image ")


def test_one_that_runs_again_is_no_fault() -> None:
    assert diagnose([pod({"exitCode": 3}, ready=True, **RUNNING)]) is None
