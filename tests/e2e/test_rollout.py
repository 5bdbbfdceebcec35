"""A new version takes over and no request is lost; what is edited or removed by hand comes back."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.e2e import specs
from tests.e2e.marks import LABELS, is_marked
from tests.e2e.prediction import infer
from tests.e2e.raw_store import RawStore
from tests.e2e.test_path import rows
from tests.e2e.traffic import steady_requests
from tests.e2e.world import World, eventually, settled, summary


@pytest.fixture
def served(world: World, raw: RawStore) -> World:
    """A namespace in which the model of run `one` is served as `web`; run `two` has another."""
    raw.put(f"{world.namespace}/one.csv", rows(200))
    world.apply("Dataset", "data", specs.dataset(f"{world.namespace}/"))
    world.apply("TrainingRun", "one", specs.training_run("data"))
    world.apply("TrainingRun", "two", specs.training_run("data", seed=1, estimator=TWO))
    world.apply("ModelDeployment", "web", specs.model_deployment("one"))
    world.wait_ready("ModelDeployment", "web")
    world.wait_ready("TrainingRun", "two")
    return world


TWO = specs.sklearn("sklearn.linear_model.LogisticRegression", C=0.1)


def version_of(world: World, run: str) -> str:
    body = world.get("TrainingRun", run)
    assert body is not None
    digest: str = body["status"]["artifact"]["digest"]
    return digest.removeprefix("sha256:")[:12]


def test_replacing_a_version_and_going_back_loses_no_request(served: World) -> None:
    one, two = version_of(served, "one"), version_of(served, "two")
    with steady_requests(served, "web", "web") as tally:
        eventually(lambda: tally.answers[one] > 20, 20)
        for run, version in (("two", two), ("one", one)):
            before = tally.answers[version]
            served.apply("ModelDeployment", "web", specs.model_deployment(run, replicas=2))
            served.wait(
                "ModelDeployment",
                "web",
                lambda b, v=version: settled(b) and b["status"]["stable"]["version"] == v,
            )
            eventually(lambda b=before, v=version: tally.answers[v] > b + 50, 30)
            eventually(lambda: len(served.list("deployments")) == 1, 30)
        eventually(lambda: len(served.list("pods", "-l", "tidemill.dev/revision")) == 2, 60)
    assert tally.failures == []


def test_a_version_that_does_not_come_up_changes_nothing_for_the_one_that_serves(
    served: World,
) -> None:
    good = served.get("TrainingRun", "two")
    assert good is not None
    model = {"uri": good["status"]["artifact"]["uri"], "digest": "sha256:" + "0" * 64}
    with steady_requests(served, "web", "web") as tally:
        served.apply("ModelDeployment", "web", {"model": model})
        message = served.wait_stalled("ModelDeployment", "web", "DigestMismatch")
        before = sum(tally.answers.values())
        eventually(lambda: sum(tally.answers.values()) > before + 50, 30)
    assert "keeps serving" in message
    assert tally.failures == []
    served.apply("ModelDeployment", "web", specs.model_deployment("one"))
    served.wait_ready("ModelDeployment", "web")
    eventually(lambda: len(served.list("deployments")) == 1, 30)


OWNED = {"metadata": {"ownerReferences": None}}
UNLABELLED = {"metadata": {"labels": dict.fromkeys(LABELS)}}
EDITS: Mapping[str, tuple[str, Any]] = {
    "deployment scaled": ("deployments", {"spec": {"replicas": 3}}),
    "deployment repainted": (
        "deployments",
        {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}},
    ),
    "deployment without labels": ("deployments", UNLABELLED),
    "deployment without owner": ("deployments", OWNED),
    "service turned away": ("services", {"spec": {"selector": {"tidemill.dev/revision": "x"}}}),
    "service narrowed": ("services", {"spec": {"selector": {"added": "by-hand"}}}),
    "service moved": ("services", {"spec": {"ports": [{"name": "http", "port": 81}]}}),
    "service without labels": ("services", UNLABELLED),
    "service without owner": ("services", OWNED),
}
KEY = "access-key"


def test_what_is_removed_or_edited_by_hand_comes_back(served: World) -> None:
    wanted = {kind: served.list(kind)[0] for kind in ("deployments", "services", "secrets")}
    child = wanted["deployments"]["metadata"]["name"]
    for kind, name in (("deployments", child), ("services", "web")):
        uid = wanted[kind]["metadata"]["uid"]
        served.delete(kind, name, "--wait=false")
        served.wait(kind, name, lambda b, u=uid: b["metadata"]["uid"] != u)
    for kind, edit in EDITS.values():
        name = child if kind == "deployments" else "web"
        served.patch(kind, name, edit)
        served.wait(kind, name, lambda b, k=kind: _same(b, wanted[k]))
    for damage in ({"data": {KEY: "d3Jvbmc="}}, {"data": None}, None):
        before = served.read("secret", child)
        if damage:
            served.patch("secret", child, damage)
        else:
            served.delete("secret", child)
        served.delete("pods", "--all", "--wait=false")
        served.wait("secret", child, lambda b, old=before: _is_renewed(b, old))
    served.wait_ready("ModelDeployment", "web")
    assert infer(served, "web", "web", {"a": [1], "b": [0.0]})["predict"] == ["down"]


def _same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    keys = ("replicas", "selector", "ports", "template")
    spec = all(found["spec"].get(key) == wanted["spec"].get(key) for key in keys)
    return spec and is_marked(wanted, found)


def _is_renewed(found: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    other = found["metadata"]["uid"] != before["metadata"]["uid"]
    return other and found["data"].keys() == before["data"].keys()


def test_scaling_and_draining_to_zero(served: World) -> None:
    served.apply("ModelDeployment", "web", specs.model_deployment("one", replicas=0))
    served.wait("ModelDeployment", "web", lambda b: settled(b) and b["status"]["replicas"] == "0/0")
    served.apply("ModelDeployment", "web", specs.model_deployment("one", replicas=2))
    body = served.wait(
        "ModelDeployment", "web", lambda b: settled(b) and b["status"].get("replicas") == "2/2"
    )
    assert summary(body)["status"] == "True"
