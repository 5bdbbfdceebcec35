"""A Dataset and its online store: from a version to a Job that writes, and what is told of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.children.world import (
    NAMESPACE,
    World,
    condition_types,
    live_through,
    once,
    summary,
    until_quiet,
)
from tests.unit.dataset.online_scene import (
    ASKED,
    ENTITY,
    KIND,
    NAME,
    ONLINE,
    OTHER,
    Server,
    cluster,
    given,
    put,
    put_login,
    record,
    writing,
)
from tests.unit.dataset.scene import RESULT, VERSION, leave_result, process

from tidemill.api.v1alpha1.online_store import FilledStore
from tidemill.children.ownership import OUTSIDE
from tidemill.dataset.online_probe import OnlineProbe
from tidemill.kube.resources import JOBS, SECRETS
from tidemill.store import layout
from tidemill.store.errors import Unavailable
from tidemill.store.online import Meta, microseconds
from tidemill.store.online_errors import OnlineError, OnlineReason

pytestmark = pytest.mark.usefixtures("source")


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server()
    real = OnlineProbe._login

    async def meta(probe: OnlineProbe, store: FilledStore) -> Meta | None:
        login = await real(probe, store)
        assert login.password == "hush"
        found.asked += 1
        if found.fault:
            raise found.fault
        return found.meta

    monkeypatch.setattr(OnlineProbe, "meta", meta)
    return found


async def run(world: World) -> None:
    await until_quiet(world, process(world)(), KIND, NAME)


async def settle(world: World, server: Server) -> None:
    for _ in range(5):
        await run(world)
        cluster(world, server)()
        world.wait(15)
    await run(world)


async def versioned(world: World, **changes: Any) -> dict[str, Any]:
    """A Dataset with a version, of which a Job is to write the rows."""
    body = put(world, **changes)
    await run(world)
    world.wait(15)
    await run(world)
    [job] = world.api.all(JOBS)
    leave_result(world, job, RESULT)
    world.end_job(job, "Complete")
    await run(world)
    await run(world)
    return body


def told(body: dict[str, Any]) -> tuple[str, str, str]:
    head = summary(body)
    return head["status"], head["reason"], body["status"]["online"]["reason"]


async def test_what_the_job_is_given(
    world: World, granted: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    world.networks = ("127.0.0.0/8",)
    body = await versioned(world, online={**ONLINE, "ttl": "2h", "tls": "Disable"})
    [job] = writing(world)
    assert OUTSIDE.items() <= job["spec"]["template"]["metadata"]["labels"].items()
    document = given(world, job)
    uid = body["metadata"]["uid"]
    assert document == {
        "apiVersion": "runner.tidemill.dev/v1",
        "verb": "materialise",
        "namespace": NAMESPACE,
        "name": NAME,
        "uid": uid,
        "output": f"runs/{NAMESPACE}/{uid}/{job['metadata']['name']}/",
        "progress": None,
        "cas": f"cas/{NAMESPACE}/sha256/",
        "version": {
            "name": NAME,
            "version": VERSION,
            "manifest": layout.manifest_key(NAMESPACE, NAME, VERSION),
        },
        "entity": ENTITY,
        "server": {
            "host": "redis.example",
            "port": 6379,
            "tls": "Disable",
            "secret": "login",
            "allowedNetworks": ["127.0.0.0/8"],
            "apiServer": "10.96.0.1",
        },
        "sequence": 1,
        "moment": microseconds(world.now),
        "ttl": 7_200_000,
    }
    pod = job["spec"]["template"]["spec"]
    [mounted] = [volume for volume in pod["volumes"] if volume["name"] == "source"]
    assert mounted["secret"]["secretName"] == "login"
    assert pod["containers"][0]["args"] == ["materialise"]
    assert "hush" not in json.dumps([job, document, body["status"]])
    policy = granted[-1]
    assert policy.read == (f"cas/{NAMESPACE}/sha256/", f"datasets/{NAMESPACE}/{NAME}/manifests/")
    assert policy.write == (f"runs/{NAMESPACE}/{uid}/",)


async def test_from_a_version_to_a_store_that_has_it(world: World, server: Server) -> None:
    body = await versioned(world)
    assert told(body) == ("True", "Ready", "Materialising")
    await settle(world, server)
    assert told(body) == ("True", "Ready", "Ready")
    status = body["status"]["online"]
    assert (status["version"], status["rows"], status["sequence"]) == (VERSION, 3, 1)
    assert condition_types(body) == {"Ready"}
    assert len(writing(world)) == 1


async def test_at_rest_it_asks_now_and_then_and_writes_nothing(
    world: World, server: Server
) -> None:
    await versioned(world)
    await settle(world, server)
    reconcile = process(world)()
    await once(reconcile, KIND, NAME)
    before, asked = len(world.api.writes), server.asked
    for _ in range(6):
        world.wait(20)
        result = await once(reconcile, KIND, NAME)
        assert result is not None
        assert result.requeue_after == 60.0
    assert len(world.api.writes) == before
    assert server.asked == asked + 2  # each poll interval


async def test_a_store_that_was_emptied_heals(world: World, server: Server) -> None:
    body = await versioned(world)
    await settle(world, server)
    server.meta = None
    world.wait(60)
    await run(world)
    assert [j for j in writing(world) if "status" not in j]
    await settle(world, server)
    assert body["status"]["online"]["reason"] == "Ready"
    assert body["status"]["online"]["sequence"] == 2
    assert len(writing(world)) == 1


async def test_a_newer_version_is_written_upon_the_older(world: World, server: Server) -> None:
    body = await versioned(world)
    await settle(world, server)
    record(world, OTHER)
    world.edit(body, checks=[{"name": "some", "rowCount": {"min": 1}}])
    await once(process(world)(), KIND, NAME)
    world.wait(15)
    await once(process(world)(), KIND, NAME)
    [ingest] = [j for j in world.api.all(JOBS) if "status" not in j]
    leave_result(world, ingest, {**RESULT, "version": OTHER})
    world.end_job(ingest, "Complete")
    await once(process(world)(), KIND, NAME)
    assert told(body) == ("True", "Ready", "Materialising")
    assert body["status"]["online"]["version"] == VERSION
    await run(world)
    [job] = [j for j in writing(world) if "status" not in j]
    notes = job["metadata"]["annotations"]
    assert notes["tidemill.dev/online-version"] == OTHER
    assert notes["tidemill.dev/online-base-version"] == VERSION
    await settle(world, server)
    assert body["status"]["online"]["version"] == OTHER


async def test_a_store_that_is_away_leaves_the_version_in_use(world: World, server: Server) -> None:
    server.fault = OnlineError(OnlineReason.UNAVAILABLE, "redis.example: no answer")
    body = await versioned(world)
    assert told(body) == ("True", "OnlineStoreBehind", "OnlineStoreUnavailable")
    assert "redis.example: no answer" in summary(body)["message"]
    assert body["status"]["version"] == VERSION
    assert condition_types(body) == {"Ready"}
    assert writing(world) == []
    server.fault = None
    world.wait(30)
    await settle(world, server)
    assert told(body) == ("True", "Ready", "Ready")


@pytest.mark.parametrize(
    ("values", "reason", "words"),
    [
        (None, "SecretMissing", "spec.online.credentialsRef names the Secret login"),
        ({"username": "ann"}, "SecretInvalid", "lacks the key password"),
    ],
)
async def test_a_secret_that_opens_nothing(
    world: World, server: Server, values: dict[str, str] | None, reason: str, words: str
) -> None:
    body = await versioned(world)
    await settle(world, server)
    world.api.objects = {
        place: one for place, one in world.api.objects.items() if place[2] != "login"
    }
    if values is not None:
        put_login(world, **values)
    world.wait(60)
    await run(world)
    assert told(body) == ("True", "OnlineStoreBehind", reason)
    assert words in body["status"]["online"]["message"]
    assert body["status"]["online"]["version"] == VERSION
    put_login(world, password="hush")
    world.wait(30)
    await settle(world, server)
    assert told(body) == ("True", "Ready", "Ready")


@pytest.mark.parametrize("more", [{"entity": None}, {"rejected": {"message": "x"}}])
async def test_a_version_that_is_no_feature_table_is_not_written(
    world: World, more: dict[str, Any]
) -> None:
    put_login(world, password="hush")
    body = world.put(KIND, NAME, ASKED)
    record(world, **more)
    await run(world)
    world.wait(15)
    await run(world)
    leave_result(world, world.job(), RESULT)
    world.end_job(world.job(), "Complete")
    await run(world)
    assert body["status"]["online"]["reason"] == "WaitingForDataset"
    assert writing(world) == []


async def test_the_bucket_that_is_away_is_told(world: World, server: Server) -> None:
    body = await versioned(world)
    await settle(world, server)
    world.store.fault = Unavailable("away")
    world.wait(60)
    await once(process(world)(), KIND, NAME)
    assert body["status"]["online"]["reason"] == "StoreUnavailable"
    world.store.fault = None
    world.wait(30)
    await run(world)
    assert body["status"]["online"]["reason"] == "Ready"


async def test_without_the_field_its_job_ends_and_nothing_is_told(world: World) -> None:
    body = await versioned(world)
    assert len(writing(world)) == 1
    body["spec"].pop("online")
    world.edit(body)
    await run(world)
    assert writing(world) == []
    assert "online" not in body["status"]


async def test_a_job_that_writes_elsewhere_is_replaced(world: World) -> None:
    body = await versioned(world)
    world.edit(body, online={**ONLINE, "address": "other.example:6379"})
    await run(world)
    [job] = writing(world)
    assert given(world, job)["server"]["host"] == "other.example"
    assert given(world, job)["sequence"] == 2


async def test_a_suspended_dataset_starts_nothing(world: World, server: Server) -> None:
    body = await versioned(world)
    await settle(world, server)
    world.edit(body, suspend=True)
    server.meta = None
    world.wait(600)
    await run(world)
    assert len(writing(world)) == 1
    assert body["status"]["online"]["version"] == VERSION


async def test_the_source_does_not_matter(world: World, server: Server, source: Any) -> None:
    await versioned(world)
    await settle(world, server)
    source.fault = Unavailable("the source is away")
    server.meta = None
    world.wait(60)
    await once(process(world)(), KIND, NAME)
    assert [j for j in writing(world) if "status" not in j]


async def test_by_a_schedule_the_store_is_looked_at_all_the_same(
    world: World, server: Server
) -> None:
    body = await versioned(world, refresh={"schedule": "0 3 * * *"})
    await settle(world, server)
    assert told(body) == ("True", "Ready", "Ready")
    server.meta = None
    world.wait(60)
    result = await once(process(world)(), KIND, NAME)
    assert result is not None
    assert result.requeue_after is not None
    assert result.requeue_after <= 60
    assert [j for j in writing(world) if "status" not in j]


async def lived(world: World, server: Server, die_at: int = 0) -> dict[str, Any]:
    body = put(world)
    world.api.die_at = die_at
    await live_through(world, process(world), (KIND, NAME), cluster(world, server))
    status = body["status"]
    return {
        "conditions": [(c["type"], c["status"], c["reason"]) for c in status["conditions"]],
        "version": status["version"],
        "online": {k: status["online"][k] for k in ("version", "reason", "rows", "attempts")},
        "jobs": len(world.api.all(JOBS)),
        "secrets": len(world.api.all(SECRETS)),
    }


@pytest.mark.parametrize("n", range(1, 13))
async def test_killed_after_any_write(
    new_world: Callable[[], World], server: Server, n: int
) -> None:
    expected = await lived(new_world(), server)
    server.meta = None
    assert await lived(new_world(), server, n) == expected
    whole = {"version": VERSION, "reason": "Ready", "rows": 3, "attempts": 0}
    assert expected["online"] == whole
    assert expected["jobs"] == 2
