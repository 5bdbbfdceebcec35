"""Workers of one ingest over Dask: whoever has which part, the version is that of one worker."""

import pickle
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.runner.dask_pods import at_home, helpers
from tests.unit.runner.deliveries import REFUSED, TAKEN, Delivery, csv
from tests.unit.runner.memory import MemoryStorage
from tests.unit.runner.test_crew import by_one, made

from tidemill_runner.cluster.board import Board, Notice
from tidemill_runner.exits import Exit
from tidemill_runner.failures import EXITS, Failure
from tidemill_runner.storage import Storage

__all__ = ["at_home"]
pytestmark = pytest.mark.usefixtures("at_home")

ASKED: dict[str, Any] = {
    "schema": {"columns": [{"name": "a", "min": "0", "maxViolationFraction": "0.5"}]},
    "checks": [
        {"name": "once", "unique": {"columns": ["b", "c"], "exact": True}, "severity": "Warn"},
        {"name": "nearly", "unique": {"columns": ["a"]}, "severity": "Warn"},
        {"name": "again", "duplicateRows": {}, "severity": "Warn"},
        {"name": "grows", "monotonic": {"column": "a"}, "severity": "Warn"},
        {"name": "low", "expression": "a < 50", "severity": "Warn"},
        {"name": "told", "leakage": {"target": "c", "threshold": "0.9"}, "severity": "Warn"},
        {"name": "enough", "rowCount": {"min": 1000}},
    ],
    "describe": {"groups": [{"column": "c"}], "label": "b"},
}
LARGE = csv(
    *(
        "a,b,c\n" + "".join(f"{(n * 37 + f) % 90 - 3},{n % 7},{n % 3}\n" for n in range(200))
        for f in range(7)
    ),
    asked=ASKED,
)
DELIVERIES = {
    "judged": LARGE,
    **{
        name: TAKEN[name]
        for name in (
            "numbers",
            "empty and numbers",
            "folders",
            "sparse",
            "columnar times",
            "checked",
            "left where it is",
        )
    },
}


def over_dask(
    delivery: Delivery, folder: Path, workers: int = 3
) -> tuple[dict[str, Any], dict[str, bytes]]:
    store = MemoryStorage()
    workshop = delivery.workshop(folder, store)
    with helpers(delivery, folder, store, workers) as raised:
        result = workshop.ingest(**delivery.asked, workers=workers, engine="Dask")
    assert raised == []
    return result, made(store)


@pytest.mark.parametrize("delivery", DELIVERIES.values(), ids=DELIVERIES)
def test_the_version_is_that_of_one_worker(delivery: Delivery, tmp_path: Path) -> None:
    wanted = by_one(delivery, tmp_path / "one")
    assert over_dask(delivery, tmp_path / "three") == wanted


def test_alone_the_first_does_all(tmp_path: Path) -> None:
    wanted = by_one(LARGE, tmp_path / "one")
    workshop = LARGE.workshop(tmp_path / "three")
    result = workshop.ingest(**LARGE.asked, workers=3, engine="Dask")
    assert (result, made(workshop.store)) == wanted


@pytest.mark.parametrize("name", ["text beside numbers", "no rows", "names alike in all"])
def test_a_refusal_is_that_of_one_worker(name: str, tmp_path: Path) -> None:
    delivery = REFUSED[name]
    with pytest.raises(Failure) as wanted:
        by_one(delivery, tmp_path / "one")
    with pytest.raises(Failure) as told:
        delivery.workshop(tmp_path / "three").ingest(**delivery.asked, workers=3, engine="Dask")
    assert (told.value.reason, told.value.message) == (wanted.value.reason, wanted.value.message)


def test_what_a_worker_cannot_do_is_told_and_no_scheduler_is_named_any_more(
    tmp_path: Path,
) -> None:
    """A part that is lost from the pool, and of which the source has another meanwhile."""
    delivery = csv("a\n1\n", "a\n2\n", "a\n3\n")
    workshop = delivery.workshop(tmp_path / "d")
    store = workshop.store
    seen: list[str] = []

    class Losing(MemoryStorage):
        def put(self, key: str, data: bytes) -> None:
            super().put(key, data)
            if key.endswith("/scheduler"):
                seen.append(key)
                lost = next(k for k in self.objects if k.endswith("00001.json"))
                del self.objects[lost]
                workshop.source.objects["raw/power/001.csv"] = b"a\n7\n"

    workshop.store = Losing(store.objects)
    with pytest.raises(Failure, match=r"not those that were listed|was replaced") as told:
        workshop.ingest(workers=3, engine="Dask")
    assert told.value.exit_code is Exit.INFRASTRUCTURE
    assert seen
    assert seen[0] not in workshop.store.objects


@pytest.mark.parametrize("reason", EXITS)
def test_a_failure_is_the_same_in_another_process(reason: str) -> None:
    failure = Failure(reason, "spec.x: no", Exit.INFRASTRUCTURE)
    other = pickle.loads(pickle.dumps(failure))  # noqa: S301 - our own
    assert (other.reason, other.message, other.exit_code) == (
        reason,
        "spec.x: no",
        Exit.INFRASTRUCTURE,
    )


@pytest.mark.parametrize("data", [b"", b"{", b'{"address": 1, "x": 2}', b"[]"])
def test_a_notice_that_cannot_be_read_is_none(data: bytes) -> None:
    store = MemoryStorage()
    board = Board(cast("Storage", store), "runs/x/")
    assert board.look() is None
    board.put(Notice("tls://a:1", "c", "k"))
    assert board.look() == Notice("tls://a:1", "c", "k")
    store.objects["runs/x/scheduler"] = data
    assert board.look() is None
