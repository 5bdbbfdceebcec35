"""A Dataset from the spec itself and from a web server: from the change to the Job."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, World, once, summary, until_quiet
from tests.unit.dataset.scene import RESULT, VERSION, cluster, leave_result, process
from tests.unit.web.site import LOCAL, Page, Site

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.children.ownership import OUTSIDE
from tidemill.dataset.plan import ingest_key
from tidemill.kube.resources import JOBS, SECRETS
from tidemill.store import digests

KIND, NAME = "Dataset", "d"
CHECKSUM = "sha256:" + "c" * 64
PATH = "/data.csv"
INLINE: dict[str, Any] = {"source": {"inline": {"format": "CSV", "data": "a,b\n1,\u00fc\n"}}}


@pytest.fixture
def open_world(world: World) -> World:
    world.networks = LOCAL
    return world


@pytest.fixture(autouse=True)
def page(site: Site) -> Page:
    return site.pages.setdefault(PATH, Page())


def http(site: Site, **changes: Any) -> dict[str, Any]:
    return {"source": {"http": {"url": site.url(PATH), "format": "CSV", **changes}}}


async def run(world: World) -> None:
    await until_quiet(world, process(world)(), KIND, NAME)


async def settled(world: World) -> None:
    await run(world)
    world.wait(10)
    await run(world)


async def succeed(world: World, **result: Any) -> None:
    leave_result(world, world.job(), {**RESULT, **result})
    world.end_job(world.job(), "Complete")
    await run(world)


def given(world: World) -> dict[str, Any]:
    """Give the input document of the Job, as its pod reads it."""
    data = world.api.one(SECRETS)["data"]
    assert sum(len(base64.b64decode(value)) for value in data.values()) < 1024 * 1024
    document: dict[str, Any] = json.loads(base64.b64decode(data["input.json"]))
    return document


async def test_inline_data_reach_the_runner_at_once_and_rest(world: World) -> None:
    body = world.put(KIND, NAME, INLINE)
    await run(world)  # nothing settles
    data = INLINE["source"]["inline"]["data"].encode()
    document = given(world)
    assert document["source"]["kind"] == "Inline"
    assert base64.b64decode(document["source"]["data"]) == data
    assert document["fingerprint"] == digests.sha256_digest(data)
    await succeed(world)
    assert (summary(body)["status"], body["status"]["source"]["bytes"]) == ("True", len(data))
    result = await once(process(world)(), KIND, NAME)
    assert result is not None
    assert result.requeue_after is None


async def test_inline_data_that_change_are_ingested_anew(world: World) -> None:
    body = world.put(KIND, NAME, INLINE)
    await run(world)
    await succeed(world)
    first = world.job()["metadata"]["name"]
    world.edit(body, source={"inline": {"format": "CSV", "data": "a\n2\n"}})
    await run(world)
    assert world.job()["metadata"]["name"] != first
    assert body["status"]["version"] == VERSION


@pytest.mark.parametrize("letter", ["x", "\u0001", "\u00fc", '"', "\u6f22", "\U0001f600"])
async def test_the_most_inline_data_fit_into_a_secret(world: World, letter: str) -> None:
    most = 256 * 1024 // len(letter.encode())
    world.put(KIND, NAME, {"source": {"inline": {"format": "CSV", "data": letter * most}}})
    await run(world)
    assert len(base64.b64decode(given(world)["source"]["data"])) > 256 * 1024 - 4


async def test_what_the_runner_is_told_of_a_url(open_world: World, site: Site) -> None:
    open_world.put(KIND, NAME, http(site, maxSize="2Gi"))
    await settled(open_world)
    assert given(open_world)["source"] == {
        "kind": "Http",
        "url": site.url(PATH),
        "format": "CSV",
        "checksum": None,
        "maxBytes": 2 << 30,
        "secret": None,
        "allowedNetworks": list(LOCAL),
    }
    pod = open_world.job()["spec"]["template"]
    assert OUTSIDE.items() <= pod["metadata"]["labels"].items()


async def test_a_url_is_polled_and_ingested_when_it_changes(open_world: World, site: Site) -> None:
    body = open_world.put(KIND, NAME, http(site))
    await run(open_world)
    assert summary(body)["reason"] == "Settling"
    open_world.wait(10)
    await run(open_world)
    await succeed(open_world)
    result = await once(process(open_world)(), KIND, NAME)
    assert result is not None
    assert result.requeue_after == 60.0
    site.pages[PATH].etag = '"two"'
    await settled(open_world)
    assert summary(body)["reason"] == "Ingesting"


async def ingested(world: World, spec: dict[str, Any]) -> dict[str, Any]:
    body = world.put(KIND, NAME, spec)
    await settled(world)
    await succeed(world)
    assert summary(body)["status"] == "True"
    return body


@pytest.mark.parametrize(("etag", "again"), [('"one"', False), (None, True)], ids=["tag", "none"])
async def test_a_reconcile_asked_for_reads_anew_what_nothing_tells_apart(
    open_world: World, site: Site, etag: str | None, again: bool
) -> None:
    site.pages[PATH] = Page(etag=etag, modified=None)
    body = await ingested(open_world, http(site))
    first = open_world.job()["metadata"]["name"]
    open_world.request(body, "now")
    await run(open_world)
    assert (open_world.job()["metadata"]["name"] != first) is again
    assert (summary(body)["reason"] == "Ingesting") is again
    if again:
        other = "sha256:" + "2" * 64
        await succeed(open_world, version=other)
        assert (body["status"]["version"], body["status"]["ingest"]["attempts"]) == (other, 2)
    before = len(open_world.api.writes)
    await run(open_world)
    assert len(open_world.api.writes) == before


@pytest.mark.parametrize("n", range(1, 7))
async def test_reading_anew_is_done_once_whenever_the_operator_is_killed(
    new_world: Callable[[], World], site: Site, n: int
) -> None:
    world = new_world()
    world.networks = LOCAL
    site.pages[PATH] = Page(etag=None, modified=None)
    body = await ingested(world, http(site))
    world.request(body, "now")
    world.api.die_at = len(world.api.writes) + n
    await run(world)
    await succeed(world)
    assert summary(body)["status"] == "True"
    assert body["status"]["ingest"]["attempts"] == 2
    assert [name.split()[0] for name in world.api.created].count("Job") == 2
    assert (len(world.api.all(JOBS)), len(world.api.all(SECRETS))) == (1, 1)


async def test_with_a_checksum_the_url_is_looked_at_once(open_world: World, site: Site) -> None:
    body = open_world.put(KIND, NAME, http(site, checksum=CHECKSUM))
    await run(open_world)
    assert given(open_world)["fingerprint"] == CHECKSUM
    await succeed(open_world)
    asked = len(site.requests)
    del site.pages[PATH]
    result = await once(process(open_world)(), KIND, NAME)
    assert result is not None
    assert result.requeue_after is None
    assert (summary(body)["status"], len(site.requests)) == ("True", asked)


TROUBLE: dict[str, tuple[Page | None, str, bool]] = {
    "missing": (None, "SourceMissing", False),
    "denied": (Page(status=403), "AccessDenied", False),
    "away": (Page(status=503), "SourceUnavailable", True),
}


@pytest.mark.parametrize("case", TROUBLE)
async def test_trouble_is_told_once_and_heals(open_world: World, site: Site, case: str) -> None:
    page, reason, passing = TROUBLE[case]
    del site.pages[PATH]
    site.pages |= {PATH: page} if page else {}
    body = open_world.put(KIND, NAME, http(site))
    for _ in range(3):
        await once(process(open_world)(), KIND, NAME)
    assert summary(body)["reason"] == reason
    kinds = {condition["type"] for condition in body["status"]["conditions"]}
    assert kinds == {"Ready", "Reconciling" if passing else "Stalled"}
    assert len(open_world.api.writes) == 1
    site.pages[PATH] = Page()
    await settled(open_world)
    assert summary(body)["reason"] == "Ingesting"


async def test_an_address_inside_is_refused_until_it_is_allowed(world: World, site: Site) -> None:
    body = world.put(KIND, NAME, http(site))
    await run(world)
    assert summary(body)["reason"] == "AddressForbidden"
    assert "TIDEMILL_HTTP_ALLOWED_NETWORKS" in summary(body)["message"]
    assert site.requests == []
    world.networks = LOCAL
    await settled(world)
    assert summary(body)["reason"] == "Ingesting"


async def test_a_file_too_large_starts_no_job(open_world: World, site: Site) -> None:
    body = open_world.put(KIND, NAME, http(site, maxSize="11"))
    await run(open_world)
    assert summary(body)["reason"] == "SpecInvalid"
    assert "has 12 bytes, more than the 11 bytes" in summary(body)["message"]
    open_world.edit(body, **http(site, maxSize=12))
    await settled(open_world)
    assert len(open_world.api.all(JOBS)) == 1


def put_secret(world: World, **values: str) -> None:
    data = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
    metadata = {"name": "keys", "namespace": NAMESPACE}
    world.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


@pytest.mark.parametrize(
    ("values", "reason", "words"),
    [
        (None, "SecretMissing", "spec.source.http.headersRef names the Secret keys"),
        ({}, "SecretInvalid", "the Secret keys has no keys"),
        ({"Host": "hush"}, "SecretInvalid", "the key Host of the Secret keys"),
        ({"X": "hush\nY: z"}, "SecretInvalid", "the key X of the Secret keys"),
        ({"Authorization": "hush"}, "AccessDenied", "correct the Secret keys"),
    ],
    ids=["missing", "empty", "not theirs", "two lines", "wrong"],
)
async def test_a_secret_that_does_not_open_it_is_told(
    open_world: World, site: Site, values: dict[str, str] | None, reason: str, words: str
) -> None:
    site.pages[PATH] = Page(needs=("Authorization", "Bearer x"))
    if values is not None:
        put_secret(open_world, **values)
    body = open_world.put(KIND, NAME, http(site, headersRef={"name": "keys"}))
    await run(open_world)
    assert summary(body)["reason"] == reason
    assert words in summary(body)["message"]
    assert "hush" not in json.dumps(body["status"])


async def test_the_secret_is_sent_and_mounted(open_world: World, site: Site) -> None:
    site.pages[PATH] = Page(needs=("Authorization", "Bearer x"))
    put_secret(open_world, Authorization="Bearer x\n")
    open_world.put(KIND, NAME, http(site, headersRef={"name": "keys"}))
    await settled(open_world)
    volumes = open_world.job()["spec"]["template"]["spec"]["volumes"]
    [mounted] = [volume for volume in volumes if volume["name"] == "source"]
    assert mounted["secret"]["secretName"] == "keys"
    assert "Bearer" not in json.dumps(open_world.job())


async def test_the_deadline_names_the_field_of_the_source(open_world: World, site: Site) -> None:
    body = open_world.put(KIND, NAME, http(site))
    await settled(open_world)
    open_world.end_job(open_world.job(), "Failed", "DeadlineExceeded")
    await run(open_world)
    assert "spec.source.http.url" in summary(body)["message"]
    assert "s3" not in summary(body)["message"]


async def test_a_job_that_finds_no_server_is_tried_again(open_world: World, site: Site) -> None:
    body = open_world.put(KIND, NAME, http(site))
    await settled(open_world)
    told = json.dumps({"reason": "SourceUnavailable", "message": "away"})
    labels = {"batch.kubernetes.io/controller-uid": open_world.job()["metadata"]["uid"]}
    state = {"terminated": {"exitCode": 30, "message": told}}
    status = {"phase": "Failed", "containerStatuses": [{"name": "runner", "state": state}]}
    metadata = {"name": "pod", "namespace": NAMESPACE, "labels": labels}
    open_world.api.put(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": status}
    )
    open_world.end_job(open_world.job(), "Failed", "BackoffLimitExceeded")
    await run(open_world)
    assert summary(body)["message"] == "away; attempt 2 of 5 follows"
    open_world.wait(10)
    await run(open_world)
    cluster(open_world)()
    await run(open_world)
    assert summary(body)["status"] == "True"


def key(**source: Any) -> str:
    return ingest_key(DatasetSpec.model_validate({"source": source}), "f")


URL = {"url": "https://x.test/a", "format": "CSV"}


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"headersRef": {"name": "k"}}, True),
        ({"maxSize": "10Gi"}, True),
        ({"maxSize": "1Gi"}, False),
        ({"url": "https://x.test/b"}, False),
        ({"format": "Parquet"}, False),
        ({"checksum": CHECKSUM}, False),
    ],
    ids=["headers", "default", "size", "url", "format", "checksum"],
)
def test_the_key_is_of_what_is_read(changes: dict[str, Any], same: bool) -> None:
    assert (key(http={**URL, **changes}) == key(http=URL)) is same


def test_the_key_of_a_bucket_is_what_it_was_before_there_were_other_sources() -> None:
    s3 = {"bucket": "raw", "prefix": "d/", "format": "CSV"}
    assert key(s3=s3) == "71248b2a5a93e30d"
