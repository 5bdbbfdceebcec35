"""Several workers, in whatever order and however often they come and go, are as one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.runner.deliveries import REFUSED, TAKEN, Delivery, csv
from tests.unit.runner.interference import BusyStorage, Killed
from tests.unit.runner.memory import MemoryStorage

from tidemill_runner import pool, staging
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_runner.storage import Storage

# Of how many workers, which come before the first one ends.
COMINGS: dict[str, tuple[int, Sequence[int]]] = {
    "both": (2, (1,)),
    "the last one first": (3, (2, 1)),
    "some": (5, (2, 4)),
    "some of them again": (4, (3, 1, 3, 1)),
    "none": (3, ()),
}


def made(store: MemoryStorage) -> dict[str, bytes]:
    """What is in the store but for parts."""
    return {key: data for key, data in store.objects.items() if "/parts/" not in key}


def by_one(delivery: Delivery, folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    workshop = delivery.workshop(folder)
    return workshop.ingest(**delivery.asked), made(workshop.store)


def by_several(
    delivery: Delivery, folder: Path, workers: int, coming: Sequence[int]
) -> tuple[dict[str, Any], dict[str, bytes]]:
    workshop = delivery.workshop(folder)
    asked = {**delivery.asked, "workers": workers}
    for worker in coming:
        workshop.lend_a_hand(worker, **asked)
    return workshop.ingest(**asked), made(workshop.store)


@pytest.mark.parametrize("delivery", TAKEN.values(), ids=TAKEN)
def test_the_version_is_that_of_one_worker(delivery: Delivery, tmp_path: Path) -> None:
    wanted = by_one(delivery, tmp_path / "one")
    for name, (workers, coming) in COMINGS.items():
        assert by_several(delivery, tmp_path / name, workers, coming) == wanted, name


@pytest.mark.parametrize("delivery", REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_that_of_one_worker(delivery: Delivery, tmp_path: Path) -> None:
    with pytest.raises(Failure) as wanted:
        by_one(delivery, tmp_path / "one")
    for name, (workers, coming) in COMINGS.items():
        with pytest.raises(Failure) as told:
            by_several(delivery, tmp_path / name, workers, coming)
        assert told.value.reason == wanted.value.reason, name
        assert told.value.message == wanted.value.message, name
        assert told.value.exit_code is wanted.value.exit_code, name


def staged(delivery: Delivery, folder: Path, workers: int, coming: Sequence[int]) -> list[bytes]:
    """The files of rows that are described and checked."""
    workshop = delivery.workshop(folder)
    for worker in coming:
        workshop.lend_a_hand(worker, **delivery.asked, workers=workers)
    rows = folder / "rows"
    rows.mkdir()
    made = workshop.take_in(rows, **delivery.asked, workers=workers)
    return [path.read_bytes() for path in made]


@pytest.mark.parametrize("delivery", TAKEN.values(), ids=TAKEN)
def test_the_rows_lie_as_one_worker_lays_them(delivery: Delivery, tmp_path: Path) -> None:
    wanted = staged(delivery, tmp_path / "one", 1, ())
    assert staged(delivery, tmp_path / "several", 3, (2,)) == wanted


def test_batches_and_files_end_where_they_do_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of rows so many that a batch is written in two groups, and a file is full in between."""
    monkeypatch.setattr(staging, "FILE_ROWS", 1_500_000)
    rows = "7\n" * 2_200_000
    delivery = csv(*(f"a\n{rows}" for _ in range(2)), "a\n1\n2.5\n")
    wanted = staged(delivery, tmp_path / "one", 1, ())
    assert len(wanted) > 2
    assert staged(delivery, tmp_path / "several", 2, (1,)) == wanted


SPOILT = {".json": (b"", b"{", b'{"v":1}', b'{"v":2}'), ".parquet": (b"PAR1", b"")}


@pytest.mark.parametrize("end", SPOILT)
def test_a_part_that_is_not_as_it_was_left_is_read_again(tmp_path: Path, end: str) -> None:
    delivery = TAKEN["numbers"]
    wanted = by_one(delivery, tmp_path / "one")
    workshop = delivery.workshop(tmp_path / "several")
    for worker in (1, 2):
        workshop.lend_a_hand(worker, workers=3)
    left = sorted(key for key in workshop.store.objects if key.endswith(end) and "/parts/" in key)
    for number, key in enumerate(left):
        workshop.store.objects[key] = SPOILT[end][number % len(SPOILT[end])]
    assert len(left) > 2
    assert workshop.ingest(workers=3) == wanted[0]
    assert made(workshop.store) == wanted[1]


@pytest.mark.parametrize("end", SPOILT)
def test_a_part_of_which_something_is_gone_is_read_again(tmp_path: Path, end: str) -> None:
    delivery = TAKEN["numbers"]
    wanted = by_one(delivery, tmp_path / "one")
    workshop = delivery.workshop(tmp_path / "several")
    for worker in (1, 2):
        workshop.lend_a_hand(worker, workers=3)
    for key in [key for key in workshop.store.objects if key.endswith(end) and "/parts/" in key]:
        del workshop.store.objects[key]
    assert workshop.ingest(workers=3) == wanted[0]


def test_a_part_is_of_one_listing(tmp_path: Path) -> None:
    workshop = csv("a\n1\n", "a\n2\n", "a\n3\n").workshop(tmp_path / "d")
    for worker in (1, 2):
        workshop.lend_a_hand(worker, workers=3)
    workshop.deliver(**{"002_csv": "a\n9\n"})
    assert workshop.ingest(workers=3)["rows"] == 3
    alone, rows = by_one(csv("a\n1\n", "a\n2\n", "a\n9\n"), tmp_path / "alone")
    assert made(workshop.store)[alone["manifest"]] == rows[alone["manifest"]]


def calls(delivery: Delivery, folder: Path, worker: int, before: dict[str, bytes]) -> list[str]:
    store = BusyStorage(dict(before))
    work(delivery, folder, store, worker)
    return store.calls


def work(
    delivery: Delivery, folder: Path, store: MemoryStorage, worker: int
) -> dict[str, Any] | None:
    workshop = delivery.workshop(folder, store)
    if worker:
        workshop.lend_a_hand(worker, workers=2)
        return None
    return workshop.ingest(workers=2)


@pytest.mark.parametrize("late", [False, True], ids=["before a call", "after a call"])
@pytest.mark.parametrize("worker", [0, 1], ids=["the first", "another"])
def test_killed_at_any_point_and_run_again_it_is_as_if_it_never_was(
    tmp_path: Path, worker: int, late: bool
) -> None:
    delivery = csv("a\n1\n", "a\n2.5\n", "a\n0\n")
    wanted = by_one(delivery, tmp_path / "one")
    before: dict[str, bytes] = {}
    if not worker:
        left = MemoryStorage()
        work(delivery, tmp_path / "other", left, 1)
        before = dict(left.objects)

    def kill() -> None:
        raise Killed

    for at in range(len(calls(delivery, tmp_path / "counted", worker, before))):
        store = BusyStorage(dict(before), at=at, happens=kill, late=late)
        with pytest.raises(Killed):
            work(delivery, tmp_path / f"killed-{at}", store, worker)
        after = MemoryStorage(store.objects)
        if worker and at % 2:  # and it may never come again
            work(delivery, tmp_path / f"again-{at}", after, worker)
        assert work(delivery, tmp_path / f"first-{at}", after, 0) == wanted[0]
        assert made(after) == wanted[1]


def test_what_another_worker_cannot_read_is_told_by_the_first(tmp_path: Path) -> None:
    delivery = csv("a\n1\n", "a\n2\n", "a\n3\n", "a\n4,5\n")
    workshop = delivery.workshop(tmp_path / "d")
    workshop.lend_a_hand(1, workers=2)
    assert [key for key in workshop.store.objects if key.endswith(".fault")]
    with pytest.raises(Failure, match=r"003\.csv, row 2"):
        workshop.ingest(workers=2)


def test_a_source_that_changes_under_another_worker_is_worth_another_try(tmp_path: Path) -> None:
    workshop = csv("a\n1\n", "a\n2\n").workshop(tmp_path / "d")
    fingerprint = workshop.fingerprint()
    workshop.source.objects["raw/power/001.csv"] = b"a\n3\n"
    with pytest.raises(Failure, match="not those that were listed") as told:
        workshop.lend_a_hand(1, fingerprint, workers=2)
    assert told.value.exit_code is Exit.INFRASTRUCTURE


def test_parts_go_when_the_run_is_over_with_those_that_were_lost_before(tmp_path: Path) -> None:
    store = TAKEN["numbers"].workshop(tmp_path / "d").store
    kept = ["runs/ns/u-1/job/result.json", "runs/ns/u-2/job/parts/x/0.json", "cas/ns/parts/x"]
    gone = ["runs/ns/u-1/job/parts/x/00000.json", "runs/ns/u-1/other/parts/y/00000-0.parquet"]
    store.objects |= dict.fromkeys([*kept, *gone], b"")
    pool.clear(cast("Storage", store), "runs/ns/u-1/job/")
    assert sorted(store.objects) == sorted(kept)
