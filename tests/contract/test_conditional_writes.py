"""Of many who write one key at once on a condition, exactly one wins: and this test would tell."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest
from tests.contract.proxy import Spoil, proxy
from tests.contract.s3_server import S3Server
from tests.support.buckets import make_bucket

from tidemill.store import errors
from tidemill.store.config import StoreConfig
from tidemill.store.objects import ObjectStore

WRITERS = 200
Contest = Callable[[ObjectStore, str], Awaitable[list[int]]]


async def create(store: ObjectStore, key: str) -> list[int]:
    """All create the key; those who were told that they did."""

    async def attempt(number: int) -> bool:
        try:
            await store.put(key, str(number).encode(), create=True)
        except errors.AlreadyExists:
            return False
        return True

    told = await asyncio.gather(*(attempt(number) for number in range(WRITERS)))
    return [number for number, won in enumerate(told) if won]


async def exchange(store: ObjectStore, key: str) -> list[int]:
    """All replace what they have seen; those who were told that they did."""
    seen = await store.put(key, b"seen by all")

    async def attempt(number: int) -> bool:
        try:
            await store.put(key, str(number).encode(), etag=seen.etag)
        except errors.Changed:
            return False
        return True

    told = await asyncio.gather(*(attempt(number) for number in range(WRITERS)))
    return [number for number, won in enumerate(told) if won]


async def assert_one_winner(store: ObjectStore, contest: Contest, key: str) -> None:
    winners = await contest(store, key)
    assert len(winners) == 1
    assert await store.get(key) == str(winners[0]).encode()


contests = pytest.mark.parametrize("contest", [create, exchange])


@contests
@pytest.mark.parametrize("turn", range(3))
async def test_one_of_two_hundred_writers_wins(
    store: ObjectStore, contest: Contest, turn: int
) -> None:
    await assert_one_winner(store, contest, f"contest/{contest.__name__}/{turn}")


@pytest.fixture
def careless(server: S3Server) -> Iterator[StoreConfig]:
    """A store as some are, and as one client makes any: it never sees a condition.

    Conditions are signed with all the rest: only what is not signed can lose them on the way.
    """
    open_to_all = replace(server.config, bucket="careless", access_key="", secret_key="")
    client, arn = server.client(), "arn:aws:s3:::careless"
    make_bucket(client, "careless")
    client.set_bucket_policy(
        "careless",
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},'
        f'"Action":["s3:GetObject","s3:PutObject"],"Resource":["{arn}/*"]}}]}}',
    )
    with proxy(server.config) as between:
        between.rule = lambda _: Spoil(without=("if-none-match", "if-match"))
        yield between.before(open_to_all)


@contests
async def test_a_store_that_ignores_conditions_is_found_out(
    careless: StoreConfig, contest: Contest
) -> None:
    with pytest.raises(AssertionError, match=f"assert {WRITERS} == 1"):
        await assert_one_winner(ObjectStore(careless), contest, contest.__name__)


@contests
async def test_the_proxy_itself_is_not_what_is_found_out(
    server: S3Server, contest: Contest
) -> None:
    with proxy(server.config) as between:
        store = ObjectStore(between.before(server.config))
        await assert_one_winner(store, contest, f"careful/{contest.__name__}")


async def test_nothing_is_replaced_that_is_not_there(store: ObjectStore) -> None:
    gone = await store.put("contest/gone", b"x")
    await store.delete("contest/gone")
    with pytest.raises((errors.NotFound, errors.Changed)):
        await store.put("contest/gone", b"y", etag=gone.etag)
    with pytest.raises(errors.NotFound):
        await store.get("contest/gone")


@pytest.mark.parametrize("conditions", [{"create": True}, {"etag": "of-another"}], ids=str)
async def test_a_store_that_calls_it_a_conflict_is_understood(
    server: S3Server, conditions: dict[str, str]
) -> None:
    """S3 itself answers 409 where two conditional writes meet: neither is known to have won."""
    with proxy(server.config) as between:
        between.rule = lambda _: Spoil(status=409, code="ConditionalRequestConflict")
        store = ObjectStore(between.before(server.config))
        with pytest.raises((errors.AlreadyExists, errors.Changed, errors.Unavailable)):
            await store.put("contest/conflict", b"x", **conditions)  # type: ignore[arg-type]
