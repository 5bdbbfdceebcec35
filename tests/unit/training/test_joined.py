"""A run that joins feature tables: what it waits for, what it pins, what its Job is told."""

import base64
import json
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, RUNNER, World, instant, once, summary, until_quiet
from tests.unit.training.scene import (
    NEWER,
    PACKAGED,
    RESULT,
    SPEC,
    VERSION,
    cluster,
    leave_package,
    leave_result,
    process,
    put_dataset,
)

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.run_status import AppliedRun, TrainingRunStatus
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.children import credentials
from tidemill.jobs.view import JobView, Phase
from tidemill.kube.resources import JOBS, SECRETS
from tidemill.store import layout
from tidemill.store.credentials import Policy
from tidemill.store.errors import Unavailable
from tidemill.training.decide import decide
from tidemill.training.observed import DatasetFacts, Observed
from tidemill.training.pins import TABLES_ANNOTATION, annotations, spec_hash

KIND, NAME = "TrainingRun", "r"
THIRD = "sha256:" + "3" * 64
TABLES = [
    {"dataset": {"name": "sites"}},
    {"dataset": {"name": "weather", "version": THIRD}, "columns": ["wind"], "maxAge": "2d"},
]
JOIN = {"timestamp": "at", "tables": TABLES}
FOUND = [{"name": "sites", "version": NEWER}, {"name": "weather", "version": THIRD}]
ENTITY = {"key": ["site"], "timestamp": "ts"}
PINNED = [{**one, **ENTITY} for one in FOUND]


def spec(**changes: Any) -> TrainingRunSpec:
    return TrainingRunSpec.model_validate({**SPEC, "join": JOIN, **changes})


HERE = DatasetFacts(VERSION)


@pytest.mark.parametrize(
    ("tables", "reason", "tells"),
    [
        (
            (None, DatasetFacts(THIRD, has_version=True)),
            Reason.WAITING_FOR_DATASET,
            "spec.join.tables[0].dataset.name: there is no Dataset sites",
        ),
        (
            (DatasetFacts(None), DatasetFacts(THIRD, has_version=True)),
            Reason.WAITING_FOR_DATASET,
            "spec.join.tables[0].dataset: Dataset sites has no version yet",
        ),
        (
            (DatasetFacts(NEWER), DatasetFacts(NEWER)),
            Reason.VERSION_NOT_FOUND,
            "spec.join.tables[1].dataset.version: Dataset weather has no version 333333333333",
        ),
    ],
    ids=["no dataset", "no version", "another version"],
)
def test_it_waits_for_its_tables(
    tables: tuple[DatasetFacts | None, ...], reason: Reason, tells: str
) -> None:
    plan = decide(spec(), TrainingRunStatus(), Observed(HERE, tables=tables), instant(), RUNNER)
    assert plan.verdict.reason is reason
    assert tells in plan.verdict.message
    assert plan.start is None


def started() -> AppliedRun:
    tables = DatasetFacts(NEWER), DatasetFacts(NEWER, has_version=True)
    plan = decide(spec(), TrainingRunStatus(), Observed(HERE, tables=tables), instant(), RUNNER)
    assert plan.start is not None
    return plan.start


def test_the_versions_are_pinned_in_their_order() -> None:
    applied = started()
    assert [one.to_dict() for one in applied.tables or ()] == FOUND
    assert applied.dataset_version == VERSION
    newer = Observed(DatasetFacts(THIRD), tables=(DatasetFacts(THIRD), DatasetFacts(THIRD)))
    again = decide(spec(), TrainingRunStatus(applied=applied), newer, instant(), RUNNER)
    assert again.start == applied


def test_a_forgotten_status_is_known_from_the_job() -> None:
    applied = started()
    job = JobView("j", "u", Phase.RUNNING, instant(), annotations=annotations(applied))
    plan = decide(spec(), TrainingRunStatus(), Observed(None, job), instant(), RUNNER)
    assert plan.status.applied == applied


def test_a_forgotten_status_is_known_from_the_result() -> None:
    result = {**RESULT, "join": PINNED, "image": RUNNER}
    plan = decide(spec(), TrainingRunStatus(), Observed(None, result=result), instant(), "newer")
    assert plan.status.applied is not None
    assert [one.to_dict() for one in plan.status.applied.tables or ()] == PINNED
    assert plan.status.applied.image == RUNNER


def test_without_a_join_nothing_is_different() -> None:
    alone = TrainingRunSpec.model_validate(SPEC)
    plan = decide(alone, TrainingRunStatus(), Observed(HERE), instant(), RUNNER)
    assert plan.start is not None
    assert TABLES_ANNOTATION not in annotations(plan.start)
    assert "tables" not in plan.start.to_dict()
    assert spec_hash(alone) == "7a8805c161c10871"
    assert spec_hash(alone) != spec_hash(spec())


def put_table(world: World, name: str, version: str, **record: Any) -> dict[str, Any]:
    body = world.put("Dataset", name, {"source": {"s3": {"bucket": "raw", "format": "CSV"}}})
    body["status"] = {"version": version}
    world.store.objects[layout.manifest_key(NAMESPACE, name, version)] = b"x"
    if record:
        key = layout.record_key(NAMESPACE, name, version)
        world.store.objects[key] = json.dumps(record).encode()
    return body


def put_tables(world: World, **second: Any) -> None:
    put_dataset(world)
    put_table(world, "sites", NEWER, entity=ENTITY)
    put_table(world, "weather", THIRD, **second)


async def run(world: World, **changes: Any) -> dict[str, Any]:
    body = world.put(KIND, NAME, {**SPEC, "join": JOIN, **changes})
    await until_quiet(world, process(world)(), KIND, NAME)
    return body


async def test_what_the_runner_is_given(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Policy] = []
    granted = credentials.assume_role

    def assume(config: Any, policy: Policy, seconds: int) -> Any:
        asked.append(policy)
        return granted(config, policy, seconds)

    monkeypatch.setattr(credentials, "assume_role", assume)
    put_tables(world, entity=ENTITY)
    body = await run(world)
    given = json.loads(base64.b64decode(world.api.one(SECRETS)["data"]["input.json"]))
    manifests = [layout.manifest_key(NAMESPACE, **one) for one in FOUND]
    first, second = given["join"]["tables"]
    assert given["join"]["timestamp"] == "at"
    assert first == {
        "dataset": {**FOUND[0], "manifest": manifests[0]},
        "entity": ENTITY,
        "key": ["site"],
        "columns": None,
        "maxAge": None,
        "prefix": "",
    }
    assert (second["columns"], second["maxAge"]) == (["wind"], "2d")
    assert "join" not in given["spec"]
    assert asked[0].read_keys == tuple(manifests)
    assert body["status"]["applied"]["tables"] == PINNED


async def test_a_job_that_somebody_removed_joins_what_was_pinned(world: World) -> None:
    put_tables(world, entity=ENTITY)
    body = await run(world)
    put_table(world, "sites", THIRD, entity=ENTITY)
    world.api.remove(world.job())
    await until_quiet(world, process(world)(), KIND, NAME)
    notes = world.job()["spec"]["template"]["metadata"]["annotations"]
    assert json.loads(notes[TABLES_ANNOTATION]) == PINNED
    assert body["status"]["applied"]["tables"] == PINNED


async def test_a_new_version_of_a_table_trains_nothing_anew(world: World) -> None:
    put_tables(world, entity=ENTITY)
    body = await run(world)
    cluster(world)()
    leave_result(world, world.job(), {**RESULT, "join": PINNED})
    await until_quiet(world, process(world)(), KIND, NAME)
    put_table(world, "sites", THIRD, entity=ENTITY)
    await until_quiet(world, process(world)(), KIND, NAME)
    assert summary(body)["status"] == "True"
    assert len(world.api.all(JOBS)) == 1
    assert body["status"]["applied"]["tables"] == PINNED


@pytest.mark.parametrize(
    ("record", "key", "tells"),
    [
        (
            {},
            None,
            "tables[1].dataset: version 333333333333 of Dataset weather is no feature table",
        ),
        ({"v": 1}, None, "is no feature table: set spec.entity there"),
        ({"entity": []}, None, "is no feature table: set spec.entity there"),
        (
            {"entity": ENTITY, "rejected": {"reason": "ChecksFailed", "message": "3 rows twice"}},
            None,
            "was not let in as it was last judged (3 rows twice)",
        ),
        (
            {"entity": ENTITY},
            ["a", "b"],
            "tables[1].key: 2 columns for the 1 of the key of Dataset",
        ),
    ],
    ids=["no record", "no entity", "a broken one", "rejected", "another number of columns"],
)
async def test_what_is_no_feature_table_stalls(
    world: World, record: dict[str, Any], key: list[str] | None, tells: str
) -> None:
    put_tables(world, **record)
    tables = [TABLES[0], {**TABLES[1], **({"key": key} if key else {})}]
    body = await run(world, join={**JOIN, "tables": tables})
    assert summary(body)["reason"] == "SpecInvalid"
    assert tells in summary(body)["message"]
    assert world.api.all(JOBS) == []
    assert "applied" not in body["status"]
    # Once the Dataset is a feature table, the run starts.
    put_table(world, "weather", THIRD, entity={"key": key or ["site"], "timestamp": "ts"})
    await until_quiet(world, process(world)(), KIND, NAME)
    assert len(world.api.all(JOBS)) == 1


async def test_a_record_that_cannot_be_read_now_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tables(world, entity=ENTITY)
    body = world.put(KIND, NAME, {**SPEC, "join": JOIN})
    get = world.store.get

    async def away(key: str, *, max_bytes: int) -> bytes:
        if "/versions/" in key:
            raise Unavailable("away")
        return await get(key, max_bytes=max_bytes)

    with monkeypatch.context() as fault:
        fault.setattr(world.store, "get", away)
        await once(process(world)(), KIND, NAME)
    assert summary(body)["reason"] == "StoreUnavailable"
    assert world.api.all(JOBS) == []
    await once(process(world)(), KIND, NAME)
    assert len(world.api.all(JOBS)) == 1


async def test_more_versions_than_keys_can_name(world: World, monkeypatch: Any) -> None:
    put_tables(world, entity=ENTITY)
    monkeypatch.setattr("tidemill.store.credentials.MAX_POLICY", 500)
    body = await run(world)
    assert summary(body)["reason"] == "SpecInvalid"
    assert "spec.join.tables names 2 versions" in summary(body)["message"]


async def ended(world: World, name: str) -> dict[str, Any]:
    """Lead a run to its end; its package is there."""
    body = world.put(KIND, name, {**SPEC, "join": JOIN})
    await until_quiet(world, process(world)(), KIND, name)
    [job] = [job for job in world.api.all(JOBS) if "status" not in job]
    uid = body["metadata"]["uid"]
    key = f"runs/{NAMESPACE}/{uid}/{job['metadata']['name']}/result.json"
    world.store.objects[key] = json.dumps(PACKAGED).encode()
    leave_package(world)
    world.end_job(job, "Complete")
    await until_quiet(world, process(world)(), KIND, name)
    assert summary(body)["status"] == "True"
    return body


async def second(world: World) -> dict[str, Any]:
    body = world.put(KIND, "second", {**SPEC, "join": JOIN})
    await until_quiet(world, process(world)(), KIND, "second")
    return body


async def test_the_same_join_is_not_done_twice(world: World) -> None:
    put_tables(world, entity=ENTITY)
    await ended(world, "first")
    assert (await second(world))["status"]["cachedFrom"]["name"] == "first"


@pytest.mark.parametrize("entity", [{**ENTITY, "timestamp": "late"}, {**ENTITY, "key": ["place"]}])
async def test_another_entity_of_the_same_version_is_another_run(
    world: World, entity: dict[str, Any]
) -> None:
    put_tables(world, entity=ENTITY)
    await ended(world, "first")
    put_table(world, "weather", THIRD, entity=entity)
    body = await second(world)
    assert len(world.api.all(JOBS)) == 2
    assert body["status"]["applied"]["tables"][1] == {**FOUND[1], **entity}


async def test_a_table_that_is_let_in_no_more_is_no_hit(world: World) -> None:
    put_tables(world, entity=ENTITY)
    await ended(world, "first")
    put_table(world, "weather", THIRD, entity=ENTITY, rejected={"message": "3 rows twice"})
    body = await second(world)
    assert summary(body)["reason"] == "SpecInvalid"
    assert "not let in as it was last judged (3 rows twice)" in summary(body)["message"]


async def test_a_removed_job_joins_as_it_did_before(world: World) -> None:
    put_tables(world, entity=ENTITY)
    body = await run(world)
    put_table(world, "weather", THIRD, entity={"key": ["place"], "timestamp": "late"})
    world.api.remove(world.job())
    await until_quiet(world, process(world)(), KIND, NAME)
    given = json.loads(base64.b64decode(world.api.one(SECRETS)["data"]["input.json"]))
    assert [one["entity"] for one in given["join"]["tables"]] == [ENTITY, ENTITY]
    assert body["status"]["applied"]["tables"] == PINNED


async def test_a_job_that_says_not_how_it_joins_asks_the_records(world: World) -> None:
    put_tables(world, entity=ENTITY)
    body = await run(world)
    body["status"]["applied"]["tables"] = FOUND
    world.api.remove(world.job())
    await until_quiet(world, process(world)(), KIND, NAME)
    assert body["status"]["applied"]["tables"] == PINNED
