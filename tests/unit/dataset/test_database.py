"""A Dataset from a database: from a probe's answer to the Job."""

import base64
import json
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, World, once, summary, until_quiet
from tests.unit.dataset.scene import RESULT, leave_result, process

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.dataset.database_probe import DatabaseProbe
from tidemill.dataset.observed import Listing, SourceProblem
from tidemill.dataset.plan import ingest_key
from tidemill.kube.resources import JOBS, SECRETS

KIND, NAME = "Dataset", "d"
SQL: dict[str, Any] = {
    "engine": "PostgreSQL",
    "host": "db.example.org",
    "database": "plant",
    "query": "SELECT 1 AS a",
    "credentialsRef": {"name": "keys"},
}
KEYS = {"username": "ann", "password": "hush"}


class Database:
    """What the probe is answered, and how often it asked."""

    answer: Listing | SourceProblem = Listing("f-1", 1, 0, weak=True, snapshot=True)
    asked: int = 0


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    found = Database()

    async def ask(probe: DatabaseProbe, sql: object) -> Listing | SourceProblem:  # noqa: ARG001
        assert (probe.login.username, probe.login.password) == ("ann", "hush")
        found.asked += 1
        return found.answer

    monkeypatch.setattr(DatabaseProbe, "ask", ask)
    return found


def put_secret(world: World, values: dict[str, str]) -> None:
    data = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
    metadata = {"name": "keys", "namespace": NAMESPACE}
    world.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


def put(world: World, **changes: Any) -> dict[str, Any]:
    put_secret(world, KEYS)
    return world.put(KIND, NAME, {"source": {"sql": {**SQL, **changes}}})


async def run(world: World) -> None:
    await until_quiet(world, process(world)(), KIND, NAME)


async def succeed(world: World) -> None:
    leave_result(world, world.job(), RESULT)
    world.end_job(world.job(), "Complete")
    await run(world)


def given(world: World) -> dict[str, Any]:
    """Give the input document of the Job, as its pod reads it."""
    [secret] = [s for s in world.api.all(SECRETS) if "input.json" in s["data"]]
    document: dict[str, Any] = json.loads(base64.b64decode(secret["data"]["input.json"]))
    return document


async def test_the_job_is_told_where_and_not_with_what(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    world.networks = ("127.0.0.0/8",)
    body = put(world, maxSize="1Ki", watermark="a", tls="Require", port=6432)
    await run(world)
    assert given(world)["source"] == {
        "kind": "Sql",
        "host": "db.example.org",
        "port": 6432,
        "database": "plant",
        "query": "SELECT 1 AS a",
        "tls": "Require",
        "maxBytes": 1024,
        "secret": "keys",
        "allowedNetworks": ["127.0.0.0/8"],
        "apiServer": "10.96.0.1",
    }
    volumes = world.job()["spec"]["template"]["spec"]["volumes"]
    [mounted] = [volume for volume in volumes if volume["name"] == "source"]
    assert mounted["secret"]["secretName"] == "keys"
    assert "hush" not in json.dumps([world.job(), given(world), body["status"]])


async def test_without_a_watermark_nothing_settles_and_a_request_reads_anew(
    world: World,
) -> None:
    body = put(world)
    await run(world)
    await succeed(world)
    assert summary(body)["status"] == "True"
    result = await once(process(world)(), KIND, NAME)
    assert result is not None
    assert result.requeue_after is not None  # wrong rights or columns still show
    world.request(body, "now")
    await run(world)
    assert world.job()["metadata"]["annotations"]["tidemill.dev/attempt"] == "2"
    await succeed(world)
    assert (body["status"]["ingest"]["attempts"], summary(body)["status"]) == (2, "True")


async def test_a_schedule_reads_anew_what_only_a_reading_tells(
    world: World, database: Database
) -> None:
    body = put(world)
    world.edit(body, source={"sql": SQL}, refresh={"schedule": "0 * * * *"})
    await run(world)
    world.wait(3700)  # a time comes while the first Job reads: it has not seen what came since
    await succeed(world)
    assert world.job()["metadata"]["annotations"]["tidemill.dev/attempt"] == "2"
    await succeed(world)
    assert (body["status"]["ingest"]["attempts"], summary(body)["status"]) == (2, "True")
    asked = database.asked
    await run(world)
    assert database.asked == asked  # between two times nobody asks
    world.wait(3600)
    await run(world)
    assert world.job()["metadata"]["annotations"]["tidemill.dev/attempt"] == "3"


async def test_with_a_watermark_rows_settle_first(world: World, database: Database) -> None:
    database.answer = Listing("f-1", 1, 0, snapshot=True)
    body = put(world, watermark="a")
    await once(process(world)(), KIND, NAME)
    assert summary(body)["reason"] == "Settling"
    assert world.api.all(JOBS) == []
    world.wait(30)
    await run(world)
    assert summary(body)["reason"] == "Ingesting"


async def test_a_table_that_is_always_written_to_is_read_to_its_end(
    world: World, database: Database
) -> None:
    database.answer = Listing("f-1", 1, 0, snapshot=True)
    body = put(world, watermark="a")
    world.edit(body, source={"sql": {**SQL, "watermark": "a"}}, refresh={"settlePeriod": "0s"})
    await run(world)
    first = world.job()["metadata"]["name"]
    asked = database.asked
    database.answer = Listing("f-2", 1, 0, snapshot=True)
    await run(world)
    assert (world.job()["metadata"]["name"], database.asked) == (first, asked)
    await succeed(world)
    await run(world)
    assert given(world)["fingerprint"] == "f-2"
    assert body["status"]["version"] == RESULT["version"]


async def test_another_query_ends_the_job(world: World, database: Database) -> None:
    body = put(world)
    await run(world)
    database.answer = Listing("f-2", 1, 0, weak=True, snapshot=True)
    world.edit(body, source={"sql": {**SQL, "query": "SELECT 2 AS b"}})
    await run(world)
    document = given(world)
    assert (document["source"]["query"], document["fingerprint"]) == ("SELECT 2 AS b", "f-2")


@pytest.mark.parametrize(
    ("values", "reason", "words"),
    [
        (None, "SecretMissing", "spec.source.sql.credentialsRef names the Secret keys"),
        ({"username": "ann"}, "SecretInvalid", "lacks the key password"),
        ({"username": "", "password": "hush"}, "SecretInvalid", "lacks the key username"),
    ],
)
async def test_a_secret_that_opens_nothing(
    world: World, values: dict[str, str] | None, reason: str, words: str
) -> None:
    if values is not None:
        put_secret(world, values)
    body = world.put(KIND, NAME, {"source": {"sql": SQL}})
    await run(world)
    assert (summary(body)["reason"], words in summary(body)["message"]) == (reason, True)


async def test_a_query_that_is_refused_starts_no_job_and_heals(
    world: World, database: Database
) -> None:
    good, database.answer = database.answer, SourceProblem(Reason.QUERY_INVALID, "no such table")
    body = put(world)
    await run(world)
    assert summary(body)["reason"] == "QueryInvalid"
    assert world.api.all(JOBS) == []
    database.answer = good
    await run(world)
    assert summary(body)["reason"] == "Ingesting"


def key(**changes: Any) -> str:
    return ingest_key(DatasetSpec.model_validate({"source": {"sql": {**SQL, **changes}}}), "f")


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"credentialsRef": {"name": "others"}}, True),
        ({"port": 5432, "tls": "VerifyFull", "maxSize": "10Gi"}, True),
        ({"query": "SELECT 2 AS a"}, False),
        ({"watermark": "a"}, False),
        ({"host": "other.example.org"}, False),
    ],
    ids=["keys", "defaults", "query", "watermark", "host"],
)
def test_the_key_is_of_what_is_read(changes: dict[str, Any], same: bool) -> None:
    assert (key(**changes) == key()) is same
