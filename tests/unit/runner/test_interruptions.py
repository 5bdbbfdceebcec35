"""An ingest that ends anywhere, and one beside another: no version is ever half there."""

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.interference import BusyStorage, Killed
from tests.unit.runner.memory import MemoryStorage
from tests.unit.runner.sources.web_scene import fetch, origin
from tests.unit.runner.workshop import Workshop
from tests.unit.web.faults import PATH
from tests.unit.web.site import Page, Site

from tidemill.store import digests, layout, manifest
from tidemill_runner.failures import Failure, translate

ASKED: dict[str, Any] = {
    "prepare": {"sql": "SELECT * FROM source WHERE a >= 0", "seconds": 60},
    "checks": [{"name": "some", "rowCount": {"min": 1}}],
}
MANY = "SELECT hash(a, i) % 1000000007 AS h FROM source, generate_series(1, 250000) AS s(i)"
NEWER = "a\n5\n"


def workshop(folder: Path, store: MemoryStorage, source: MemoryStorage | None = None) -> Workshop:
    made = Workshop(folder, source or MemoryStorage(), store)
    made.deliver(a_csv="a\n1\n", b_csv="a\n2\n")
    return made


def assert_whole(store: MemoryStorage) -> list[str]:
    """All that a manifest names is there; gives the versions that there are."""
    prefix = layout.manifests_prefix("ns", "power")
    versions = [key for key in store.objects if key.startswith(prefix)]
    for key in versions:
        version = digests.PREFIX + Path(key).stem
        found = manifest.parse(store.objects[key], version)
        for digest in (found.schema, *(entry.digest for entry in found.entries)):
            kept = store.objects[layout.cas_key(layout.cas_prefix("ns"), digest)]
            assert digests.sha256_digest(kept) == digest
    return versions


def calls_of_an_ingest(folder: Path) -> list[str]:
    store = BusyStorage()
    workshop(folder, store).ingest(**ASKED)
    return store.calls


def folders(folder: Path) -> Iterator[Path]:
    number = 0
    while True:
        number += 1
        (folder / f"{number}").mkdir()
        yield folder / f"{number}"


@pytest.mark.parametrize("late", [False, True], ids=["before a call", "after a call"])
def test_killed_at_any_point_it_leaves_no_half_version(tmp_path: Path, late: bool) -> None:
    pods = folders(tmp_path)
    calls = calls_of_an_ingest(next(pods))
    undisturbed = workshop(next(pods), MemoryStorage())
    wanted = undisturbed.ingest(**ASKED)

    def kill() -> None:
        raise Killed

    versions_after = []
    for at in range(len(calls)):
        store = BusyStorage(at=at, happens=kill, late=late)
        with pytest.raises(Killed):
            workshop(next(pods), store).ingest(**ASKED)
        versions_after.append(len(assert_whole(store)))
        record = layout.record_key("ns", "power", wanted["version"])
        if wanted["manifest"] in store.objects:
            assert {record, wanted["profile"], wanted["report"]} <= set(store.objects)
        after = MemoryStorage(store.objects)
        assert workshop(next(pods), after).ingest(**ASKED) == wanted
        assert after.objects == undisturbed.store.objects
    assert versions_after[0] == 0
    assert calls[-1].startswith(f"put {layout.manifests_prefix('ns', 'power')}")


def passed_on(source: Path, target: Path) -> None:
    for path in (source / "source").iterdir():
        shutil.copy(path, target / path.name)


def test_killed_at_any_point_around_a_container_it_leaves_no_half_version(tmp_path: Path) -> None:
    pods = folders(tmp_path)
    counted = BusyStorage()
    wanted = workshop(next(pods), counted).ingest_around(passed_on, {})

    def kill() -> None:
        raise Killed

    for at in range(len(counted.calls)):
        store = BusyStorage(at=at, happens=kill)
        with pytest.raises(Killed):
            workshop(next(pods), store).ingest_around(passed_on, {})
        assert_whole(store)
        after = MemoryStorage(store.objects)
        assert workshop(next(pods), after).ingest_around(passed_on, {}) == wanted
        assert after.objects == counted.objects


def test_two_at_once_make_the_same_version(tmp_path: Path) -> None:
    """Two attempts of one Job, or two operators for a moment: the second runs inside the first."""
    pods = folders(tmp_path)
    calls = calls_of_an_ingest(next(pods))
    wanted = workshop(next(pods), MemoryStorage()).ingest(**ASKED)
    for at in range(len(calls)):
        store = BusyStorage(at=at)
        others: list[dict[str, Any]] = []

        def run(store: MemoryStorage = store, others: list[dict[str, Any]] = others) -> None:
            others.append(workshop(next(pods), store).ingest(**ASKED))

        store.happens = run
        assert workshop(next(pods), store).ingest(**ASKED) == wanted
        assert others == [wanted]
        assert len(assert_whole(store)) == 2, "what was prepared, and what it came from"


def test_two_at_once_of_a_source_that_changes_between_them(tmp_path: Path) -> None:
    """The one that began before the change makes nothing of it, or its own version: never a mix."""
    pods = folders(tmp_path)
    calls = calls_of_an_ingest(next(pods))
    for at in range(len(calls)):
        store, source = BusyStorage(at=at), MemoryStorage()
        earlier = workshop(next(pods), store, source)
        later: list[dict[str, Any]] = []

        def change(
            store: MemoryStorage = store,
            source: MemoryStorage = source,
            later: list[dict[str, Any]] = later,
        ) -> None:
            other = Workshop(next(pods), source, store)
            other.deliver(b_csv=NEWER)
            later.append(other.ingest(**ASKED))

        store.happens = change
        try:
            earlier.ingest(**ASKED)
        except Failure as failure:
            assert failure.reason == "SourceChanged"  # noqa: PT017 - either is right
        assert len(later) == 1
        assert_whole(store)
        kept = manifest.parse(store.objects[later[0]["manifest"]], later[0]["version"])
        assert kept.entries


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_is_not_the_servers_fault(tmp_path: Path) -> None:
    page = Page(numbers(100_000).encode())
    with Site(pages={PATH: page}) as site, small_disk(300_000):
        with pytest.raises(OSError, match="File too large") as caught:
            fetch(origin(site), tmp_path)
        assert len([one for one in site.requests if one.method == "GET"]) == 1
    assert translate(caught.value).reason == "ScratchFull"


def numbers(count: int) -> str:
    return "a\n" + "".join(f"{n * 7919 % 1_000_003}\n" for n in range(count))


@pytest.mark.parametrize(
    ("data", "asked"),
    [
        pytest.param(numbers(100_000), {}, id="what is delivered"),
        pytest.param(numbers(40_000), {}, id="what is staged"),
        pytest.param("a\n1\n2\n", {"prepare": {"sql": MANY, "seconds": 60}}, id="what is prepared"),
    ],
)
def test_a_full_disk_is_told_and_nothing_is_left(
    tmp_path: Path, data: str, asked: dict[str, Any]
) -> None:
    store = MemoryStorage()
    made = Workshop(tmp_path, MemoryStorage(), store)
    made.deliver(a_csv=data)
    with small_disk(300_000), pytest.raises(Exception) as caught:  # noqa: PT011 - as a run sees it
        made.ingest(**asked)
    failure = translate(caught.value)
    assert failure.reason == "ScratchFull", caught.value
    assert "more disk" in failure.message
    assert not assert_whole(store)
    assert [path.name for path in tmp_path.iterdir()] == ["input.json"]
