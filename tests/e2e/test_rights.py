"""Least privilege, by evidence: every right that the operator has is one that it uses.

The API server's audit log says what the operator asked for. A small life of all three kinds is led,
with a failure and a replacement; then each verb of each rule must have been used, and nothing may
have been refused. A right too many fails the first half, one too few the second.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.kubectl import Kubectl
from tests.e2e import specs
from tests.e2e.raw_store import SYSTEM, RawStore
from tests.e2e.test_path import rows
from tests.e2e.world import World, eventually

ROLES = {
    ("clusterrole", None): "tidemill-operator",
    ("role", SYSTEM): "tidemill-operator-lease",
}
CREATED, FORBIDDEN = 201, 403
OWNER = "tidemill.dev/owner-uid"
Right = tuple[str, str]


@pytest.fixture
def audit_log(kubectl: Kubectl) -> Path:
    path = kubectl.kubeconfig.parent / "logs" / "audit.log"
    if not path.exists():
        pytest.skip("only the local cluster keeps an audit log")
    return path


def requests_of(path: Path) -> Iterator[Mapping[str, Any]]:
    for part in sorted(path.parent.glob("audit*.log")):  # the API server turns a full one over
        with part.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines)


def rights_of(request: Mapping[str, Any]) -> set[Right]:
    """Give what a request needed; an apply that creates needs the right to create as well."""
    thing = request.get("objectRef", {})
    names = (thing.get("resource", request["requestURI"]), thing.get("subresource"))
    what = "/".join(name for name in names if name)
    made = request.get("responseStatus", {}).get("code") == CREATED
    return {(request["verb"], what)} | ({("create", what)} if made else set())


def granted(kubectl: Kubectl) -> set[Right]:
    found: set[Right] = set()
    for (kind, namespace), name in ROLES.items():
        where = ("-n", namespace) if namespace else ()
        for rule in kubectl.get(kind, name, *where)["rules"]:
            found |= {(verb, thing) for verb in rule["verbs"] for thing in rule["resources"]}
    return found


def lead_a_small_life(world: World, raw: RawStore) -> None:
    raw.put(f"{world.namespace}/one.csv", rows(60))
    world.apply("Dataset", "life", specs.dataset(f"{world.namespace}/"))
    world.apply("TrainingRun", "one", specs.training_run("life"))
    world.apply("TrainingRun", "two", specs.training_run("life", seed=2))
    big = specs.training_run("life", template={"resources": {"limits": {"memory": "24Mi"}}})
    world.apply("TrainingRun", "big", big)
    world.apply("ModelDeployment", "web", specs.model_deployment("one"))
    world.wait_ready("ModelDeployment", "web")
    # What the pod could not say itself is read from its log.
    world.wait("TrainingRun", "big", lambda b: b.get("status", {}).get("completedAt"))
    world.wait_ready("TrainingRun", "two")
    world.apply("ModelDeployment", "web", specs.model_deployment("two"))
    eventually(lambda: len(world.list("deployments")) == 1, 60)
    world.wait_ready("ModelDeployment", "web")
    job = world.list("jobs", "-l", "tidemill.dev/kind=Dataset")[0]["metadata"]["name"]
    raw.put(f"{world.namespace}/two.csv", rows(10))
    eventually(lambda: world.get("job", job) is None, 60)
    # The same Event twice: the second raises the count of the first.
    for run in ("gone", "two", "gone", "two"):
        world.apply("ModelDeployment", "web", specs.model_deployment(run))
        reason = "WaitingForRun" if run == "gone" else "Ready"
        world.wait_reason("ModelDeployment", "web", reason)


def test_every_right_is_used_and_none_is_missing(
    world: World, raw: RawStore, audit_log: Path
) -> None:
    run = specs.training_run("life", suspend=True)
    world.apply("TrainingRun", "held", run)
    lead_a_small_life(world, raw)
    hold_a_running_job(world)
    rights = granted(world.kubectl)
    used: set[Right] = set()

    def all_used() -> bool:
        for request in requests_of(audit_log):
            used.update(rights_of(request))
        return rights <= used

    try:
        eventually(all_used, 20)
    except TimeoutError:
        assert sorted(rights - used) == [], "rights that nothing uses"
    refused = [
        rights_of(request)
        for request in requests_of(audit_log)
        if request.get("responseStatus", {}).get("code") == FORBIDDEN
        and request.get("objectRef", {}).get("namespace") == world.namespace
    ]
    assert refused == []


def hold_a_running_job(world: World) -> None:
    """Edit a Job by hand: suspend it, then take away the label by which it is found."""
    slow = specs.sklearn("sklearn.ensemble.RandomForestClassifier", n_estimators=20000, n_jobs=1)
    world.apply("TrainingRun", "slow", specs.training_run("life", estimator=slow))
    body = world.wait("TrainingRun", "slow", lambda b: b.get("status", {}).get("job"))
    job = body["status"]["job"]
    world.patch("job", job, {"spec": {"suspend": True}})
    world.wait("job", job, lambda b: not b["spec"].get("suspend"))
    world.patch("job", job, {"metadata": {"labels": {OWNER: None}}})
    world.wait("job", job, lambda b: OWNER in b["metadata"]["labels"])
