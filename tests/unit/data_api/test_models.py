"""Packages of models: to whom their files are given, and that no address leads elsewhere."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from tests.unit.data_api.bucket import Bucket, Reviewer

from tidemill.data_api.models import MAX_LISTED, ModelRoutes
from tidemill.data_api.readers import Readers
from tidemill.data_api.routes import DataRoutes
from tidemill.store.objects import Unavailable

HEX = "a" * 64
PLACE = f"/v1/namespaces/team/models/late/{HEX}"
KEY = f"models/team/late/{HEX}/"
GOOD = "good-team"
Http = TestClient[web.Request, web.Application]


@pytest.fixture
def bucket() -> Bucket:
    made = Bucket()
    for namespace in ("team", "other"):
        for name in ("manifest.json", "model.skops", "model.sig", "card.md", "strange.txt"):
            made.put(f"models/{namespace}/late/{HEX}/{name}", f"{namespace} {name}".encode())
    made.put(f"models/team/late/{HEX[:-1]}b/secret", b"another package")
    return made


@pytest.fixture
async def http(bucket: Bucket) -> AsyncIterator[Http]:
    app = web.Application()
    app.add_routes(ModelRoutes(DataRoutes(bucket, Readers(Reviewer()), ("team",))).routes())
    async with TestClient(TestServer(app)) as client:
        yield client


async def ask(http: Http, path: str, token: str = GOOD) -> ClientResponse:
    return await http.get(path, headers={"X-Tidemill-Token": token})


@pytest.mark.parametrize("name", ["manifest.json", "model.skops", "model.sig", "card.md"])
async def test_its_files_are_given_as_files(http: Http, name: str) -> None:
    answer = await ask(http, f"{PLACE}/files/{name}")
    assert (answer.status, await answer.read()) == (200, f"team {name}".encode())
    assert answer.headers["Content-Type"] == "application/octet-stream"


async def test_all_that_lies_there_is_listed_and_nothing_else(http: Http) -> None:
    listed = (await (await ask(http, f"{PLACE}/files")).json())["files"]
    assert [one["name"] for one in listed] == [
        *("card.md", "manifest.json", "model.sig", "model.skops", "strange.txt")
    ]
    assert listed[0]["size"] == len("team card.md")


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        (f"{PLACE}/files", "", 401),
        (f"{PLACE}/files/card.md", "bad", 401),
        (f"{PLACE}/files", "good-other", 403),
        (f"/v1/namespaces/other/models/late/{HEX}/files", "good-team", 403),
        (f"/v1/namespaces/other/models/late/{HEX}/files/card.md", "good-other", 404),
        (f"{PLACE}/files/strange.txt", "good-team", 400),
        (f"{PLACE}/files/%2e%2e%2fmanifest.json", "good-team", 400),
        (f"{PLACE}/files/lineage.json", "good-team", 404),
        (f"/v1/namespaces/team/models/late/{HEX[:-1]}/files", "good-team", 400),
        (f"/v1/namespaces/team/models/late/{HEX.upper()}/files", "good-team", 400),
        (f"/v1/namespaces/team/models/..%2fother%2flate/{HEX}/files", "good-team", 400),
        (f"/v1/namespaces/team/models/a..b/{HEX}/files", "good-team", 400),
        (f"/v1/namespaces/team/models/none/{HEX}/files", "good-team", 404),
    ],
)
async def test_who_asks_wrongly_gets_nothing(
    http: Http, path: str, token: str, status: int
) -> None:
    answer = await ask(http, path, token)
    assert answer.status == status
    assert set(await answer.json()) == {"error"} if answer.content_type.endswith("json") else True


async def test_a_place_with_too_much_in_it_is_said_to_be_one(http: Http, bucket: Bucket) -> None:
    for number in range(MAX_LISTED + 1):
        bucket.put(f"{KEY}{number}", b"")
    assert (await ask(http, f"{PLACE}/files")).status == 413


async def test_a_store_that_is_away(http: Http, bucket: Bucket) -> None:
    bucket.fault = Unavailable("away")
    assert (await ask(http, f"{PLACE}/files")).status == 503
