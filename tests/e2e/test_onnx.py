"""A run whose package has ONNX is served by it and answers alike; another says why not."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e import specs
from tests.e2e.prediction import infer
from tests.e2e.raw_store import RawStore
from tests.e2e.test_path import BUCKET
from tests.e2e.world import World

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples" / "training"
SERVING = Path(__file__).parents[2] / "manifests" / "samples" / "onnx"
# The second row lacks what may be missing, and has a carrier that no row trained on has.
ROWS: dict[str, list[Any]] = {
    "distance": [58.0, None],
    "weight": [20.5, 1.0],
    "stops": [11, 1],
    "carrier": ["bike", "drone"],
    "region": ["north", None],
    "express": [0, 1],
}


def sample(path: Path) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load(path.read_text())
    return body


def document(raw: RawStore, uri: str, name: str) -> dict[str, Any]:
    key = uri.removeprefix(f"s3://{BUCKET}/") + name
    found: dict[str, Any] = json.loads(raw.get(key, bucket=BUCKET))
    return found


def pod_environment(world: World, name: str) -> dict[str, str]:
    """What the pods of a deployment are told."""
    return {
        one["name"]: one.get("value", "")
        for body in world.list("deployments")
        if body["metadata"]["ownerReferences"][0]["name"] == name
        for one in body["spec"]["template"]["spec"]["containers"][0]["env"]
    }


def test_onnx_answers_as_the_pipeline_and_what_has_none_says_why(
    world: World, raw: RawStore
) -> None:
    bodies = [
        sample(SAMPLES / "dataset.yaml"),
        sample(SAMPLES / "onnx.yaml"),
        sample(SAMPLES / "columns.yaml"),
        sample(SERVING / "modeldeployment.yaml"),
    ]
    for body in bodies:
        body["metadata"]["namespace"] = world.namespace
    world.apply_list(bodies)
    world.apply_all("ModelDeployment", {"fast": specs.model_deployment("deliveries-onnx")})

    world.wait_ready("ModelDeployment", "fast")
    world.wait_ready("ModelDeployment", "deliveries-native")
    artifact = world.read("TrainingRun", "deliveries-onnx")["status"]["artifact"]
    assert artifact["onnx"] is True
    kept = document(raw, artifact["uri"], "metrics.json")["onnx"]
    assert kept["agreement"]["flips"] == 0
    assert kept["agreement"]["rows"] > 0
    assert pod_environment(world, "fast")["TIDEMILL_RUNTIME"] == "Onnx"
    assert pod_environment(world, "deliveries-native")["TIDEMILL_RUNTIME"] == "Native"
    fast = infer(world, "fast", "fast", ROWS)
    native = infer(world, "deliveries-native", "deliveries-native", ROWS)
    assert fast["predict"] == native["predict"]
    assert fast["predict_proba"] == pytest.approx(native["predict_proba"], abs=1e-4)

    other = world.wait_ready("TrainingRun", "deliveries-columns")["status"]["artifact"]
    assert "onnx" not in other
    left_out = document(raw, other["uri"], "card.json")["onnx"]["leftOut"]
    assert left_out.startswith("TfidfVectorizer: ")
