"""All three kinds from data to answers, with a change and a failure on the way, and how it ends.

Whatever disturbs it, the end is the same: `assert_arrived` compares with what must be there, with
what must not, and with how earlier journeys have ended.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.e2e import specs
from tests.e2e.raw_store import RawStore
from tests.e2e.specs import RAW_SECRET
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.world import World, eventually, settled, summary

OBJECTS = 5  # of ours: a data set, three runs, a deployment
OTHER = specs.sklearn("sklearn.linear_model.LogisticRegression", C=0.1)
# Several seconds of one core, and a small model.
SLOW = specs.sklearn("sklearn.linear_model.LogisticRegressionCV", Cs=100)
KINDS = ("Dataset", "TrainingRun", "ModelDeployment")
JOB_NAME = "batch.kubernetes.io/job-name"
_arrived: list[Mapping[str, Any]] = []


def is_fitting(run: Mapping[str, Any]) -> bool:
    """Tell whether a TrainingRun has read its data and fits."""
    return bool(run.get("status", {}).get("progress", {}).get("percent", 0) >= 20)


def set_out(world: World, raw: RawStore) -> None:
    """Deliver data, and wait until the first model answers and the run that cannot work is told."""
    raw.put(f"{world.namespace}/one.csv", rows(200))
    world.apply("ModelDeployment", "web", specs.model_deployment("one"))
    world.apply("TrainingRun", "one", specs.training_run("data"))
    world.apply("TrainingRun", "bad", specs.training_run("data", target="absent"))
    world.apply("Dataset", "data", specs.dataset(f"{world.namespace}/"))
    world.wait_ready("ModelDeployment", "web")
    world.wait_stalled("TrainingRun", "bad", "TargetMissing")


def go_on(world: World, raw: RawStore) -> None:
    """Deliver more, train on it, replace the model, and wait until the old one has gone."""
    raw.put(f"{world.namespace}/two.csv", rows(50, shift=1.5))
    world.wait("Dataset", "data", lambda b: settled(b) and b["status"]["rows"] == 250)
    world.apply("TrainingRun", "two", specs.training_run("data", estimator=OTHER, seed=1))
    world.wait_ready("TrainingRun", "two")
    world.apply("ModelDeployment", "web", specs.model_deployment("two"))
    digest = world.read("TrainingRun", "two")["status"]["artifact"]["digest"]
    world.wait(
        "ModelDeployment",
        "web",
        lambda b: settled(b) and b["status"]["stable"]["digest"] == digest,
    )
    eventually(lambda: len(world.list("deployments")) == 1, 60)
    eventually(lambda: len(server_pods(world)) == 1, 60)


def assert_arrived(world: World, raw: RawStore) -> None:
    """Compare the world with what it must be."""
    assert_children(world)
    wanted = {"data": 2, "one": 1, "two": 1, "bad": 1}
    assert started_pods(world) == wanted, "a Job ran twice, or did not"
    keys = raw.keys(f"runs/{world.namespace}/", bucket=BUCKET)
    assert len([key for key in keys if key.endswith("/result.json")]) == 4
    told = {
        name: (summary(world.read(kind, name))["reason"], condition_types(world, kind, name))
        for kind, name in (
            *(("Dataset", "data"), ("ModelDeployment", "web")),
            *(("TrainingRun", run) for run in ("one", "two", "bad")),
        )
    }
    assert told == {
        "data": ("Ready", ["Ready"]),
        "web": ("Ready", ["Ready"]),
        "one": ("Succeeded", ["Succeeded"]),
        "two": ("Succeeded", ["Succeeded"]),
        "bad": ("TargetMissing", ["Stalled", "Succeeded"]),
    }
    _arrived.append(record(world))
    assert _arrived[-1] == _arrived[0], "not as another journey has ended"


def assert_children(world: World) -> None:
    """Find one Job for each run and for the last delivery, and nothing that has no use."""
    jobs = world.list("jobs")
    owners = Counter(owner(job) for job in jobs)
    runs = ("one", "two", "bad")
    assert owners == {("Dataset", "data"): 1, **{("TrainingRun", run): 1 for run in runs}}
    (deployment,) = world.list("deployments")
    names = {child["metadata"]["name"] for child in (*jobs, deployment)}
    found = {s["metadata"]["name"] for s in world.list("secrets") if s["type"] == "Opaque"}
    assert found == {*names, RAW_SECRET}
    assert [s["metadata"]["name"] for s in world.list("services")] == ["web"]


def record(world: World) -> dict[str, Any]:
    """Give what does not depend on the namespace, the time, or what happened on the way."""
    data, bad = (world.read(*of)["status"] for of in (("Dataset", "data"), ("TrainingRun", "bad")))
    runs = {run: world.read("TrainingRun", run)["status"] for run in ("one", "two")}
    stable = world.read("ModelDeployment", "web")["status"]["stable"]
    assert stable["digest"] == runs["two"]["artifact"]["digest"]
    return {
        "versions": [version["version"] for version in data["versions"]],
        "attempts": data["ingest"]["attempts"],
        "pinned": {run: status["applied"]["datasetVersion"] for run, status in runs.items()},
        "metrics": {run: status["metrics"] for run, status in runs.items()},
        "failure": (bad["failure"]["message"], bad["failure"]["exitCode"]),
    }


def owner(body: Mapping[str, Any]) -> tuple[str, str]:
    """Give kind and name of the controller of a child."""
    references = body["metadata"]["ownerReferences"]
    return next((r["kind"], r["name"]) for r in references if r.get("controller"))


def condition_types(world: World, kind: str, name: str) -> list[str]:
    """Give the types of an object's conditions."""
    return sorted(c["type"] for c in world.read(kind, name)["status"]["conditions"])


def server_pods(world: World) -> list[Mapping[str, Any]]:
    """Give the pods of model servers, also those on their way out."""
    return list(world.list("pods", "-l", "tidemill.dev/revision"))


def started_pods(world: World) -> Counter[str]:
    """Count the pods that Jobs have started since the beginning, also of Jobs that are gone.

    By the name of the object whose Job it was.
    """
    count: Counter[str] = Counter()
    for event in world.list("events"):
        job = event["involvedObject"]
        if (event["reason"], job["kind"]) == ("SuccessfulCreate", "Job"):
            count[job["name"].rpartition("-")[0]] += event.get("count") or 1
    return count
