"""What the data port gives, to whom, and what it never does."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from tests.unit.data_api.bucket import Bucket, Reviewer, digest_of

from tidemill.data_api import contents, routes, versions
from tidemill.data_api.readers import Readers
from tidemill.data_api.routes import DataRoutes
from tidemill.data_api.slots import Slots
from tidemill.store import digests, layout, manifest
from tidemill.store.manifest import Place
from tidemill.store.objects import AccessDenied, Unavailable

GOOD = "good-team"
ROOT = "/v1/namespaces/team/datasets/power/versions"
Http = TestClient[web.Request, web.Application]


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def data(bucket: Bucket) -> DataRoutes:
    return DataRoutes(bucket, Readers(Reviewer()))


@pytest.fixture
async def http(data: DataRoutes) -> AsyncIterator[Http]:
    app = web.Application()
    app.add_routes(data.routes())
    async with TestClient(TestServer(app)) as client:
        yield client


async def ask(http: Http, path: str, token: str = GOOD) -> ClientResponse:
    return await http.get(path, headers={"X-Tidemill-Token": token})


async def told(answer: ClientResponse) -> str:
    return str((await answer.json())["error"])


def hexed(version: str) -> str:
    return version.removeprefix("sha256:")


async def test_versions_are_listed_newest_first_and_only_whole_ones(
    bucket: Bucket, http: Http
) -> None:
    first = bucket.version({"a.csv": b"1"}, why="Created", checks=[{"secret": "long"}])
    rejected = {"reason": "ChecksFailed", "message": "spec.checks[0]"}
    second = bucket.version({"a.csv": b"2"}, why="SourceChanged", rejected=rejected)
    half = bucket.version({"a.csv": b"3"})
    del bucket.objects[layout.manifest_key("team", "power", half)]
    bucket.version({"a.csv": b"4"}, place=("team", "other"))
    bucket.version({"a.csv": b"5"}, place=("other", "power"))
    found = await (await ask(http, ROOT)).json()
    assert [item["version"] for item in found["items"]] == [second, first]
    assert found["remaining"] == 0
    assert found["items"][0]["rejected"] == rejected
    assert found["items"][1]["why"] == "Created"
    assert "checks" not in found["items"][1]
    assert found["items"][0]["recordedAt"] > found["items"][1]["recordedAt"]
    assert set(bucket.listed) == {"datasets/team/power/versions/", "datasets/team/power/manifests/"}


async def test_pages_follow_each_other(bucket: Bucket, http: Http) -> None:
    made = [bucket.version({"a": str(n).encode()}) for n in range(5)][::-1]
    seen: list[str] = []
    query = "limit=2"
    while query:
        page = await (await ask(http, f"{ROOT}?{query}")).json()
        seen += [item["version"] for item in page["items"]]
        query = f"limit=2&continue={page['continue']}" if "continue" in page else ""
    assert seen == made


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "continue=x"])
async def test_a_page_that_cannot_be_is_refused(http: Http, query: str) -> None:
    assert (await ask(http, f"{ROOT}?{query}")).status == 400


async def test_a_record_that_cannot_be_read_is_a_version_all_the_same(
    bucket: Bucket, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = bucket.version({"a": b"1"}, why="Created", more="x" * 1000)
    monkeypatch.setattr(versions, "MAX_RECORD", 100)
    (item,) = (await (await ask(http, ROOT)).json())["items"]
    assert item == {"version": version, "recordedAt": item["recordedAt"]}


async def test_each_part_comes_as_it_lies_there(bucket: Bucket, http: Http) -> None:
    version = bucket.version({"a.csv": b"one"}, profile=b"the profile")
    for part, key in (
        ("record", layout.record_key),
        ("manifest", layout.manifest_key),
        ("profile", layout.profile_key),
        ("report", layout.report_key),
    ):
        answer = await ask(http, f"{ROOT}/{version}/{part}")
        assert await answer.read() == bucket.objects[key("team", "power", version)]
        assert answer.status == 200
        # A page would be rewritten on its way, and shown as the API server's own.
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    schema = json.loads(await (await ask(http, f"{ROOT}/{version}/schema")).read())
    assert schema["columns"] == [{"name": "a", "type": "Integer", "nullable": False}]


async def test_objects_that_the_manifest_names_are_given_and_no_others(
    bucket: Bucket, http: Http
) -> None:
    large = b"x" * 3_000_000
    version = bucket.version({"a.csv": b"one", "empty": b"", "large": large})
    other = bucket.version({"b.csv": b"two"})
    for content in (b"one", b"", large):
        answer = await ask(http, f"{ROOT}/{version}/objects/{hexed(digest_of(content))}")
        assert (answer.status, await answer.read()) == (200, content)
        assert answer.content_length == len(content)
    foreign = hexed(digest_of(b"two"))
    assert (await ask(http, f"{ROOT}/{version}/objects/{foreign}")).status == 404
    assert (await ask(http, f"{ROOT}/{other}/objects/{foreign}")).status == 200
    manifest = layout.manifest_key("team", "power", version)
    assert bucket.reads.count(manifest) == 1, "read once, however many objects are asked for"


async def test_objects_that_were_not_copied_are_said_to_be_elsewhere(
    bucket: Bucket, http: Http
) -> None:
    version = bucket.version({"a.csv": b"one"})
    key = layout.manifest_key("team", "power", version)
    left = manifest.parse(bucket.objects[key])
    place = Place("https://s3.example", "", "raw", "in/", path_style=True)
    bucket.put(key, replace(left, place=place).to_bytes())
    answer = await ask(http, f"{ROOT}/{version}/objects/{hexed(digest_of(b'one'))}")
    assert answer.status == 409
    assert "s3://raw/in/" in await told(answer)
    assert (await ask(http, f"{ROOT}/{version}/schema")).status == 200


async def test_what_is_kept_of_manifests_is_bounded(
    bucket: Bucket, http: Http, data: DataRoutes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "MAX_KEPT", 3)
    for n in range(4):
        version = bucket.version({f"{n}{part}": f"{n}{part}".encode() for part in "ab"})
        digest = hexed(digest_of(f"{n}a".encode()))
        assert (await ask(http, f"{ROOT}/{version}/objects/{digest}")).status == 200
    assert len(data.manifests._kept) == 1
    monkeypatch.setattr(contents, "MAX_MANIFEST", 10)
    version = bucket.version({"c": b"c"})
    answer = await ask(http, f"{ROOT}/{version}/objects/{hexed(digest_of(b'c'))}")
    assert answer.status == 413


@pytest.mark.parametrize("damage", [b"not json\n", b'{"v":1}\n', b'{"schema":"../x"}\n', b"[]\n"])
async def test_a_damaged_manifest_names_nothing(bucket: Bucket, http: Http, damage: bytes) -> None:
    version = bucket.version({"a": b"1"})
    bucket.put(layout.manifest_key("team", "power", version), damage)
    answer = await ask(http, f"{ROOT}/{version}/objects/{hexed(digest_of(b'1'))}")
    assert (answer.status, await told(answer)) == (502, "the manifest of the version is damaged")


async def test_the_first_digits_are_enough_where_they_name_one(bucket: Bucket, http: Http) -> None:
    one, two = bucket.version({"a": b"1"}), bucket.version({"a": b"2"})
    answer = await ask(http, f"{ROOT}/{hexed(one)[:6]}/report")
    assert await answer.read() == b"<html>report</html>"
    twin = digests.PREFIX + hexed(two)[:10] + "0" * 54
    bucket.put(layout.record_key("team", "power", twin), b"{}")
    bucket.put(layout.manifest_key("team", "power", twin), b"{}")
    answer = await ask(http, f"{ROOT}/{hexed(two)[:8]}/report")
    assert answer.status == 409
    assert hexed(two)[:16] in await told(answer)
    assert (await ask(http, f"{ROOT}/{hexed(two)[:12]}/report")).status == 200
    assert (await ask(http, f"{ROOT}/ffffff/report")).status == 404


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        pytest.param(ROOT, "", 401, id="no token"),
        pytest.param(ROOT, "bad", 401, id="no good token"),
        pytest.param(ROOT, "good-other", 403, id="of another namespace"),
        pytest.param(ROOT.replace("team", "Team"), "good-team", 400, id="no namespace"),
        pytest.param(ROOT.replace("power", "po%2Fwer"), "good-team", 400, id="a slash in the name"),
        pytest.param(ROOT.replace("power", "..%2F.."), "good-team", 400, id="dots in the name"),
        pytest.param(f"{ROOT}/abc/report", "good-team", 400, id="too few digits"),
        pytest.param(f"{ROOT}/latest/report", "good-team", 400, id="a word for a version"),
        pytest.param(f"{ROOT}/{'0' * 64}/report", "good-team", 404, id="no such version"),
        pytest.param(f"{ROOT}/{'0' * 64}/schema", "good-team", 404, id="no schema either"),
        pytest.param(f"{ROOT}/{'0' * 64}/objects/x", "good-team", 400, id="no digest"),
        pytest.param(f"{ROOT}/{'0' * 64}/secrets", "good-team", 404, id="no such part"),
        pytest.param("/v1/namespaces/team/datasets", "good-team", 404, id="no such route"),
        pytest.param("/metrics", "good-team", 404, id="no metrics on this port"),
    ],
)
async def test_what_is_refused(http: Http, path: str, token: str, status: int) -> None:
    assert (await http.get(path, headers={"X-Tidemill-Token": token})).status == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD"])
async def test_nothing_but_get(http: Http, method: str) -> None:
    answer = await http.request(method, ROOT, headers={"X-Tidemill-Token": "good-team"})
    assert answer.status == 405


async def test_only_namespaces_served_are_shown(bucket: Bucket) -> None:
    app = web.Application()
    app.add_routes(DataRoutes(bucket, Readers(Reviewer()), ("served",)).routes())
    async with TestClient(TestServer(app)) as http:
        assert (await ask(http, ROOT)).status == 404
        served = ROOT.replace("team", "served")
        assert (await ask(http, served, "good-served")).status == 200


@pytest.mark.parametrize(
    ("fault", "retry", "words"),
    [
        (Unavailable("s3://tidemill at http://minio:9000 is away"), "5", "try again"),
        (AccessDenied("s3://tidemill at http://minio:9000 refuses"), None, "administrator"),
    ],
)
async def test_a_store_that_fails_is_told_without_its_address(
    bucket: Bucket, http: Http, fault: Exception, retry: str | None, words: str
) -> None:
    version = bucket.version({"a": b"1"})
    bucket.fault = fault
    answer = await ask(http, f"{ROOT}/{version}/report")
    assert (answer.status, answer.headers.get("Retry-After")) == (503, retry)
    assert words in await told(answer)
    assert "minio" not in await told(answer)


async def test_a_stream_that_breaks_is_not_taken_for_whole(bucket: Bucket, http: Http) -> None:
    version = bucket.version({"a": b"x" * 2_500_000})

    async def broken(key: str, *, chunk: int) -> AsyncIterator[bytes]:
        yield bucket.objects[key][:chunk]
        raise Unavailable("reset")

    digest = hexed(digest_of(b"x" * 2_500_000))
    await ask(
        http, f"{ROOT}/{version}/objects/{hexed(digest_of(b'none'))}"
    )  # the manifest is known
    bucket.stream = broken  # type: ignore[method-assign]
    answer = await ask(http, f"{ROOT}/{version}/objects/{digest}")
    with pytest.raises(Exception, match=r"payload|reset|closed|content"):
        await answer.read()


async def test_downloads_are_few_at_a_time_in_all_and_for_each_namespace() -> None:
    slots = Slots(total=3, per_namespace=2)

    def whose(*held: str) -> Any:
        if not held:
            return "served"
        with slots.taken(held[0]):
            return whose(*held[1:])

    assert whose("a", "a", "b") == "served"
    with pytest.raises(routes.Refusal) as refused:
        whose("a", "a", "a")
    assert (refused.value.status, refused.value.headers()) == (429, {"Retry-After": "2"})
    assert "namespace a" in refused.value.message
    with pytest.raises(routes.Refusal, match="in all"):
        whose("a", "a", "b", "b")
    assert not slots._taken, "every slot was given back"


async def test_who_finds_no_slot_free_is_told_to_come_back(http: Http, data: DataRoutes) -> None:
    data.slots = Slots(total=0)
    answer = await ask(http, ROOT)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "2")
    data.slots = Slots()
    assert (await ask(http, ROOT)).status == 200
