"""The rules across fields, each with what it takes, what it refuses and what it then says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.apiserver import (
    code_rules,
    dataset_rules,
    evaluation_rules,
    package_rules,
    scale_rules,
    search_rules,
    serving_rules,
    shelf_rules,
    training_rules,
)
from tests.apiserver.crd_objects import DIGEST, PLURALS, minimal
from tests.apiserver.kubectl import Kubectl, RefusedError

CRDS = Path(__file__).parents[2] / "crds"
URI = "s3://tidemill/models/demo/elec2/0a/"

COLUMN = "column names the time column: it is needed with by: Time and only there"
ESTIMATOR = code_rules.ONE
MODEL = serving_rules.MODEL
OIDC = {"issuer": "https://login.example", "audiences": ["m"]}
ONLINE = {"online": {"address": "redis:6379", "credentialsRef": {"name": "redis"}}}
PAIR = "uri and digest are set together"

RULES = [
    *dataset_rules.RULES,
    *training_rules.RULES,
    *evaluation_rules.RULES,
    *search_rules.RULES,
    *code_rules.RULES,
    *scale_rules.RULES,
    *package_rules.RULES,
    *serving_rules.RULES,
    *shelf_rules.RULES,
    pytest.param(
        "TrainingRun",
        {"split": {"by": "Time", "column": "day"}},
        {"split": {"by": "Time"}},
        COLUMN,
        id="by time without a column",
    ),
    pytest.param(
        "TrainingRun",
        {"split": {"by": "Order"}},
        {"split": {"by": "Order", "column": "day"}},
        COLUMN,
        id="column without by time",
    ),
    pytest.param(
        "TrainingRun",
        {"split": {"holdout": "0.2"}},
        {"split": {"column": "day"}},
        COLUMN,
        id="column with the default",
    ),
    pytest.param(
        "TrainingRun",
        {"join": {"timestamp": "at", "tables": [{"dataset": {"name": "f"}, "key": ["a", "b"]}]}},
        {"join": {"timestamp": "at", "tables": [{"dataset": {"name": "f"}, "key": ["a", "a"]}]}},
        "key names a column twice: name one for each of the entity's key",
        id="a key twice",
    ),
    pytest.param("TrainingRun", {}, {"estimator": {}}, ESTIMATOR, id="no estimator"),
    pytest.param("ModelDeployment", {"model": {"run": "r"}}, {"model": {}}, MODEL, id="no model"),
    pytest.param(
        "ModelDeployment",
        {"model": {"uri": URI, "digest": DIGEST}},
        {"model": {"uri": URI, "digest": DIGEST, "run": "r"}},
        MODEL,
        id="two models",
    ),
    pytest.param(
        "ModelDeployment",
        {"model": {"uri": URI, "digest": DIGEST}},
        {"model": {"uri": URI}},
        PAIR,
        id="address without digest",
    ),
    pytest.param(
        "ModelDeployment",
        {"model": {"run": "r"}},
        {"model": {"run": "r", "digest": DIGEST}},
        PAIR,
        id="digest without address",
    ),
    pytest.param(
        "ModelDeployment",
        {"features": {"online": {"address": "[2001:db8::7]:65535", "tls": "Require"}}},
        {"features": {"online": {"address": "redis:65536"}}},
        "address ends with a port from 1 to 65535",
        id="a port too high",
    ),
    pytest.param(
        "ModelDeployment",
        {"features": {"online": {"address": "redis.example.org:1"}, "timeout": "1s500ms"}},
        {"features": {"online": {"address": "redis.example.org:0"}}},
        "address ends with a port from 1 to 65535",
        id="no port",
    ),
    pytest.param(
        "ModelDeployment",
        {"access": {"origins": ["https://shop.example:8443", "*"]}},
        {"access": {}},
        "access must name tokensRef, oidc or origins",
        id="access that says nothing",
    ),
    pytest.param(
        "ModelDeployment",
        {"access": {"oidc": {**OIDC, "authoritiesRef": {"name": "ca"}}}},
        {"access": {"oidc": {**OIDC, "authoritiesRef": {"name": "ca"}, "keysRef": {"name": "k"}}}},
        "authoritiesRef is for an issuer that is asked: with keysRef it is not",
        id="authorities of an issuer that is not asked",
    ),
    *(
        pytest.param(
            "ModelDeployment",
            {"features": {**ONLINE, "timeout": good, "onUnavailable": "Missing"}},
            {"features": {**ONLINE, "timeout": bad}},
            "timeout is from 1ms to 10s: a prediction waits for it",
            id=f"a timeout of {bad}",
        )
        for good, bad in (("10s", "10s1ms"), ("1ms", "0ms"))
    ),
    *(
        pytest.param(
            "ModelDeployment",
            {"traces": {"endpoint": good, "ratio": ratio}},
            {"traces": {"endpoint": bad}},
            "the port of endpoint is from 1 to 65535",
            id=f"traces to {bad}",
        )
        for good, ratio, bad in (
            ("https://collector.example.org", "0", "http://collector:0"),
            ("http://[2001:db8::7]:65535/otlp/", "1", "http://[2001:db8::7]:65536/otlp/"),
            ("http://[2001:db8::7]", "0.000001", "http://collector:00/"),
            ("http://collector:1", ".5", "http://collector:99999"),
        )
    ),
]


@pytest.mark.parametrize(("kind", "good", "bad", "message"), RULES)
def test_rule(
    kubectl: Kubectl, kind: str, good: dict[str, Any], bad: dict[str, Any], message: str
) -> None:
    # The client's own apply would first say that its annotation is too long.
    kubectl.try_apply(minimal(kind, changes=good), "--server-side")
    with pytest.raises(RefusedError, match=re.escape(message)):
        kubectl.try_apply(minimal(kind, changes=bad), "--server-side")


FULL: dict[str, Any] = {
    "join": {"timestamp": "at", "tables": [{"dataset": {"name": "f"}, "columns": ["a", "b"]}]},
    "features": {"exclude": ["date"]},
    "split": {"holdout": "0.8", "by": "Order"},
    "evaluation": {"metrics": ["accuracy"], **evaluation_rules.FULL},
    "template": {"resources": {"limits": {"memory": "1Gi"}}},
    "retry": {"limit": 2, "growMemory": "4Gi"},
    "weights": {"column": "w"},
    "search": search_rules.FULL,
    "queueName": "team-a",
    "distributed": {"engine": "Dask", "workers": 2},
    "signing": package_rules.FULL,
}
PARAMS = "estimator.sklearn.steps.0.params"
CHANGES: dict[str, list[dict[str, Any]]] = {
    "dataset": [{"dataset.name": "other"}, {"dataset.version": DIGEST}],
    "task": [{"task": "Regression"}],
    "target": [{"target": "other"}],
    "join": [
        {"join.timestamp": "on"},
        {"join.tables.0.dataset.version": DIGEST},
        {"join.tables.0.columns": ["a"]},
        {"join.tables.0.maxAge": "7d"},
        {"join.tables.0.prefix": "f_"},
        {"join.tables.0.key": ["site"]},
        {"join": None},
    ],
    "features": [{"features.exclude": ["date", "day"]}, {"features": None}],
    "split": [{"split.holdout": "0.7"}, {"split": None}],
    "seed": [{"seed": 8}],
    "estimator": [
        {"estimator.sklearn.steps.0.name": "other"},
        {f"{PARAMS}.max_iter": 61},
        {f"{PARAMS}.learning_rate": 0.2},
        {f"{PARAMS}.deep": {"er": [1]}},
        {PARAMS: None},
    ],
    "evaluation": [
        {"evaluation.metrics": ["accuracy", "log_loss"]},
        *evaluation_rules.CHANGES,
        {"evaluation": None},
    ],
    "template": [{"template.resources.limits.memory": "2Gi"}, {"template": None}],
    "deadline": [{"deadline": "2h"}],
    "cache": [{"cache": "Refresh"}],
    "retry": [{"retry.limit": 3}, {"retry.growMemory": "8Gi"}, {"retry": None}],
    "weights": [{"weights.column": "v"}, {"weights": None}],
    "search": search_rules.CHANGES,
    "onnx": [{"onnx": "Never"}],
    "queueName": [{"queueName": "team-b"}, {"queueName": None}],
    "distributed": [{"distributed.workers": 1}, {"distributed": None}],
    "signing": package_rules.CHANGES,
}


@pytest.fixture(scope="module")
def run(kubectl: Kubectl) -> Iterator[str]:
    kubectl.apply(minimal("TrainingRun", "full", FULL))
    yield "full"
    kubectl("delete", "trainingrun", "full")


@pytest.fixture(scope="module")
def bare_run(kubectl: Kubectl) -> Iterator[str]:
    kubectl.apply(minimal("TrainingRun", "bare"))
    yield "bare"
    kubectl("delete", "trainingrun", "bare")


@pytest.mark.parametrize(
    ("field", "change"),
    [
        pytest.param(field, change, id=" ".join(f"{k}={v}" for k, v in change.items()))
        for field, changes in CHANGES.items()
        for change in changes
    ],
)
def test_field_of_a_run_cannot_be_changed(
    kubectl: Kubectl, run: str, field: str, change: dict[str, Any]
) -> None:
    message = f"{field} cannot be changed: a run is a record; create a new TrainingRun"
    with pytest.raises(RefusedError, match=re.escape(message)):
        kubectl.try_apply(minimal("TrainingRun", run, FULL | change))


@pytest.mark.parametrize("field", list(FULL))
def test_field_of_a_run_cannot_be_added(kubectl: Kubectl, bare_run: str, field: str) -> None:
    change = {field: FULL[field]}
    with pytest.raises(RefusedError, match=f"{field} cannot be changed"):
        kubectl.try_apply(minimal("TrainingRun", bare_run, change))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"suspend": True}, id="suspend"),
        pytest.param({"dataset.version": "latest", "deadline": "1h"}, id="defaults written out"),
    ],
)
def test_change_of_a_run_is_taken(kubectl: Kubectl, run: str, change: dict[str, Any]) -> None:
    kubectl.try_apply(minimal("TrainingRun", run, FULL | change))


def test_labels_of_a_run_may_change(kubectl: Kubectl, run: str) -> None:
    body = minimal("TrainingRun", run, FULL)
    body["metadata"]["labels"] = {"team": "power"}
    assert kubectl.try_apply(body)["metadata"]["labels"] == {"team": "power"}


def test_every_rule_has_a_test() -> None:
    tested = {case.values[3] for case in RULES}
    tested |= {
        f"{field} cannot be changed: a run is a record; create a new TrainingRun"
        for field in CHANGES
    }
    assert tested - code_rules.FIELDS == set(_messages())


def _messages() -> Iterator[str]:
    for plural in PLURALS.values():
        text = (CRDS / f"{plural.partition('.')[0]}.yaml").read_text(encoding="utf-8")
        yield from _messages_under(yaml.safe_load(text))


def _messages_under(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for rule in node.get("x-kubernetes-validations", ()):
            yield rule["message"]
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _messages_under(child)
