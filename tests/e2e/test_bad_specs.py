"""Specs that the API server refuses: nothing unknown, early or contradictory is ever ignored."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.apiserver.kubectl import RefusedError
from tests.e2e import specs
from tests.e2e.world import World

Spec = dict[str, Any]
GOOD: dict[str, Callable[[], Spec]] = {
    "Dataset": lambda: specs.dataset("x/"),
    "TrainingRun": lambda: specs.training_run("data"),
    "ModelDeployment": lambda: specs.model_deployment("run"),
}
DIGEST = f"sha256:{'0' * 64}"


@dataclass(frozen=True)
class Bad:
    """A change to a good spec, and what the API server must tell."""

    kind: str
    change: Spec
    tells: tuple[str, ...]


BAD = {
    "unknown-in-a-dataset": Bad("Dataset", {"colour": "red"}, ('unknown field "spec.colour"',)),
    "unknown-in-a-run": Bad("TrainingRun", {"epochs": 3}, ('unknown field "spec.epochs"',)),
    "unknown-deeper": Bad(
        "ModelDeployment",
        {"rollout": {"strategy": "Replace", "pause": "1m"}},
        ('unknown field "spec.rollout.pause"',),
    ),
    "misspelt": Bad("Dataset", {"refresh": {"polInterval": "1m"}}, ("spec.refresh.polInterval",)),
    "pin-not-honoured-yet": Bad(
        "Dataset", {"pin": "Reference"}, ("spec.pin", '"Reference"', '"Copy"')
    ),
    "source-not-honoured-yet": Bad(
        "Dataset", {"source": {"sql": {"query": "select 1"}}}, ("spec.source", "sql")
    ),
    "estimator-not-honoured-yet": Bad(
        "TrainingRun", {"estimator": {"torch": {}}}, ("spec.estimator", "torch")
    ),
    "task-not-honoured-yet": Bad(
        "TrainingRun", {"task": "Ranking"}, ("spec.task", '"Classification", "Regression"')
    ),
    "rollout-not-honoured-yet": Bad(
        "ModelDeployment",
        {"rollout": {"strategy": "Canary"}},
        ("spec.rollout.strategy", '"Canary"', '"Replace"'),
    ),
    "two-models": Bad(
        "ModelDeployment",
        {"model": {"run": "r", "uri": "s3://tidemill/models/n/m/", "digest": DIGEST}},
        ("spec.model", "exactly one model must be named"),
    ),
    "uri-without-digest": Bad(
        "ModelDeployment",
        {"model": {"uri": "s3://tidemill/models/n/m/"}},
        ("uri and digest are set together",),
    ),
    "wrong-type": Bad("ModelDeployment", {"replicas": "many"}, ("spec.replicas", "integer")),
}


@pytest.mark.parametrize("name", BAD)
def test_the_api_server_refuses(common: World, name: str) -> None:
    bad = BAD[name]
    with pytest.raises(RefusedError) as caught:
        common.apply(bad.kind, name, {**GOOD[bad.kind](), **bad.change})
    message = str(caught.value)
    assert [part for part in bad.tells if part not in message] == []
    assert common.get(bad.kind, name) is None


@pytest.mark.parametrize("kind", GOOD)
def test_a_name_of_254_characters_is_refused(common: World, kind: str) -> None:
    with pytest.raises(RefusedError, match="no more than 253 characters"):
        common.apply(kind, "n" * 254, GOOD[kind]())


def test_a_run_is_a_record(common: World) -> None:
    common.apply("TrainingRun", "record", {**specs.training_run("none"), "suspend": True})
    for change in ({"target": "other"}, {"seed": 1}, {"dataset": {"name": "another"}}):
        with pytest.raises(RefusedError, match="cannot be changed: a run is a record"):
            common.patch("TrainingRun", "record", {"spec": change})
