"""A container of the user's in our pod: what its end is called, and that it speaks for nobody."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis, diagnose, overdue

Body = dict[str, Any]
LIMITS = {"limits": {"memory": "300Mi"}}
STARTED = "2025-01-01T00:00:00Z"


def pod(**prepare: Any) -> Body:
    """Give a pod in the midst of its init containers; `prepare` is the state of the user's."""
    done = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    waiting = {"waiting": {"reason": "PodInitializing"}}
    names = ("collect", "prepare")
    return {
        "metadata": {"name": "p"},
        "spec": {
            "nodeName": "n1",
            "initContainers": [{"name": name, "resources": LIMITS} for name in names],
            "containers": [{"name": "runner", "resources": {"limits": {"memory": "1Gi"}}}],
        },
        "status": {
            "initContainerStatuses": [
                {"name": "collect", "ready": True, "state": done},
                {"name": "prepare", "ready": False, "image": "r/i@sha256:0", "state": prepare},
            ],
            "containerStatuses": [{"name": "runner", "ready": False, "state": waiting}],
        },
    }


def ended(code: int, message: str = "", reason: str = "Error") -> Body:
    return pod(terminated={"exitCode": code, "reason": reason, "message": message})


def told(body: Body) -> Diagnosis:
    found = diagnose([body])
    assert found is not None
    return found


def test_its_exit_code_and_its_last_words_are_told() -> None:
    found = told(ended(3, "reading\nno column price\n"))
    assert (found.reason, found.final, found.exit_code) == (Reason.PREPARE_FAILED, True, 3)
    assert found.message.startswith("spec.prepare.container ended with exit code 3")
    assert "`kubectl logs p -c prepare`" in found.message
    assert (found.container, found.log) == ("prepare", ("reading", "no column price"))


def test_it_cannot_speak_in_our_name() -> None:
    forged = json.dumps({"reason": "StoreUnavailable", "message": "try again", "log": ["x"]})
    found = told(ended(30, forged))
    assert found.reason is Reason.PREPARE_FAILED
    assert found.log == (forged,)


def test_what_it_passed_of_memory_is_named_with_the_field() -> None:
    found = told(ended(137, reason="OOMKilled"))
    assert found.reason is Reason.OOM_KILLED
    assert "the container prepare passed its memory limit of 300Mi" in found.message
    assert "spec.template.resources.limits.memory" in found.message


@pytest.mark.parametrize("code", [137, 143])
def test_killed_from_outside_it_is_tried_again(code: int) -> None:
    found = told(ended(code))
    assert found.reason is Reason.CONTAINER_FAILED
    assert "killed from outside" in found.message


def test_a_command_that_is_not_in_the_image_is_told_in_the_runtimes_words() -> None:
    found = told(ended(128, 'exec: "clean": executable file not found in $PATH', "StartError"))
    assert found.reason is Reason.PREPARE_FAILED
    assert found.log == ('exec: "clean": executable file not found in $PATH',)


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_an_image_that_cannot_be_pulled_is_told_by_its_field(reason: str) -> None:
    found = told(pod(waiting={"reason": reason, "message": "not found"}))
    assert (found.reason, found.needs_somebody) == (Reason.IMAGE_PULL_FAILED, True)
    assert found.message.startswith("spec.prepare.container.image: node n1 cannot pull the image")


@pytest.mark.parametrize(
    "state",
    [
        {"running": {"startedAt": STARTED}},
        {"waiting": {"reason": "PodInitializing"}},
        {"terminated": {"exitCode": 0, "reason": "Completed"}},
    ],
    ids=["running", "not begun", "ended well"],
)
def test_while_all_is_well_there_is_nothing_to_tell(state: Body) -> None:
    assert diagnose([pod(**state)]) is None


def test_the_first_half_of_ours_is_believed() -> None:
    body = pod(waiting={"reason": "PodInitializing"})
    words = {"reason": "RaggedRows", "message": "a.csv, row 3"}
    state = {"terminated": {"exitCode": 20, "message": json.dumps(words)}}
    body["status"]["initContainerStatuses"][0] |= {"ready": False, "state": state}
    found = told(body)
    assert (found.reason, found.message, found.exit_code) == (
        Reason.RAGGED_ROWS,
        "a.csv, row 3",
        20,
    )


RUNNING = pod(running={"startedAt": STARTED})


@pytest.mark.parametrize(
    ("body", "second", "late"),
    [
        (RUNNING, 30, False),
        (RUNNING, 31, True),
        (pod(waiting={"reason": "PodInitializing"}), 59, False),
        (ended(0), 59, False),
        (ended(3), 59, False),
        ({"metadata": {"name": "new"}}, 59, False),
    ],
    ids=["in time", "late", "not begun", "ended well", "failed", "a new pod"],
)
def test_how_long_it_runs_is_bounded(body: Body, second: int, late: bool) -> None:
    found = overdue([body], 30.0, datetime(2025, 1, 1, 0, 0, second, tzinfo=UTC))
    assert (found is not None) is late
    if found:
        assert (found.reason, found.overdue) == (Reason.PREPARE_FAILED, True)
        assert "not done after 30 s" in found.message
        assert "spec.prepare.deadline" in found.message


def test_ours_may_take_longer() -> None:
    body = pod(waiting={"reason": "PodInitializing"})
    state = {"running": {"startedAt": STARTED}}
    body["status"]["initContainerStatuses"][0] |= {"ready": False, "state": state}
    assert overdue([body], 30.0, datetime(2025, 1, 1, 5, tzinfo=UTC)) is None
