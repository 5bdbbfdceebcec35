"""Least privilege, by evidence: without any one of its rights the operator would be refused.

The API server's audit log says what the operator asked for. A small life of all three kinds is led,
with a failure and a replacement; then each right is taken away in turn: one of the requests must be
one that nothing else allows, or the right is one too many. One too few shows as a refusal.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.apiserver.kubectl import Body, Kubectl
from tests.e2e import rights, specs
from tests.e2e.plugin import plugin
from tests.e2e.raw_store import SYSTEM, RawStore
from tests.e2e.test_path import rows
from tests.e2e.world import World, eventually

ROLES = (
    ("clusterrole", None, "tidemill-operator"),
    ("role", SYSTEM, "tidemill-operator-lease"),
    ("role", SYSTEM, "tidemill-operator-policy"),
    ("clusterrole", None, "tidemill-operator-token-review"),
)
OWNER = "tidemill.dev/owner-uid"


@pytest.fixture
def audit_log(kubectl: Kubectl) -> Path:
    path = kubectl.kubeconfig.parent / "logs" / "audit.log"
    if not path.exists():
        pytest.skip("only the local cluster keeps an audit log")
    return path


def granted(kubectl: Kubectl) -> set[rights.Grant]:
    found: set[rights.Grant] = set()
    for kind, namespace, name in ROLES:
        where = ("-n", namespace) if namespace else ()
        found |= rights.grants(kubectl.get(kind, name, *where))
    return found


def lead_a_small_life(world: World, raw: RawStore) -> None:
    raw.put(f"{world.namespace}/one.csv", rows(60))
    world.apply("Dataset", "life", specs.dataset(f"{world.namespace}/"))
    world.apply("Dataset", "away", {"source": {"pvc": {"claimName": "away", "format": "CSV"}}})
    world.apply("TrainingRun", "one", specs.training_run("life"))
    world.apply("TrainingRun", "two", specs.training_run("life", seed=2))
    big = specs.training_run("life", template={"resources": {"limits": {"memory": "24Mi"}}})
    world.apply("TrainingRun", "big", big)
    # Kueue is asked why it waits, whether there is one or not.
    world.apply("TrainingRun", "queued", specs.training_run("life", queueName="nowhere"))
    world.apply("ModelDeployment", "web", specs.model_deployment("one"))
    # A Service of pods that train together goes when the run is suspended, whatever they wait for.
    code = {"script": {"configMap": {"name": "absent", "key": "train.py"}, "parallelism": 2}}
    together = specs.training_run("life", estimator=code)
    world.apply("TrainingRun", "together", together)
    # Whoever reads data shows a token, which the operator has reviewed.
    assert plugin(world, world.kubectl.kubeconfig, "history", "life").code == 0
    world.wait_reason("Dataset", "away", "SourceMissing")
    world.wait_ready("ModelDeployment", "web")
    stamped_run_goes(world)
    # What the pod could not say itself is read from its log.
    world.wait("TrainingRun", "big", lambda b: b.get("status", {}).get("completedAt"))
    world.wait_reason("TrainingRun", "queued", "Queued")
    eventually(lambda: headless(world), 60)
    world.patch("TrainingRun", "together", {"spec": {"suspend": True}})
    world.wait_reason("TrainingRun", "together", "Suspended")
    assert not headless(world)
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


def stamped_run_goes(world: World) -> None:
    """Have a run that another object owns end at once, by the result of `one`, and be removed."""
    world.kubectl("create", "configmap", "maker", "-n", world.namespace)
    uid = world.read("configmap", "maker")["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "maker", "uid": uid}
    run = specs.training_run("life", cache="Use", ttlAfterFinished="1s")
    world.apply("TrainingRun", "stamped", run, ownerReferences=[{**owner, "controller": True}])
    eventually(lambda: world.get("TrainingRun", "stamped") is None, 60)


def headless(world: World) -> list[Body]:
    found = world.list("services", "-l", "tidemill.dev/kind=TrainingRun")
    return [one for one in found if one["spec"]["clusterIP"] == "None"]


def test_every_right_is_needed_and_none_is_missing(
    world: World, raw: RawStore, audit_log: Path
) -> None:
    began = datetime.now(UTC).isoformat()
    run = specs.training_run("life", suspend=True)
    world.apply("TrainingRun", "held", run)
    lead_a_small_life(world, raw)
    hold_a_running_job(world)
    having = granted(world.kubectl)
    superfluous = having

    def none_superfluous() -> bool:
        nonlocal superfluous
        requests = {one for event in rights.events(audit_log) for one in rights.asked(event)}
        superfluous = having - rights.needed(having, requests)
        return not superfluous

    try:
        eventually(none_superfluous, 20)
    except TimeoutError:
        assert sorted(superfluous) == [], "rights whose loss nobody would notice"
    refused = [
        event["requestURI"]
        for event in rights.events(audit_log)
        if rights.was_refused(event) and event["requestReceivedTimestamp"] >= began
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
