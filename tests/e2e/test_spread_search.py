"""A search over two pods gives the model of one, bit by bit; a fit over two one that they share.

Nothing is left behind by either.
"""

from pathlib import Path

import yaml
from tests.e2e.raw_store import RawStore
from tests.e2e.test_estimators import sample
from tests.e2e.test_path import BUCKET
from tests.e2e.world import Body, World, eventually

from tidemill.store import layout

SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "scale" / "halving.yaml"


def halving(world: World, name: str) -> Body:
    body: Body = yaml.safe_load(SAMPLE.read_text())
    body["metadata"] = {"name": name, "namespace": world.namespace}
    body["spec"]["cache"] = "Refresh"
    return body


def joint(world: World) -> Body:
    body: Body = yaml.safe_load((SAMPLE.parent / "joint.yaml").read_text())
    body["metadata"]["namespace"] = world.namespace
    return body


def test_two_pods_make_the_model_of_one(world: World, raw: RawStore) -> None:
    two, one, shared = halving(world, "model"), halving(world, "model-alone"), joint(world)
    del one["spec"]["distributed"]
    world.apply_list([sample(world, "dataset"), two, one, shared])
    bodies = [world.wait_ready("TrainingRun", name) for name in ("model", "model-alone")]
    together, alone = (body["status"] for body in bodies)
    assert together["search"] == alone["search"]
    assert together["metrics"] == alone["metrics"]
    assert together["artifact"]["digest"] == alone["artifact"]["digest"]
    runs = layout.run_prefix(world.namespace, bodies[0]["metadata"]["uid"])
    left = raw.keys(runs, bucket=BUCKET)
    assert any(key.endswith("/result.json") for key in left)
    # Among what they left for each other was the key of their connections.
    assert not any("/parts/" in key for key in left)
    _check_joint(world, raw)


def _check_joint(world: World, raw: RawStore) -> None:
    run = world.wait_ready("TrainingRun", "deliveries-joint")
    assert run["status"]["artifact"]["trees"] == "xgboost"
    metrics = {one["name"]: float(one["value"]) for one in run["status"]["metrics"]}
    assert metrics["accuracy"] > 0.7, metrics
    left = raw.keys(layout.run_prefix(world.namespace, run["metadata"]["uid"]), bucket=BUCKET)
    assert any(key.endswith("/result.json") for key in left)
    assert not any("/parts/" in key for key in left)


def test_nothing_is_left_where_the_pods_are_ended(world: World, raw: RawStore) -> None:
    """By a pause, then by the deadline, in the middle of a search that would take hours."""
    body = halving(world, "long")
    step = body["spec"]["estimator"]["sklearn"]["steps"][0]
    step["params"]["max_iter"] = 100_000
    body["spec"]["deadline"] = "50s"  # of each start
    world.apply_list([sample(world, "dataset"), body])

    def left() -> list[str]:
        uid = world.read("TrainingRun", "long")["metadata"]["uid"]
        keys = raw.keys(layout.run_prefix(world.namespace, uid), bucket=BUCKET)
        return [key for key in keys if "/parts/" in key]

    eventually(left)
    world.patch("TrainingRun", "long", {"spec": {"suspend": True}})
    world.wait_reason("TrainingRun", "long", "Suspended")
    eventually(lambda: not left(), 60)
    world.patch("TrainingRun", "long", {"spec": {"suspend": False}})
    eventually(left)
    world.wait_stalled("TrainingRun", "long", "DeadlineExceeded")
    eventually(lambda: not left(), 60)


def test_samples_of_runs_elsewhere_are_taken(world: World) -> None:
    for name in ("queued", "gpu"):
        body: Body = yaml.safe_load((SAMPLE.parent / f"{name}.yaml").read_text())
        body["metadata"]["namespace"] = world.namespace
        world.kubectl.apply(body)
        world.wait_reason("TrainingRun", body["metadata"]["name"], "WaitingForDataset")
