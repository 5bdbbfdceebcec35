"""What a run has left, to whom it is given, and that no address leads elsewhere."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from tests.unit.data_api.bucket import Bucket, Reviewer

from tidemill.data_api.readers import Readers
from tidemill.data_api.routes import DataRoutes
from tidemill.data_api.runs import RunRoutes
from tidemill.store.objects import Unavailable

UID = "0a1b2c3d-0000-4000-8000-000000000001"
GOOD = "good-team"
PLACE = f"/v1/namespaces/team/runs/{UID}/job-1"
Http = TestClient[web.Request, web.Application]


@pytest.fixture
def bucket() -> Bucket:
    made = Bucket()
    for namespace in ("team", "other"):
        for name in ("report.html", "log.gz", "result.json", "input.json"):
            made.put(f"runs/{namespace}/{UID}/job-1/{name}", f"{namespace} {name}".encode())
    made.put("runs/team/cache/job-1/report.html", b"cache")
    return made


@pytest.fixture
async def http(bucket: Bucket) -> AsyncIterator[Http]:
    app = web.Application()
    app.add_routes(RunRoutes(DataRoutes(bucket, Readers(Reviewer()), ("team",))).routes())
    async with TestClient(TestServer(app)) as client:
        yield client


async def ask(http: Http, path: str, token: str = GOOD) -> ClientResponse:
    return await http.get(path, headers={"X-Tidemill-Token": token})


@pytest.mark.parametrize(
    ("part", "file"), [("report", "report.html"), ("log", "log.gz"), ("result", "result.json")]
)
async def test_its_files_are_given_as_files(http: Http, part: str, file: str) -> None:
    answer = await ask(http, f"{PLACE}/{part}")
    assert (answer.status, await answer.read()) == (200, f"team {file}".encode())
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        (f"{PLACE}/report", "", 401),
        (f"{PLACE}/report", "bad", 401),
        (f"{PLACE}/report", "good-other", 403),
        (f"/v1/namespaces/other/runs/{UID}/job-1/report", "good-team", 403),
        (f"/v1/namespaces/other/runs/{UID}/job-1/report", "good-other", 404),
        (f"{PLACE}/input", "good-team", 404),
        ("/v1/namespaces/team/runs/cache/job-1/report", "good-team", 400),
        (f"/v1/namespaces/team/runs/{UID}/..%2F..%2Fother/report", "good-team", 400),
        (f"/v1/namespaces/team/runs/%2E%2E%2Fother%2F{UID}/job-1/report", "good-team", 400),
        (f"/v1/namespaces/team/runs/{UID}/Job/report", "good-team", 400),
        (f"/v1/namespaces/team/runs/{UID}/job-2/report", "good-team", 404),
        (f"/v1/namespaces/TEAM/runs/{UID}/job-1/report", "good-team", 400),
    ],
)
async def test_nobody_is_given_more(http: Http, path: str, token: str, status: int) -> None:
    answer = await ask(http, path, token)
    assert answer.status == status
    assert b"other report" not in await answer.read()


async def test_nothing_is_written_or_removed(http: Http) -> None:
    for method in ("PUT", "POST", "DELETE", "HEAD"):
        answer = await http.request(method, f"{PLACE}/report")
        assert answer.status == 405


async def test_a_store_that_is_away_is_told(http: Http, bucket: Bucket) -> None:
    bucket.fault = Unavailable("http://store:9000 is away")
    answer = await ask(http, f"{PLACE}/report")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert b"store:9000" not in await answer.read()


async def test_who_finds_no_slot_free_is_told_to_come_back(bucket: Bucket) -> None:
    data = DataRoutes(bucket, Readers(Reviewer()))
    app = web.Application()
    app.add_routes(RunRoutes(data).routes())
    async with TestClient(TestServer(app)) as client:
        data.slots.per_namespace = 0
        assert (await ask(client, f"{PLACE}/report")).status == 429
