"""When a run takes the result of another: what counts as the same, and what makes it train."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, RUNNER, World, summary, until_quiet
from tests.unit.training import scene
from tests.unit.training.scene import NEWER, PACKAGE, PACKAGE_DIGEST, SPEC, VERSION

from tidemill.api.v1alpha1.join import JoinedVersion
from tidemill.api.v1alpha1.run_status import AppliedRun
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.engine.key import Key
from tidemill.kube.resources import JOBS, SECRETS
from tidemill.store import digests
from tidemill.store.errors import Unavailable
from tidemill.training.cache_key import cache_key

KIND = "TrainingRun"
JOIN = {"timestamp": "at", "tables": [{"dataset": {"name": "sites"}}]}


def spec(**changes: Any) -> TrainingRunSpec:
    return TrainingRunSpec.model_validate({**SPEC, **changes})


def applied(**changes: Any) -> AppliedRun:
    known = {"dataset_version": VERSION, "image": RUNNER, "spec_hash": "h"}
    return AppliedRun(**{**known, **changes})


KEY = cache_key(spec(), applied())
SAME = [
    {"suspend": True},
    {"cache": "Refresh"},
    {"deadline": "7h"},
    {"retry": {"limit": 3, "growMemory": "8Gi"}},
    {"template": {"resources": {"limits": {"memory": "8Gi"}}, "nodeSelector": {"a": "b"}}},
    {"seed": 0},
    {"dataset": {"name": "data", "version": VERSION}},
]
OTHER = [
    {"seed": 1},
    {"target": "other"},
    {"task": "Regression"},
    {"dataset": {"name": "copy"}},
    {"features": {"exclude": ["day"]}},
    {"split": {"holdout": "0.3"}},
    {"evaluation": {"metrics": ["accuracy"]}},
    {"estimator": {"sklearn": {"steps": [{"name": "m", "class": "a.B", "params": {"c": 1}}]}}},
]


@pytest.mark.parametrize("changes", SAME)
def test_what_changes_no_result_changes_no_key(changes: dict[str, Any]) -> None:
    assert cache_key(spec(**changes), applied(spec_hash="other", memory="8Gi")) == KEY


def test_whatever_else_is_asked_for_changes_it() -> None:
    keys = {cache_key(spec(**changes), applied()) for changes in OTHER}
    assert len(keys | {KEY}) == len(OTHER) + 1


def test_whatever_was_pinned_changes_it() -> None:
    tables = [
        [JoinedVersion(name="sites", version=version, key=["site"], timestamp=time)]
        for version, time in ((VERSION, "ts"), (NEWER, "ts"), (NEWER, "at"))
    ]
    pinned = [
        {"dataset_version": NEWER},
        {"image": "other"},
        *({"tables": one} for one in tables),
    ]
    keys = {cache_key(spec(), applied(**one)) for one in pinned}
    assert len(keys | {KEY}) == len(pinned) + 1


SITES = JoinedVersion(name="sites", version=NEWER, key=["site"], timestamp="ts")


def test_what_is_joined_and_how_changes_it() -> None:
    asked = [JOIN, {**JOIN, "timestamp": "on"}]
    keys = {cache_key(spec(join=join), applied(tables=[SITES])) for join in asked}
    assert len(keys | {KEY}) == 3


def test_without_how_a_table_is_joined_there_is_no_key() -> None:
    pinned = applied(tables=[JoinedVersion(name="sites", version=NEWER)])
    assert cache_key(spec(join=JOIN), pinned) is None
    assert cache_key(spec(join=JOIN), applied()) is None


def test_a_joined_version_counts_once_it_is_pinned() -> None:
    pinned = applied(tables=[SITES])
    named = {"timestamp": "at", "tables": [{"dataset": {"name": "sites", "version": NEWER}}]}
    assert cache_key(spec(join=named), pinned) == cache_key(spec(join=JOIN), pinned)


@pytest.mark.parametrize("unknown", [None, applied(image="")])
def test_where_not_all_is_known_there_is_no_key(unknown: AppliedRun | None) -> None:
    assert cache_key(spec(), unknown) is None


PLACED = [
    {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]},
    {"priorityClassName": "low"},
    {"affinity": {}},
]
OPAQUE = [
    {"volumes": [{"name": "v", "configMap": {"name": "c"}}]},
    {"volumes": [{"name": "v", "secret": {"secretName": "c"}}]},
    {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
    {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
    {"env": [{"name": "A", "value": "x-$(B)"}]},
    {"sidecars": [{"name": "s", "image": "i@sha256:" + "0" * 64}]},
]


@pytest.mark.parametrize("template", PLACED, ids=str)
def test_where_it_runs_is_not_part_of_the_key(template: dict[str, Any]) -> None:
    assert cache_key(spec(template=template), applied()) == KEY


@pytest.mark.parametrize("template", OPAQUE, ids=str)
def test_what_may_be_another_each_time_leaves_no_key(template: dict[str, Any]) -> None:
    assert cache_key(spec(template=template), applied()) is None


def test_variables_are_part_of_the_key_in_any_order() -> None:
    one, two = {"name": "A", "value": "1"}, {"name": "B", "value": "2"}
    keys = [
        cache_key(spec(template={"env": env}), applied())
        for env in ([one, two], [two, one], [one], [{**one, "value": "2"}], [])
    ]
    assert keys[0] == keys[1]
    assert keys[4] == KEY
    assert len(set(keys)) == 4


async def run(world: World, name: str, **changes: Any) -> dict[str, Any]:
    body = world.put(KIND, name, {**SPEC, **changes})
    await until_quiet(world, scene.process(world)(), KIND, name)
    return body


async def finish(world: World, name: str, **changes: Any) -> None:
    """Do as the Job of a run does: result, package, end."""
    [job] = jobs_of(world, name)
    uid = job["metadata"]["ownerReferences"][0]["uid"]
    key = f"runs/{NAMESPACE}/{uid}/{job['metadata']['name']}/result.json"
    world.store.objects[key] = json.dumps({**scene.PACKAGED, **changes}).encode()
    scene.leave_package(world)
    world.end_job(job, "Complete")
    await until_quiet(world, scene.process(world)(), KIND, name)


async def first(world: World, **changes: Any) -> dict[str, Any]:
    scene.put_dataset(world)
    body = await run(world, "first", **changes)
    await finish(world, "first")
    assert summary(body)["status"] == "True"
    return body


def jobs_of(world: World, name: str) -> list[dict[str, Any]]:
    return [
        job for job in world.api.all(JOBS) if job["metadata"]["ownerReferences"][0]["name"] == name
    ]


async def test_a_hit_makes_no_job_and_says_whose_result_it_is(world: World) -> None:
    before = (await first(world))["status"]
    world.wait(100)
    body = await run(world, "second", deadline="2h")
    after = body["status"]
    assert jobs_of(world, "second") == []
    assert len(world.api.all(SECRETS)) == 1
    assert after["cacheKey"] == before["cacheKey"]
    assert after["cachedFrom"] == {
        "name": "first",
        "uid": world.api.all(JOBS)[0]["metadata"]["ownerReferences"][0]["uid"],
        "completedAt": scene.PACKAGED["completedAt"],
    }
    same = ("artifact", "metrics", "score", "report")
    assert {k: after[k] for k in same} == {k: before[k] for k in same}
    assert after["completedAt"] == after["startedAt"] == "2025-01-01T00:01:40Z"
    assert "job" not in after
    assert summary(body)["message"] == (
        f"model {PACKAGE_DIGEST[7:19]}, accuracy=0.75: "
        "of TrainingRun first, which had the same inputs"
    )


async def test_a_hit_is_a_record_whose_status_can_be_lost(world: World) -> None:
    await first(world)
    body = await run(world, "second")
    before = body.pop("status")
    scene.put_dataset(world, NEWER)
    await until_quiet(world, scene.process(world)(), KIND, "second")
    same = ("artifact", "metrics", "cachedFrom", "completedAt")
    assert {k: body["status"][k] for k in same} == {k: before[k] for k in same}
    assert body["status"]["applied"]["datasetVersion"] == VERSION


async def test_who_takes_a_result_is_not_named_for_it(world: World) -> None:
    await first(world)
    await run(world, "second")
    third = await run(world, "third")
    assert third["status"]["cachedFrom"]["name"] == "first"


@pytest.mark.parametrize("gone", ["package", "result", "entry", "changed", "junk"])
async def test_what_is_not_all_there_is_a_miss(world: World, gone: str) -> None:
    await first(world)
    objects = world.store.objects
    [result] = [key for key in objects if key.endswith("/result.json")]
    [entry] = [key for key in objects if key.startswith("cached/")]
    if gone == "changed":
        objects[result] = json.dumps({**scene.PACKAGED, "metrics": []}).encode()
    elif gone == "junk":
        objects[entry] = b"[]"
    else:
        del objects[{"package": f"{PACKAGE}manifest.json", "result": result, "entry": entry}[gone]]
    body = await run(world, "second")
    assert len(jobs_of(world, "second")) == 1
    assert "cachedFrom" not in body["status"]


def cut(objects: dict[str, bytes]) -> None:
    objects[f"{PACKAGE}model.skops"] = b"mod"


def drop(objects: dict[str, bytes]) -> None:
    del objects[f"{PACKAGE}model.skops"]


def add(objects: dict[str, bytes]) -> None:
    objects[f"{PACKAGE}other.bin"] = b"x"


def fill(objects: dict[str, bytes]) -> None:
    objects.update({f"{PACKAGE}{number}": b"x" for number in range(1000)})


def forge(objects: dict[str, bytes]) -> None:
    objects[f"{PACKAGE}manifest.json"] += b" "


@pytest.mark.parametrize("spoil", [cut, drop, add, fill, forge])
async def test_a_package_that_is_not_whole_is_a_miss(
    world: World, spoil: Callable[[dict[str, bytes]], None]
) -> None:
    await first(world)
    spoil(world.store.objects)
    await run(world, "second")
    assert len(jobs_of(world, "second")) == 1


FORGED = [
    {"datasetVersion": NEWER},
    {"artifact": {**scene.PACKAGED["artifact"], "uri": f"s3://else/{PACKAGE}"}},
    {"artifact": {**scene.PACKAGED["artifact"], "uri": "s3://tidemill/models/other/r/d/"}},
    {"artifact": {**scene.PACKAGED["artifact"], "uri": "s3://tidemill/runs/"}},
]


@pytest.mark.parametrize("forged", FORGED, ids=str)
async def test_a_result_that_tells_of_something_else_is_no_ones(
    world: World, forged: dict[str, Any]
) -> None:
    for key in ("models/other/r/d/manifest.json", "runs/manifest.json"):
        world.store.objects[key] = b"{}"
    scene.put_dataset(world)
    await run(world, "first")
    await finish(world, "first", **forged)
    await run(world, "second")
    assert len(jobs_of(world, "second")) == 1


@pytest.mark.parametrize("output", ["runs/other/u/j/", "models/ns/", "../"])
async def test_an_entry_leads_nowhere_else(world: World, output: str) -> None:
    await first(world)
    objects = world.store.objects
    [entry] = [key for key in objects if key.startswith("cached/")]
    objects[entry] = json.dumps({**json.loads(objects[entry]), "output": output}).encode()
    objects[f"{output}result.json"] = json.dumps(scene.PACKAGED).encode()
    await run(world, "second")
    assert len(jobs_of(world, "second")) == 1


async def test_refresh_trains_and_replaces(world: World) -> None:
    await first(world)
    await run(world, "second", cache="Refresh")
    assert len(jobs_of(world, "second")) == 1
    await finish(world, "second")
    third = await run(world, "third")
    assert third["status"]["cachedFrom"]["name"] == "second"


async def test_a_failed_run_is_taken_by_nobody(world: World) -> None:
    scene.put_dataset(world)
    await run(world, "first")
    world.end_job(world.job(), "Failed")
    await until_quiet(world, scene.process(world)(), KIND, "first")
    assert not [key for key in world.store.objects if key.startswith("cached/")]
    await run(world, "second")
    assert len(jobs_of(world, "second")) == 1


async def test_a_new_image_trains_again(world: World) -> None:
    await first(world)
    world.runner = "registry.test/runner@sha256:" + "f" * 64
    await run(world, "second")
    assert len(jobs_of(world, "second")) == 1


async def test_suspended_it_takes_nothing_until_it_is_resumed(world: World) -> None:
    await first(world)
    body = await run(world, "second", suspend=True)
    assert "cachedFrom" not in body["status"]
    world.edit(body, suspend=False)
    await until_quiet(world, scene.process(world)(), KIND, "second")
    assert body["status"]["cachedFrom"]["name"] == "first"


async def test_a_store_that_is_away_is_waited_for(world: World) -> None:
    await first(world)
    world.store.fault = Unavailable("store away")
    body = world.put(KIND, "second", SPEC)
    for _ in range(2):
        with pytest.raises(Exception, match="store away"):
            await scene.process(world)()(Key(KIND, NAMESPACE, "second"))
    assert jobs_of(world, "second") == []
    world.store.fault = None
    await until_quiet(world, scene.process(world)(), KIND, "second")
    assert body["status"]["cachedFrom"]["name"] == "first"


async def test_an_entry_that_cannot_be_written_spoils_no_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = world.store.put

    async def refusing(key: str, data: bytes) -> None:
        if key.startswith("cached/"):
            raise Unavailable("store away")
        await put(key, data)

    monkeypatch.setattr(world.store, "put", refusing)
    body = await first(world)
    assert body["status"]["artifact"]["digest"] == PACKAGE_DIGEST


async def test_large_documents_hold_up_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.put_dataset(world)
    loads, canonical, main = json.loads, digests.canonical_json, threading.get_ident()
    seen: list[str] = []

    def aside(work: Callable[[Any], Any], large: int) -> Callable[[Any], Any]:
        def done(given: Any) -> Any:
            found = work(given)
            if len(given if isinstance(given, str | bytes) else found) > large:
                seen.append(work.__name__)
                assert threading.get_ident() != main
            return found

        return done

    await run(world, "first")
    monkeypatch.setattr(json, "loads", aside(loads, 100_000))
    monkeypatch.setattr(digests, "canonical_json", aside(canonical, 100_000))
    await finish(world, "first", report="x" * 200_000)
    body = await run(world, "second")
    assert body["status"]["cachedFrom"]["name"] == "first"
    assert {"loads", "canonical_json"} == set(seen)


async def test_a_record_made_again_has_the_key_that_it_had(world: World) -> None:
    scene.put_dataset(world)
    body = await run(world, "first")
    await finish(world, "first", image=RUNNER)
    before = body.pop("status")
    world.api.remove(world.job())
    world.runner = "registry.test/runner@sha256:" + "f" * 64
    await until_quiet(world, scene.process(world)(), KIND, "first")
    assert body["status"]["applied"] == before["applied"]
    assert body["status"]["cacheKey"] == before["cacheKey"]
