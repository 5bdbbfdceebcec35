"""The samples of trainings: columns of each kind, boosted trees, and their answers to odd rows."""

from pathlib import Path
from typing import Any

import yaml
from tests.e2e import specs
from tests.e2e.prediction import infer
from tests.e2e.world import World

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples" / "training"
RUNS = ("columns", "boosted")
# The second row lacks what may be missing, and has a carrier that no row trained on has.
ROWS: dict[str, list[Any]] = {
    "distance": [58.0, None],
    "weight": [20.5, 1.0],
    "stops": [11, 1],
    "carrier": ["bike", "drone"],
    "region": ["north", None],
    "note": ["fragile glass", "ring twice"],
    "express": [0, 1],
}


def sample(world: World, name: str) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load((SAMPLES / f"{name}.yaml").read_text())
    body["metadata"]["namespace"] = world.namespace
    return body


def test_samples_are_trained_and_answer(world: World) -> None:
    world.apply_list([sample(world, name) for name in ("dataset", *RUNS)])
    deployments = {name: specs.model_deployment(f"deliveries-{name}") for name in RUNS}
    world.apply_all("ModelDeployment", deployments)
    for name in RUNS:
        world.wait_ready("ModelDeployment", name)
        columns = {
            key: values for key, values in ROWS.items() if name != "boosted" or key != "note"
        }
        answer = infer(world, name, name, columns)
        assert answer["predict"] == ["yes", "no"]
    boosted = world.read("TrainingRun", "deliveries-boosted")["status"]
    assert boosted["artifact"]["trees"] == "xgboost"
    assert "runner-boosting" in boosted["applied"]["image"]
    images = [
        body["spec"]["template"]["spec"]["containers"][0]["image"]
        for body in world.list("deployments")
    ]
    assert [("server-boosting" in image) for image in images].count(True) == 1
