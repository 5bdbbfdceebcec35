"""A run as a record: not done twice, tried again with more memory, watched and read by its user."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.e2e import specs
from tests.e2e.plugin import Ended, plugin, user
from tests.e2e.raw_store import RawStore
from tests.e2e.test_container import runner_image
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.world import World, eventually

# Too little to import what trains.
TIGHT = {"resources": {"limits": {"memory": "48Mi"}}}
WAITS = "import time; time.sleep(3600)"


def accompanied(image: str) -> dict[str, Any]:
    """A template with a sidecar that never ends by itself, and a volume between the two."""
    mount = [{"name": "shm", "mountPath": "/dev/shm"}]
    return {
        "volumes": [{"name": "shm", "emptyDir": {"sizeLimit": "16Mi", "medium": "Memory"}}],
        "volumeMounts": mount,
        "env": [{"name": "TEAM", "value": "power"}],
        "sidecars": [
            {
                "name": "beside",
                "image": image,
                "command": ["python3", "-c", WAITS],
                "volumeMounts": mount,
            }
        ],
    }


@pytest.fixture(scope="module")
def records(common: World) -> World:
    """A data set and four runs of it, all at once: two alike, one too tight, one accompanied."""
    data = {"source": {"inline": {"format": "CSV", "data": rows(200)}}}
    common.apply("Dataset", "data", data)
    more = {
        "first": {},
        "other": {"seed": 1, "evaluation": {"metrics": ["accuracy", "log_loss"]}},
        "tight": {"template": TIGHT, "retry": {"growMemory": "1Gi"}, "seed": 2},
        "accompanied": {"template": accompanied(runner_image(common)), "seed": 3},
    }
    runs = {name: specs.training_run("data", **fields) for name, fields in more.items()}
    common.apply_all("TrainingRun", runs)
    return common


def seconds(status: Mapping[str, Any], made: str) -> float:
    ended, began = (datetime.fromisoformat(text) for text in (status["completedAt"], made))
    return (ended - began).total_seconds()


def test_a_run_with_the_same_inputs_has_its_result_at_once(records: World, raw: RawStore) -> None:
    first = records.wait_ready("TrainingRun", "first")["status"]
    same = specs.training_run("data", cache="Use", deadline="2h")
    records.apply("TrainingRun", "second", same)
    body = records.wait_ready("TrainingRun", "second")
    second = body["status"]
    assert second["cachedFrom"]["name"] == "first"
    assert (second["artifact"], second["metrics"]) == (first["artifact"], first["metrics"])
    assert "job" not in second
    assert seconds(second, body["metadata"]["creationTimestamp"]) <= 2  # both are whole seconds

    package = first["artifact"]["uri"].removeprefix(f"s3://{BUCKET}/")
    raw.remove(f"{package}manifest.json", bucket=BUCKET)
    records.apply("TrainingRun", "third", same)
    third = records.wait_ready("TrainingRun", "third")["status"]
    assert "cachedFrom" not in third
    assert third["artifact"]["digest"] == first["artifact"]["digest"]


def test_out_of_memory_it_is_tried_once_with_more(records: World) -> None:
    status = records.wait_ready("TrainingRun", "tight")["status"]
    assert (status["attempt"]["number"], status["attempt"]["reason"]) == (2, "OOMKilled")
    assert "48Mi" in status["attempt"]["message"]
    assert status["applied"]["memory"] == "1Gi"


def test_a_sidecar_neither_ends_nor_keeps_a_run(records: World) -> None:
    status = records.wait_ready("TrainingRun", "accompanied")["status"]
    assert "cacheKey" not in status
    job = records.kubectl.get("job", status["job"], "-n", records.namespace)
    assert job["status"]["succeeded"] == 1


def test_a_run_is_given_no_keys_of_another(records: World) -> None:
    job = records.wait_ready("TrainingRun", "first")["status"]["job"]
    for name, secret, reason in (("theirs", job, "SpecInvalid"), ("none", "a", "SecretMissing")):
        template = {"volumes": [{"name": "keys", "secret": {"secretName": secret}}]}
        records.apply("TrainingRun", name, specs.training_run("data", template=template))
        assert f"Secret {secret} " in records.wait_stalled("TrainingRun", name, reason)
        assert "job" not in records.read("TrainingRun", name)["status"]


def test_its_user_watches_and_reads_it(records: World, tmp_path: Path) -> None:
    editor = user(records, "editor", "edit", tmp_path)

    def asked(*words: str) -> Ended:
        return plugin(records, editor, *words, group="run")

    watched = asked("watch", "other")
    assert watched.code == 0
    assert "Succeeded: model " in watched.out
    assert "accuracy" in watched.out.splitlines()[-2]
    job = records.read("TrainingRun", "other")["status"]["job"]
    assert "fitting LogisticRegression" in asked("logs", "other").out
    records.delete("job", job)
    pods = ("pods", "-l", f"batch.kubernetes.io/job-name={job}")
    eventually(lambda: not records.list(*pods), 60)
    assert "fitting LogisticRegression" in asked("logs", "other").out
    page = tmp_path / "report.html"
    assert asked("report", "other", "-o", str(page)).code == 0
    assert "<html" in page.read_text()
    records.wait_ready("TrainingRun", "first")
    found = json.loads(asked("compare", "first", "other", "-o", "json").out)
    assert found["sameRows"] is False
    assert {one["name"] for one in found["parameters"] if not one["same"]} >= {"seed"}
    beside = tmp_path / "beside.html"
    assert asked("compare", "first", "other", "--html", str(beside)).code == 0
    assert "accuracy" in beside.read_text()
