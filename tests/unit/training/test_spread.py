"""A run whose search or fit several pods share: its Job, and what it counts as."""

import base64
import json
from pathlib import Path

import yaml
from tests.unit.children.world import World, until_quiet
from tests.unit.training.scene import SPEC, process, put_dataset
from tests.unit.training.test_reconcile import KIND, started

from tidemill.kube.resources import SECRETS, TRAINING_RUNS

SAMPLES = Path(__file__).parents[3] / "manifests" / "samples" / "scale"
SEARCH = {
    "method": "Random",
    "trials": 8,
    "parallelism": 3,
    "space": {"m__strategy": {"values": ["prior", "uniform"]}},
}


async def test_a_search_over_pods_is_an_indexed_job_that_its_first_pod_ends(world: World) -> None:
    await started(world, search=SEARCH, distributed={"workers": 3})
    job = world.job()["spec"]
    assert (job["parallelism"], job["completions"], job["completionMode"]) == (3, 3, "Indexed")
    assert job["successPolicy"] == {"rules": [{"succeededIndexes": "0"}]}
    given = json.loads(base64.b64decode(world.api.one(SECRETS)["data"]["input.json"]))
    assert given["workers"] == 3
    assert "distributed" not in given["spec"]
    env = job["template"]["spec"]["containers"][0]["env"]
    assert "TIDEMILL_POD_IP" in [one["name"] for one in env]


async def test_a_fit_over_pods_is_told_how_many_and_counts_as_another_run(world: World) -> None:
    keys = set()
    sample = yaml.safe_load((SAMPLES / "joint.yaml").read_text())["spec"]
    del sample["distributed"]
    for workers in (None, 1, 2, 3):
        name = f"run-{workers}"
        spread = {"distributed": {"workers": workers}} if workers else {}
        put_dataset(world)
        world.put(KIND, name, {**sample, **spread, "dataset": SPEC["dataset"]})
        await until_quiet(world, process(world)(), KIND, name)
        live = {one["metadata"]["name"]: one for one in world.api.all(TRAINING_RUNS)}[name]
        keys.add(live["status"]["cacheKey"])
    documents = [
        json.loads(base64.b64decode(one["data"]["input.json"]))
        for one in world.api.all(SECRETS)
        if "input.json" in one.get("data", {})
    ]
    assert sorted(one["workers"] for one in documents) == [1, 1, 2, 3]
    # One pod is one pod, however that is said.
    assert len(keys) == 3


def left(world: World) -> str:
    """Leave what a pod of the Job leaves for the others; its key."""
    document = json.loads(base64.b64decode(world.api.one(SECRETS)["data"]["input.json"]))
    key = f"{document['output']}parts/scheduler"
    world.store.objects[key] = b"{}"
    return str(key)


async def test_what_pods_left_each_other_goes_when_the_run_has_failed(world: World) -> None:
    await started(world, search=SEARCH, distributed={"workers": 3})
    key = left(world)
    await until_quiet(world, process(world)(), KIND, "r")
    assert key in world.store.objects  # while it works, it is needed
    world.end_job(world.job(), "Failed", "DeadlineExceeded")
    await until_quiet(world, process(world)(), KIND, "r")
    assert key not in world.store.objects


async def test_what_pods_left_each_other_goes_when_the_run_is_suspended(world: World) -> None:
    body = await started(world, search=SEARCH, distributed={"workers": 3})
    key = left(world)
    world.edit(body, suspend=True)
    await until_quiet(world, process(world)(), KIND, "r")
    assert key not in world.store.objects


async def test_a_run_that_is_resumed_finds_nothing_of_the_pods_before(world: World) -> None:
    body = await started(world, search=SEARCH, distributed={"workers": 3})
    key = left(world)
    world.edit(body, suspend=True)
    await until_quiet(world, process(world)(), KIND, "r")
    world.store.objects[key] = b"{}"  # by a pod that took its time to end
    world.edit(body, suspend=False)
    await until_quiet(world, process(world)(), KIND, "r")
    assert world.job()
    assert key not in world.store.objects


async def test_over_how_many_pods_is_no_part_of_what_comes_of_it(world: World) -> None:
    body = await started(world, search=SEARCH, distributed={"workers": 3}, queueName="ml")
    key = body["status"]["cacheKey"]
    world.put(KIND, "alone", {**SPEC, "search": SEARCH})
    await until_quiet(world, process(world)(), KIND, "alone")
    alone = next(one for one in world.api.all(TRAINING_RUNS) if one["metadata"]["name"] == "alone")
    assert alone["status"]["cacheKey"] == key
