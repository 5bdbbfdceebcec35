"""Retention against real servers: what nobody names goes, and ingests meanwhile lose nothing."""

import asyncio
from datetime import UTC, datetime, timedelta

from tests.unit.store.memory import NAMESPACE, Door, ingest

from tidemill.store import layout, manifest
from tidemill.store.objects import ObjectStore
from tidemill.store.stored import Name
from tidemill.store.sweep import Sweep

ROUNDS = 5


async def missing(store: ObjectStore) -> set[str]:
    """What manifests name and nobody has."""
    named: set[str] = set()
    for info in await store.list(f"datasets/{NAMESPACE}/"):
        if "/manifests/" in info.key:
            found = manifest.parse(await store.get(info.key))
            named |= {found.schema, *(entry.digest for entry in found.entries)}
    cas = layout.cas_prefix(NAMESPACE)
    there = {info.key for info in await store.list(cas)}
    return {digest for digest in named if layout.cas_key(cas, digest) not in there}


async def names(store: ObjectStore) -> set[Name]:
    found = await Sweep(store, NAMESPACE, Door().quiet).versions()
    return {one.name for one in found}


async def clear(store: ObjectStore, door: Door, keep: set[str]) -> int:
    """Let all versions but these go, and then what nobody names; gives the bytes of it."""
    sweep = Sweep(store, NAMESPACE, door.quiet)
    going = [one for one in await sweep.versions() if one.name.version not in keep]

    async def may_go() -> set[Name]:
        return {one.name for one in going}

    await sweep.remove(going, may_go)
    # The server's clock may be ahead of ours.
    freed = await Sweep(store, NAMESPACE, door.quiet).content(datetime.now(UTC) + timedelta(days=1))
    return freed.bytes


async def test_what_nobody_names_goes_and_nothing_else(store: ObjectStore) -> None:
    old = await ingest(store, "power", [b"shared", b"old"])
    new = await ingest(store, "power", [b"shared", b"new"])
    assert await names(store) == {Name("power", old.digest), Name("power", new.digest)}
    assert await clear(store, Door(), {new.digest}) == len(b"old")
    assert await names(store) == {Name("power", new.digest)}
    assert await missing(store) == set()
    assert await clear(store, Door(), set()) == len(b"shared" + b"new" + b"schema")
    assert await store.list(f"datasets/{NAMESPACE}/") == []
    assert await store.list(layout.cas_prefix(NAMESPACE)) == []


async def test_an_ingest_of_content_that_is_about_to_go(store: ObjectStore) -> None:
    door = Door()

    async def deliver(number: int) -> None:
        await asyncio.sleep(number / 100)  # another place in the sweep for each
        async with door.ingest():
            await ingest(store, f"d{number}", [b"a", b"b"])

    for _ in range(ROUNDS):
        old = await ingest(store, "power", [b"a", b"b", b"c"])
        assert old.entries
        await asyncio.gather(clear(store, door, set()), *(deliver(n) for n in range(4)))
        assert await missing(store) == set()
    await clear(store, door, set())
    assert await store.list(layout.cas_prefix(NAMESPACE)) == []
