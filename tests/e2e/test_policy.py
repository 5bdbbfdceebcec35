"""An administrator's policy on the cluster: it holds what it forbids, and lets go when it changes.

There is one policy for all namespaces, so these tests run alone.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e import specs
from tests.e2e.raw_store import SYSTEM
from tests.e2e.test_container import runner_image
from tests.e2e.test_path import rows
from tests.e2e.test_record import accompanied
from tests.e2e.world import World, eventually, summary

from tidemill.policy.document import KEY, NAME

pytestmark = pytest.mark.disruptive

SMALL = {"resources": {"limits": {"memory": "768Mi"}}}
FOREST = specs.sklearn(
    "sklearn.ensemble.BaggingClassifier",
    estimator={"class": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 3}},
    n_estimators=2,
)
FORBIDS = """
namespaces:
  - names: [{namespace}]
    rules:
      estimators: [sklearn.linear_model.*, sklearn.ensemble.BaggingClassifier]
      images: [registry.example.org/ml/*]
      maxResources: {{pod: {{memory: 1Gi}}}}
"""


@pytest.fixture
def policed(world: World) -> Iterator[World]:
    """A namespace with data, and no policy anywhere when the test is over."""
    world.apply("Dataset", "data", {"source": {"inline": {"format": "CSV", "data": rows(200)}}})
    world.wait_ready("Dataset", "data")
    try:
        yield world
    finally:
        world.kubectl("delete", "configmap", NAME, "-n", SYSTEM, "--ignore-not-found")


def put_policy(world: World, text: str) -> None:
    metadata = {"name": NAME, "namespace": SYSTEM}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {KEY: text}}
    world.kubectl.apply(body)


def test_what_it_forbids_is_held_until_it_allows_it(policed: World) -> None:
    put_policy(policed, FORBIDS.format(namespace=policed.namespace))
    beside = {**accompanied(runner_image(policed)), **SMALL}
    wanted: dict[str, dict[str, Any]] = {
        "fine": {"template": SMALL},
        "deep": {"template": SMALL, "estimator": FOREST},
        "big": {},
        "beside": {"template": beside},
    }
    runs = {name: specs.training_run("data", **more) for name, more in wanted.items()}
    policed.apply_all("TrainingRun", runs)
    words = {
        "deep": "steps[0].params.estimator.class: sklearn.ensemble.RandomForestClassifier",
        "big": "its pod may use 2Gi of memory",
        "beside": "spec.template.sidecars[0].image: ",
    }
    for name, word in words.items():
        assert word in policed.wait_stalled("TrainingRun", name, "PolicyViolated")
    policed.wait_ready("TrainingRun", "fine")
    policed.apply("ModelDeployment", "web", specs.model_deployment("fine", replicas=2))
    policed.wait_ready("ModelDeployment", "web")
    jobs = {
        job["metadata"]["name"]
        for job in policed.list("jobs", "-l", "tidemill.dev/kind=TrainingRun")
    }
    assert len(jobs) <= 1, "of those held there is none"
    put_policy(policed, "rules: {}")
    for name in words:
        policed.wait_ready("TrainingRun", name)


def test_a_policy_with_a_fault_lets_nothing_start_and_says_so(policed: World) -> None:
    put_policy(policed, "rules: {imges: []}")
    policed.apply("TrainingRun", "run", specs.training_run("data"))
    message = policed.wait_stalled("TrainingRun", "run", "PolicyInvalid")
    assert "rules.imges: there is no such field" in message
    system = World(policed.kubectl, SYSTEM)
    about = f"involvedObject.name={NAME}"

    def told() -> bool:
        events = system.list("events", "--field-selector", about)
        return any(event["reason"] == "PolicyInvalid" for event in events)

    eventually(told, 30)  # where an administrator looks
    policed.kubectl("delete", "configmap", NAME, "-n", SYSTEM)
    body = policed.wait_ready("TrainingRun", "run")
    assert summary(body)["reason"] == "Succeeded"
