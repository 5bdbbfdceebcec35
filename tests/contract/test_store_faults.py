"""What a store and the network before it do to those who use it, and what is made of it."""

import asyncio
import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.contract.proxy import Asked, Proxy, Rule, Spoil, proxy
from tests.contract.s3_server import BUCKET, S3Server

from tidemill.store import errors, listing
from tidemill.store.objects import ObjectInfo, ObjectStore, Patience
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.inputs import S3Source
from tidemill_runner.sources.s3 import S3Origin
from tidemill_runner.storage import Storage

SOON = timedelta(seconds=1)
IMPATIENT = Patience(SOON, SOON, SOON, 1)
TRYING = Patience(SOON, timedelta(seconds=5), timedelta(seconds=20), 4)
MEBIBYTE = 1024 * 1024
DATA = bytes(range(256)) * 4096 * 8
CALLS = ["get", "head", "list", "put", "create", "delete"]
THROTTLED = Spoil(status=503, code="SlowDown")
each_call = pytest.mark.parametrize("call", CALLS)


@pytest.fixture
def between(server: S3Server) -> Iterator[Proxy]:
    with proxy(server.config) as running:
        yield running


@pytest.fixture
def store(server: S3Server, between: Proxy) -> ObjectStore:
    return ObjectStore(between.before(server.config), TRYING)


@pytest.fixture
def impatient(server: S3Server, between: Proxy) -> ObjectStore:
    return ObjectStore(between.before(server.config), IMPATIENT)


@pytest.fixture
def storage(server: S3Server, between: Proxy) -> Iterator[Storage]:
    with Storage(between.before(server.config), TRYING) as opened:
        yield opened


def first(times: int, spoil: Spoil) -> Rule:
    """Only the first requests of each kind."""
    return lambda asked: spoil if asked.number <= times else None


async def operate(store: ObjectStore, call: str) -> None:
    match call:
        case "list":
            await store.list("faults/")
        case "put":
            await store.put("faults/x", b"x")
        case "create":
            await store.put("faults/new", b"x", create=True)
        case _:
            await getattr(store, call)("faults/x")


@each_call
async def test_throttled_it_tries_again(
    server: S3Server, store: ObjectStore, between: Proxy, call: str
) -> None:
    direct = ObjectStore(server.config)
    await direct.put("faults/x", b"x")
    await direct.delete("faults/new")
    between.rule = first(2, THROTTLED)
    await operate(store, call)
    assert len(between.asked) == 3


@each_call
async def test_throttled_for_ever_it_is_told(
    impatient: ObjectStore, between: Proxy, call: str
) -> None:
    between.rule = lambda _: THROTTLED
    with pytest.raises(errors.Unavailable, match=r"HTTP 503 \(SlowDown\)|HTTP 503$"):
        await operate(impatient, call)


@pytest.mark.parametrize("call", ["get", "head", "list", "put"])
async def test_after_a_reset_it_tries_again(
    server: S3Server, store: ObjectStore, between: Proxy, call: str
) -> None:
    await ObjectStore(server.config).put("faults/x", b"x")
    between.rule = first(2, Spoil(drop=True))
    await operate(store, call)


@each_call
async def test_reset_for_ever_it_is_told(impatient: ObjectStore, between: Proxy, call: str) -> None:
    between.rule = lambda _: Spoil(drop=True)
    with pytest.raises(errors.Unavailable, match="does not answer"):
        await operate(impatient, call)


@pytest.mark.parametrize("call", ["get", "list", "put", "create", "delete"])
async def test_a_refusal_is_told_as_one(impatient: ObjectStore, between: Proxy, call: str) -> None:
    """What the store will refuse again is not taken for an absence that passes."""
    between.rule = lambda _: Spoil(status=400, code="InvalidRequest")
    with pytest.raises(errors.StoreError, match="InvalidRequest") as caught:
        await operate(impatient, call)
    assert not isinstance(caught.value, errors.Unavailable)
    assert len(between.asked) == 1


async def test_a_creation_whose_answer_is_lost_is_nobody_elses(
    server: S3Server, store: ObjectStore, between: Proxy
) -> None:
    """Tried again by the client underneath, the writer would be told that another had won."""
    key = "faults/lost"
    await ObjectStore(server.config).delete(key)
    between.rule = first(1, Spoil(lose=True))
    with pytest.raises(errors.Unavailable):
        await store.put(key, b"mine", create=True)
    assert await store.get(key) == b"mine"


async def test_a_body_that_is_cut_is_read_on(
    server: S3Server, store: ObjectStore, between: Proxy
) -> None:
    await ObjectStore(server.config).put("faults/large", DATA)
    between.rule = lambda asked: Spoil(cut=MEBIBYTE) if asked.number <= 2 else None
    assert await store.get("faults/large") == DATA


async def test_a_slow_answer_ends_in_time(
    server: S3Server, impatient: ObjectStore, between: Proxy
) -> None:
    await ObjectStore(server.config).put("faults/slow", bytes(1000))
    between.rule = lambda _: Spoil(trickle=0.2)
    async with asyncio.timeout(20):
        with pytest.raises(errors.Unavailable, match="does not answer"):
            await impatient.get("faults/slow")


async def test_an_answer_without_end_is_not_read(
    server: S3Server, impatient: ObjectStore, between: Proxy
) -> None:
    await ObjectStore(server.config).put("faults/endless", bytes(1000))
    between.rule = lambda _: Spoil(endless=True)
    async with asyncio.timeout(20):
        with pytest.raises(errors.StoreError, match="faults/endless"):
            await impatient.get("faults/endless")


async def test_a_listing_without_end_is_bounded(
    server: S3Server, store: ObjectStore, between: Proxy
) -> None:
    """Each page points to a next one, which is the first one again."""
    await fill(server, "faults/round/", 1001)
    between.rule = lambda asked: Spoil(first_page=asked.lists)
    with pytest.raises(errors.TooLarge, match="more than 5000 objects"):
        await store.list("faults/round/", limit=5000)
    assert len(between.asked) <= 7


async def test_a_listing_that_changes_while_it_is_listed(
    server: S3Server, store: ObjectStore, between: Proxy
) -> None:
    """What stayed is listed once, whatever came and went: and the next listing shows the change."""
    prefix = "faults/moving/"
    await fill(server, prefix, 1500)
    before = {f"{prefix}{number:04}" for number in range(1500)}
    moved = False

    def move(asked: Asked) -> None:
        nonlocal moved
        if asked.lists and "continuation-token" in asked.path and not moved:
            moved = True
            client = server.client()
            for key in ("0001", "1200"):
                client.remove_object(BUCKET, prefix + key)
            for key in ("0000-new", "1300-new"):
                client.put_object(BUCKET, prefix + key, io.BytesIO(b"x"), 1)

    between.rule = move
    seen = await store.list(prefix)
    assert moved
    keys = [info.key for info in seen]
    assert keys == sorted(set(keys))
    assert before - {prefix + "0001", prefix + "1200"} <= set(keys)
    settled = await store.list(prefix)
    assert listing.fingerprint(settled, prefix) != listing.fingerprint(seen, prefix)
    assert listing.fingerprint(await store.list(prefix), prefix) == listing.fingerprint(
        settled, prefix
    )
    await ObjectStore(server.config).put(f"{prefix}0001", b"x")
    await ObjectStore(server.config).put(f"{prefix}1200", b"x")
    for key in ("0000-new", "1300-new"):
        await ObjectStore(server.config).delete(prefix + key)


async def fill(server: S3Server, prefix: str, count: int) -> None:
    direct = ObjectStore(server.config)
    for start in range(0, count, 100):
        numbers = range(start, min(start + 100, count))
        await asyncio.gather(*(direct.put(f"{prefix}{number:04}", b"x") for number in numbers))


async def test_an_object_deleted_during_its_stream(server: S3Server, store: ObjectStore) -> None:
    await ObjectStore(server.config).put("faults/going", DATA)
    parts = store.stream("faults/going", chunk=MEBIBYTE)
    assert await anext(parts) == DATA[:MEBIBYTE]
    await ObjectStore(server.config).delete("faults/going")
    with pytest.raises((errors.NotFound, errors.Changed), match="faults/going"):
        await anext(parts)


# Large files


def put(server: S3Server, key: str, data: bytes) -> ObjectInfo:
    server.client().put_object(BUCKET, key, io.BytesIO(data), len(data))
    found = server.client().stat_object(BUCKET, key)
    return ObjectInfo(key, len(data), str(found.etag))


def cut_once(meanwhile: Callable[[], object]) -> Rule:
    """The first answer breaks off; before the next is asked for, something happens."""

    def rule(asked: Asked) -> Spoil | None:
        if asked.method != "GET":
            return None
        if asked.number == 1:
            return Spoil(cut=3 * MEBIBYTE)
        if asked.number == 2:
            meanwhile()
        return None

    return rule


def test_a_download_goes_on_where_it_was_cut(
    server: S3Server, storage: Storage, between: Proxy, tmp_path: Path
) -> None:
    put(server, "faults/down", DATA)
    between.rule = cut_once(lambda: None)
    assert storage.download("faults/down", tmp_path / "copy").size == len(DATA)
    assert (tmp_path / "copy").read_bytes() == DATA
    resumed = [asked.headers["range"] for asked in between.asked if "range" in asked.headers]
    assert resumed == [f"bytes={3 * MEBIBYTE}-"]


def origin(storage: Storage) -> S3Origin:
    source = S3Source("", "", BUCKET, "faults/", Delivery("CSV"), path_style=True)
    return S3Origin(storage, source, "sha256:any")


def test_an_object_deleted_during_its_download(
    server: S3Server, storage: Storage, between: Proxy, tmp_path: Path
) -> None:
    info = put(server, "faults/down", DATA)
    between.rule = cut_once(lambda: server.client().remove_object(BUCKET, info.key))
    with pytest.raises(Failure, match="replaced or removed") as caught:
        origin(storage).fetch(info, tmp_path / "copy", lambda _: None)
    assert caught.value.reason == "SourceChanged"


def test_an_object_replaced_during_its_download(
    server: S3Server, storage: Storage, between: Proxy, tmp_path: Path
) -> None:
    info = put(server, "faults/down", DATA)
    between.rule = cut_once(lambda: put(server, info.key, DATA[::-1]))
    with pytest.raises(Failure, match="replaced or removed") as caught:
        origin(storage).fetch(info, tmp_path / "copy", lambda _: None)
    assert caught.value.reason == "SourceChanged"


def test_a_download_without_end_stops_at_the_size_that_was_listed(
    server: S3Server, storage: Storage, between: Proxy, tmp_path: Path
) -> None:
    info = put(server, "faults/down", DATA[:1000])
    between.rule = lambda asked: Spoil(endless=True) if asked.method == "GET" else None
    with pytest.raises(Failure, match="more than the 1000 bytes") as caught:
        origin(storage).fetch(info, tmp_path / "copy", lambda _: None)
    assert caught.value.reason == "SourceChanged"
    assert (tmp_path / "copy").stat().st_size <= 4 * MEBIBYTE


@pytest.mark.parametrize("spoil", [THROTTLED, Spoil(drop=True)], ids=["throttled", "reset"])
def test_large_files_pass_when_it_passes(
    server: S3Server, storage: Storage, between: Proxy, tmp_path: Path, spoil: Spoil
) -> None:
    put(server, "faults/down", DATA)
    (tmp_path / "file").write_bytes(DATA)
    between.rule = first(2, spoil)
    storage.download("faults/down", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == DATA
    storage.upload(tmp_path / "file", "faults/up")
    assert storage.sizes_of(["faults/up"]) == {"faults/up": len(DATA)}


@pytest.mark.parametrize(
    ("spoil", "tells"),
    [
        pytest.param(THROTTLED, "HTTP 503", id="throttled"),
        pytest.param(Spoil(drop=True), "does not answer", id="reset"),
        pytest.param(Spoil(trickle=30), "does not answer", id="slow"),
    ],
)
def test_large_files_are_given_up_in_time(
    server: S3Server, between: Proxy, tmp_path: Path, spoil: Spoil, tells: str
) -> None:
    put(server, "faults/down", DATA)
    (tmp_path / "file").write_bytes(DATA)
    between.rule = lambda _: spoil
    with Storage(between.before(server.config), IMPATIENT) as storage:
        with pytest.raises(errors.Unavailable, match=tells):
            storage.download("faults/down", tmp_path / "copy")
        with pytest.raises(errors.Unavailable, match=tells):
            storage.upload(tmp_path / "file", "faults/up")
