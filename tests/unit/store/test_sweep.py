"""A sweep takes what nobody names, leaves what anybody does, and never meets an ingest."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from random import Random

import pytest
from tests.unit.store.memory import NAMESPACE, Door, Memory, always

from tidemill.store import digests, layout
from tidemill.store.errors import StoreError
from tidemill.store.manifest import Manifest, parse
from tidemill.store.stored import Name, Shelf, Stored, Unreadable
from tidemill.store.sweep import Freed, Quiet, Sweep


def sweep(memory: Memory, quiet: Quiet = always, most: int = 2000) -> Sweep:
    return Sweep(memory, NAMESPACE, quiet, most)


def missing(memory: Memory) -> set[str]:
    """What manifests name and nobody has."""
    named: set[str] = set()
    for key, (data, _) in memory.objects.items():
        if "/manifests/" in key:
            found = parse(data)
            named |= {found.schema, *(entry.digest for entry in found.entries)}
    return {digests.hex_of(digest) for digest in named} - memory.content()


async def remove(one: Sweep, made: Iterable[Manifest]) -> Freed:
    digests_of = {manifest.digest for manifest in made}
    going = [stored for stored in await one.versions() if stored.name.version in digests_of]

    async def may_go() -> set[Name]:
        return {stored.name for stored in going}

    return await one.remove(going, may_go)


async def test_what_lies_there_is_read() -> None:
    memory = Memory()
    upstream = digests.sha256_digest(b"up")
    good = await memory.ingest("power", [b"one"], inputs=[{"version": upstream}])
    bad = await memory.ingest("power", [b"two"], rejected={"reason": "ChecksFailed"})
    raw = await memory.ingest("power", [b"raw"])
    del memory.objects[layout.record_key(NAMESPACE, "power", raw.digest)]
    found = {one.name.version: one for one in await sweep(memory).versions()}
    assert {key: one.shelf for key, one in found.items()} == {
        good.digest: Shelf.ACCEPTED,
        bad.digest: Shelf.REJECTED,
        raw.digest: Shelf.PARTIAL,
    }
    assert (found[good.digest].bytes, found[good.digest].named) == (3, {upstream})


async def test_a_version_goes_manifest_last_and_its_content_in_the_next_sweep() -> None:
    memory = Memory()
    old = await memory.ingest("power", [b"shared", b"old"])
    new = await memory.ingest("power", [b"shared", b"new"])
    other = await memory.ingest("other", [b"old", b"other"])
    later = memory.later(days=1)
    freed = await remove(sweep(memory), [old])
    assert (len(freed.names), freed.objects) == (1, 4)
    assert [key.split("/")[3] for key in memory.deleted] == [
        "profiles", "reports", "versions", "manifests",
    ]  # fmt: skip
    assert await sweep(memory).content(later) == Freed()  # "old" is what the other has, too
    await remove(sweep(memory), [other])
    freed = await sweep(memory).content(later)
    assert (freed.objects, freed.bytes, missing(memory)) == (2, 8, set())
    assert {one.name.version for one in await sweep(memory).versions()} == {new.digest}


async def test_young_content_and_what_is_no_content_stay() -> None:
    memory = Memory()
    await memory.put(f"{layout.cas_prefix(NAMESPACE)}README", b"mine")
    cutoff = memory.later(hours=1)
    await memory.put(
        layout.cas_key(layout.cas_prefix(NAMESPACE), digests.sha256_digest(b"x")), b"x"
    )
    assert await sweep(memory).content(cutoff) == Freed()
    assert (await sweep(memory).content(memory.later(hours=1))).objects == 1


async def test_what_may_no_longer_go_stays_and_so_does_what_was_written_again() -> None:
    memory = Memory()
    used = await memory.ingest("power", [b"used"])
    again = await memory.ingest("power", [b"again"])
    one = sweep(memory)
    going = await one.versions()
    memory.later(minutes=1)
    await memory.ingest("power", [b"again"])

    async def may_go() -> set[Name]:
        return {Name("power", again.digest)}

    assert await one.remove(going, may_go) == Freed()
    assert {one.name.version for one in await one.versions()} == {used.digest, again.digest}


async def test_without_quiet_nothing_goes() -> None:
    memory, door = Memory(), Door()
    made = await memory.ingest("power", [b"one"])
    await memory.put(
        layout.cas_key(layout.cas_prefix(NAMESPACE), digests.sha256_digest(b"x")), b"x"
    )
    later = memory.later(days=1)
    async with door.ingest():
        assert await sweep(memory, door.quiet).content(later) == Freed(busy=True)
        assert await remove(sweep(memory, door.quiet), [made]) == Freed(busy=True)
    assert memory.deleted == []
    assert (await sweep(memory, door.quiet).content(later)).objects == 1


async def test_an_ingest_that_ended_just_before_it_was_quiet_is_marked() -> None:
    memory = Memory()
    unnamed = layout.cas_key(layout.cas_prefix(NAMESPACE), digests.sha256_digest(b"x"))
    await memory.put(unnamed, b"x")
    later = memory.later(days=1)

    @asynccontextmanager
    async def quiet() -> AsyncIterator[bool]:
        await memory.ingest("power", [b"x"])
        yield True

    assert await sweep(memory, quiet).content(later) == Freed()
    assert missing(memory) == set()


async def test_a_record_of_another_version_stops_it() -> None:
    memory = Memory()
    one, two = [await memory.ingest("power", [data]) for data in (b"one", b"two")]
    keys = [layout.record_key(NAMESPACE, "power", made.digest) for made in (one, two)]
    memory.objects[keys[0]] = memory.objects[keys[1]]
    with pytest.raises(Unreadable, match=one.digest):
        await sweep(memory).versions()


@pytest.mark.parametrize("folder", ["manifests", "versions"])
async def test_what_cannot_be_read_stops_it(folder: str) -> None:
    memory = Memory()
    made = await memory.ingest("power", [b"one"])
    ending = ".jsonl" if folder == "manifests" else ".json"
    key = f"datasets/{NAMESPACE}/power/{folder}/{digests.hex_of(made.digest)}{ending}"
    memory.objects[key] = (b"{", memory.now)
    later = memory.later(days=1)
    one = sweep(memory)
    work = one.content(later) if folder == "manifests" else one.versions()
    with pytest.raises(Unreadable, match=r"until it is mended or removed"):
        await work
    assert memory.deleted == []


async def test_a_sweep_takes_so_many_at_once_and_says_that_more_is_left() -> None:
    memory = Memory()
    for number in range(5):
        data = str(number).encode()
        await memory.put(
            layout.cas_key(layout.cas_prefix(NAMESPACE), digests.sha256_digest(data)), data
        )
    later = memory.later(days=1)
    found = [await sweep(memory, most=2).content(later) for _ in range(4)]
    assert [(one.objects, one.more) for one in found] == [
        (2, True), (2, True), (1, False), (0, False),
    ]  # fmt: skip


@pytest.mark.parametrize("step", range(4))
async def test_one_that_died_anywhere_is_begun_again(step: int) -> None:
    memory = Memory()
    made = await memory.ingest("power", [b"one"])
    kept = await memory.ingest("power", [b"two"])
    later = memory.later(days=1)
    stored = next(s for s in await sweep(memory).versions() if s.name.version == made.digest)
    memory.refused = {stored.in_order(NAMESPACE)[step]}
    with pytest.raises(StoreError):
        await remove(sweep(memory), [made])
    await sweep(memory).content(later)
    assert missing(memory) == set()
    memory.refused = set()
    await remove(sweep(memory), [made])
    await sweep(memory).content(later)
    assert {one.name.version for one in await sweep(memory).versions()} == {kept.digest}
    assert len(memory.content()) == 2  # the content and the schema of the one that is kept


async def race(seed: int, *, with_door: bool) -> set[str]:
    """Let ingests of old content meet sweeps that would take it; gives what is missing then."""
    random = Random(seed)
    memory, door = Memory(random), Door()
    old = await memory.ingest("power", [b"a", b"b"])
    later = memory.later(days=1)
    memory.between = 6

    async def ingest(contents: list[bytes]) -> None:
        await asyncio.sleep(0)
        async with door.ingest():
            await memory.ingest("other", contents)

    async def clean() -> None:
        quiet = door.quiet if with_door else always
        await remove(sweep(memory, quiet), [old])
        for _ in range(2):
            await sweep(memory, quiet).content(later)

    work = [clean(), ingest([b"b", b"c"]), ingest([b"a"])]
    random.shuffle(work)
    await asyncio.gather(*work)
    return missing(memory)


async def test_an_ingest_never_loses_what_it_relied_upon() -> None:
    for seed in range(300):
        assert await race(seed, with_door=True) == set(), seed


async def test_without_the_door_it_would() -> None:
    assert any([await race(seed, with_door=False) for seed in range(300)])


def test_a_version_knows_the_order_of_its_end() -> None:
    name = Name("power", digests.sha256_digest(b"1"))
    keys = [layout.manifest_key(NAMESPACE, "power", name.version)]
    stored = Stored(name, Memory().now, frozenset(keys))
    assert stored.in_order(NAMESPACE) == tuple(keys)
