"""The demonstration ends when all objects are done, and says why when one cannot be."""

import json
from typing import Any

import pytest
from demo.showcase.failure import DemoError
from demo.showcase.request import tensors
from demo.showcase.watch import LIMIT_SECONDS, STALLED_PATIENCE, until_done, view

OBJECTS = [("Dataset", "a"), ("TrainingRun", "b")]


def condition(kind: str, status: str, reason: str = "R", message: str = "m") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def body(*conditions: dict[str, str], **status: Any) -> dict[str, Any]:
    return {"status": {"conditions": list(conditions), **status}}


class Later:
    """A cluster whose objects change from one look to the next; time passes while one waits."""

    def __init__(self, *looks: dict[str, Any] | None) -> None:
        self.looks = list(looks)
        self.now = 0.0

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        del kind, name
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def watch(self) -> None:
        until_done(self, OBJECTS, clock=self.clock, sleep=self.sleep)  # type: ignore[arg-type]


def test_it_ends_when_all_are_done() -> None:
    done = body(condition("Ready", "True"), condition("Succeeded", "True"))
    cluster = Later(None, body(condition("Ready", "Unknown")), done)
    cluster.watch()
    assert cluster.now == 1.0


def test_an_object_that_stays_stalled_is_an_error_with_its_reason() -> None:
    summary = condition("Ready", "False", "BucketMissing", "there is no bucket raw")
    cluster = Later(body(summary, condition("Stalled", "True")))
    with pytest.raises(DemoError, match="BucketMissing: there is no bucket raw"):
        cluster.watch()
    assert cluster.now > STALLED_PATIENCE


def test_waiting_has_an_end_and_names_what_it_waited_for() -> None:
    cluster = Later(body(condition("Ready", "Unknown")))
    with pytest.raises(DemoError, match="Dataset/a, TrainingRun/b not done"):
        cluster.watch()
    assert cluster.now > LIMIT_SECONDS


def test_progress_is_shown_while_a_run_goes_on() -> None:
    status = body(
        condition("Succeeded", "Unknown", "Training"),
        progress={"percent": 40, "message": "fitting", "eta": "12s"},
    )
    assert "40 %: fitting, 12s to go" in view("TrainingRun", "b", status).line()


def test_an_object_without_status_is_not_an_error() -> None:
    assert "not seen by the operator yet" in view("Dataset", "a", {}).line()


def test_a_request_has_the_types_that_the_model_asks_for() -> None:
    inputs = [{"name": "x", "datatype": "FP64"}, {"name": "n", "datatype": "INT64"}]
    made = tensors(inputs, [{"x": "0.5", "n": "3"}, {"x": "1", "n": "4"}])
    assert json.dumps(made) == json.dumps(
        [
            {"name": "x", "shape": [2], "datatype": "FP64", "data": [0.5, 1.0]},
            {"name": "n", "shape": [2], "datatype": "INT64", "data": [3, 4]},
        ]
    )
