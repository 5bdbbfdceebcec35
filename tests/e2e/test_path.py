"""The path a model takes: data, version, run, package, server, answer; then data again."""

import pytest
from tests.e2e import specs
from tests.e2e.prediction import ask, infer
from tests.e2e.raw_store import RawStore
from tests.e2e.world import World, settled, summary

BUCKET = "tidemill"


def rows(count: int, *, shift: float = 0.0) -> str:
    """Make a CSV file on which a line separates the classes."""
    lines = [f"{i % 17},{i % 5 + shift},{'up' if i % 17 > 8 else 'down'}" for i in range(count)]
    return "\n".join(["a,b,label", *lines, ""])


def test_data_becomes_a_model_that_answers(world: World, raw: RawStore) -> None:
    prefix = f"{world.namespace}/"
    raw.put(f"{prefix}one.csv", rows(300))
    world.apply("ModelDeployment", "path", specs.model_deployment("path"))
    world.apply("TrainingRun", "path", specs.training_run("path"))
    world.apply("Dataset", "path", specs.dataset(prefix))

    dataset = world.wait_ready("Dataset", "path")["status"]
    assert (dataset["rows"], dataset["objects"], dataset["columnCount"]) == (300, 1, 3)
    assert [c["type"] for c in dataset["columns"]] == ["Integer", "Float", "String"]
    assert dataset["version"].startswith("sha256:")

    run = world.wait_ready("TrainingRun", "path")["status"]
    assert run["applied"]["datasetVersion"] == dataset["version"]
    assert run["progress"]["percent"] == 100
    accuracy = next(m for m in run["metrics"] if m["name"] == "accuracy")
    assert float(accuracy["low"]) <= float(accuracy["value"]) <= float(accuracy["high"])
    package = run["artifact"]["uri"].removeprefix(f"s3://{BUCKET}/")
    names = {key.removeprefix(package) for key in raw.keys(package, bucket=BUCKET)}
    assert {"manifest.json", "model.skops", "signature.json"} <= names
    assert b"<html" in raw.get(run["report"].removeprefix(f"s3://{BUCKET}/"), bucket=BUCKET)

    served = world.wait_ready("ModelDeployment", "path")["status"]
    assert served["stable"]["digest"] == run["artifact"]["digest"]
    assert served["replicas"] == "1/1"
    assert served["url"] == f"http://path.{world.namespace}.svc"
    answer = infer(world, "path", "path", {"a": [1, 16], "b": [0.0, 1.0]})
    assert answer["predict"] == ["down", "up"]
    assert ask(world, "path", "/v2/models/path")["versions"] == [served["stable"]["version"]]


def test_changed_data_becomes_a_version_and_equal_data_does_not(
    world: World, raw: RawStore
) -> None:
    prefix = f"{world.namespace}/"
    raw.put(f"{prefix}one.csv", rows(40))
    world.apply("Dataset", "data", specs.dataset(prefix))
    first = world.wait_ready("Dataset", "data")["status"]["version"]

    raw.put(f"{prefix}two.csv", rows(10, shift=1.5))
    changed = world.wait(
        "Dataset", "data", lambda b: settled(b) and b["status"]["version"] != first
    )["status"]
    assert (changed["rows"], changed["objects"]) == (50, 2)
    assert [v["version"] for v in changed["versions"]] == [changed["version"], first]

    raw.remove(f"{prefix}two.csv")
    back = world.wait("Dataset", "data", lambda b: settled(b) and b["status"]["objects"] == 1)
    assert back["status"]["version"] == first
    assert summary(back)["status"] == "True"


@pytest.mark.parametrize("kind", ["Dataset", "TrainingRun", "ModelDeployment"])
def test_suspended_objects_start_nothing(world: World, raw: RawStore, kind: str) -> None:
    prefix = f"{world.namespace}/"
    raw.put(f"{prefix}one.csv", rows(40))
    kinds = {
        "Dataset": specs.dataset(prefix),
        "TrainingRun": specs.training_run("held"),
        "ModelDeployment": specs.model_deployment("held"),
    }
    world.apply(kind, "held", {**kinds[kind], "suspend": True})
    world.wait_reason(kind, "held", "Suspended")
    assert world.list("jobs") == []
    assert world.list("deployments") == []
