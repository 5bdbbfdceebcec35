"""Several models in one server: they come, go and change their version in pods that stay."""

import json
from typing import Any

import pytest
from tests.e2e import specs
from tests.e2e.raw_store import RawStore
from tests.e2e.served import ask
from tests.e2e.test_path import rows
from tests.e2e.traffic import steady_requests
from tests.e2e.world import World, settled, summary

TREE = specs.sklearn("sklearn.tree.DecisionTreeClassifier", max_depth=3)


@pytest.fixture
def runs(world: World, raw: RawStore) -> World:
    """Two runs that have ended, `linear` and `tree`."""
    raw.put(f"{world.namespace}/rows.csv", rows(200))
    world.apply("Dataset", "data", specs.dataset(f"{world.namespace}/"))
    world.apply("TrainingRun", "linear", specs.training_run("data"))
    world.apply("TrainingRun", "tree", specs.training_run("data", estimator=TREE))
    for name in ("linear", "tree"):
        world.wait_ready("TrainingRun", name)
    return world


def several(world: World, **models: Any) -> None:
    """Serve these, by their names; each a run, or an address with a digest."""
    entries = [
        {"name": name, **({"run": model} if isinstance(model, str) else model)}
        for name, model in models.items()
    ]
    world.apply("ModelDeployment", "web", {"models": entries})


def artifact(world: World, run: str) -> dict[str, str]:
    found = world.read("TrainingRun", run)["status"]["artifact"]
    return {"uri": found["uri"], "digest": found["digest"]}


def pods(world: World) -> set[str]:
    """Those of the server, as they are told apart."""
    found = world.list("pods", "-l", "tidemill.dev/kind=ModelDeployment")
    return {f"{pod['metadata']['uid']} {restarts(pod)}" for pod in found}


def restarts(pod: dict[str, Any]) -> int:
    return sum(one["restartCount"] for one in pod["status"]["containerStatuses"])


def estimator(world: World, name: str) -> str:
    """What the model itself tells of how it was trained."""
    status, text = ask(world, "GET", f"/models/{name}/v1/model")
    assert status == 200, text
    found: str = json.loads(text)["estimator"]
    return found


def listed(world: World) -> dict[str, dict[str, Any]]:
    status = world.read("ModelDeployment", "web")["status"]
    return {model["name"]: model for model in status["models"]}


def has(**ready: str) -> Any:
    """Whether all is well with just these models, by how many pods have them."""

    def holds(resource: dict[str, Any]) -> bool:
        models = resource.get("status", {}).get("models") or []
        counted = {model["name"]: model["ready"] for model in models}
        return settled(resource) and summary(resource)["status"] == "True" and counted == ready

    return holds


def test_models_come_and_go_in_pods_that_stay(runs: World) -> None:
    several(runs, first="linear")
    runs.wait("ModelDeployment", "web", has(first="1/1"))
    before = pods(runs)
    several(runs, first="linear", second="tree", third="later")
    message = summary(runs.wait_reason("ModelDeployment", "web", "WaitingForRun"))["message"]
    assert "third" in message
    assert "later" in message
    # What is there is served, whatever else is waited for.
    runs.wait("ModelDeployment", "web", lambda _: listed(runs)["second"]["ready"] == "1/1")
    assert estimator(runs, "first").endswith("LogisticRegression")
    assert estimator(runs, "second").endswith("DecisionTreeClassifier")
    assert ask(runs, "GET", "/v2/models/third")[0] == 404

    several(runs, second="tree")
    runs.wait("ModelDeployment", "web", has(second="1/1"))
    runs.wait("ModelDeployment", "web", lambda _: ask(runs, "GET", "/v2/models/first")[0] == 404)
    assert ask(runs, "GET", "/v2/models/second/ready")[0] == 200
    assert pods(runs) == before


def test_a_new_version_takes_over_in_the_pod_and_a_wrong_one_takes_nobodys_place(
    runs: World,
) -> None:
    several(runs, web="linear", other="tree")
    runs.wait("ModelDeployment", "web", has(web="1/1", other="1/1"))
    before = pods(runs)
    linear, tree = artifact(runs, "linear"), artifact(runs, "tree")
    with steady_requests(runs, "web", "web") as tally:
        several(runs, web="tree", other="tree")
        runs.wait(
            "ModelDeployment",
            "web",
            lambda _: estimator(runs, "web").endswith("DecisionTreeClassifier"),
        )
        runs.wait("ModelDeployment", "web", has(web="1/1", other="1/1"))
        # The manifest of one under the digest of another: the package is not what it says.
        several(runs, web="tree", other={"uri": tree["uri"], "digest": linear["digest"]})
        message = runs.wait_stalled("ModelDeployment", "web", "DigestMismatch")
        assert "other" in message
        assert listed(runs)["web"]["reason"] == "Ready"
        assert ask(runs, "GET", "/v2/models/other/ready")[0] == 200, "the former goes on"
    assert tally.failures == []
    assert set(tally.answers) == {linear["digest"][7:19], tree["digest"][7:19]}
    assert pods(runs) == before
