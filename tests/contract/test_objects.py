"""What the store promises, against a real server: errors by cause, one winner, S3's prefixes."""

import asyncio
import socket
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.contract.s3_server import ROOT, S3Server

from tidemill.store import errors
from tidemill.store.objects import ObjectStore, Patience

IMPATIENT = Patience(timedelta(seconds=1), timedelta(seconds=1), timedelta(seconds=1), 0)
ODD_KEYS = [
    "a b",
    "ä/漢",
    "p%20q",
    "plus+",
    "quote'",
    'double"',
    "hash#",
    "q?x=1",
    "t~",
    "(x)",
    "[y]",
]


async def test_what_is_put_is_there(store: ObjectStore) -> None:
    put = await store.put("objects/one", b"hello")
    head = await store.head("objects/one")
    assert (head.key, head.size, head.etag) == ("objects/one", 5, put.etag)
    assert '"' not in head.etag
    assert await store.get("objects/one") == b"hello"
    await store.delete("objects/one")
    await store.delete("objects/one")
    with pytest.raises(errors.NotFound, match="objects/one"):
        await store.get("objects/one")


async def test_empty_objects(store: ObjectStore) -> None:
    await store.put("objects/empty", b"")
    assert await store.get("objects/empty") == b""
    assert [part async for part in store.stream("objects/empty")] == []


async def test_creation_has_one_winner(store: ObjectStore) -> None:
    async def attempt(number: int) -> bool:
        try:
            await store.put("create/one", str(number).encode(), create=True)
        except errors.AlreadyExists:
            return False
        return True

    won = await asyncio.gather(*(attempt(number) for number in range(20)))
    assert sum(won) == 1
    assert await store.get("create/one") == str(won.index(True)).encode()


@pytest.mark.parametrize("key", ODD_KEYS)
async def test_keys_are_kept_as_they_are(store: ObjectStore, key: str) -> None:
    await store.put(f"odd/{key}", b"x")
    assert f"odd/{key}" in {info.key for info in await store.list("odd/")}
    assert await store.get(f"odd/{key}") == b"x"


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("prefix/", ["prefix/a", "prefix/ab/c", "prefix/b"]),
        ("prefix/a", ["prefix/a", "prefix/ab/c"]),
        ("prefix/ab", ["prefix/ab/c"]),
        ("prefix/ab/", ["prefix/ab/c"]),
        ("prefix/x", []),
    ],
)
async def test_a_prefix_is_a_beginning_of_the_key(
    store: ObjectStore, prefix: str, expected: list[str]
) -> None:
    for key in ("prefix/a", "prefix/ab/c", "prefix/b", "prefixed"):
        await store.put(key, b"x")
    assert [info.key for info in await store.list(prefix)] == expected


async def test_listings_go_on_after_a_thousand(store: ObjectStore) -> None:
    for start in range(0, 1100, 100):
        await asyncio.gather(*(store.put(f"many/{start + i}", b"x") for i in range(100)))
    assert len(await store.list("many/")) == 1100


async def test_a_large_object_is_not_held_unasked(store: ObjectStore) -> None:
    await store.put("objects/large", bytes(2000))
    with pytest.raises(errors.TooLarge, match="2000 bytes"):
        await store.get("objects/large", max_bytes=1999)


async def test_a_stream_gives_all_in_pieces(store: ObjectStore) -> None:
    data = bytes(range(256)) * 100
    await store.put("objects/stream", data)
    parts = [part async for part in store.stream("objects/stream", chunk=1000)]
    assert b"".join(parts) == data
    assert len(parts) == 26


async def test_a_stream_never_mixes_two_objects(store: ObjectStore) -> None:
    await store.put("objects/mixed", b"a" * 100)
    parts = store.stream("objects/mixed", chunk=10)
    assert await anext(parts) == b"a" * 10
    await store.put("objects/mixed", b"b" * 100)
    with pytest.raises(errors.Changed, match="objects/mixed"):
        await anext(parts)


@pytest.mark.parametrize("call", ["get", "head", "list", "put", "delete"])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"access_key": "nobody"}, errors.AccessDenied),
        ({"secret_key": "wrong-wrong"}, errors.AccessDenied),
        ({"access_key": ""}, errors.AccessDenied),
        ({"session_token": "forged"}, errors.AccessDenied),
    ],
    ids=["unknown-key", "wrong-secret", "anonymous", "forged-token"],
)
async def test_wrong_credentials_are_told_without_showing_them(
    server: S3Server, call: str, change: dict[str, str], expected: type[Exception]
) -> None:
    store = ObjectStore(replace(server.config, **change), IMPATIENT)  # type: ignore[arg-type]
    with pytest.raises(expected) as caught:
        await operate(store, call)
    text = str(caught.value)
    assert server.config.endpoint in text
    for secret in (*ROOT, "nobody", "wrong-wrong", "forged"):
        assert secret not in text


@pytest.mark.parametrize("call", ["get", "list", "put", "delete"])
async def test_a_missing_bucket_is_told(server: S3Server, call: str) -> None:
    store = ObjectStore(replace(server.config, bucket="no-such-bucket"), IMPATIENT)
    with pytest.raises(errors.BucketMissing, match="'no-such-bucket'"):
        await operate(store, call)


@pytest.mark.parametrize("call", ["get", "head", "list", "put", "delete"])
@pytest.mark.parametrize("fault", ["refused", "silent", "unknown-host"])
async def test_a_store_that_does_not_answer_is_told_in_time(
    server: S3Server, call: str, fault: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = {
            "refused": "http://127.0.0.1:9",
            "silent": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "unknown-host": "http://store.invalid:9000",
        }[fault]
        store = ObjectStore(replace(server.config, endpoint=endpoint), IMPATIENT)
        async with asyncio.timeout(10):
            with pytest.raises(errors.Unavailable, match=endpoint):
                await operate(store, call)


async def operate(store: ObjectStore, call: str) -> None:
    match call:
        case "list":
            await store.list("x/")
        case "put":
            await store.put("x/y", b"")
        case _:
            await getattr(store, call)("x/y")
