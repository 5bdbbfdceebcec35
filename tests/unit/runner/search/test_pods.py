"""A search over several pods comes to what one pod comes to, whoever of them is lost."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.memory import MemoryStorage
from tests.unit.runner.search.benches import GRID, RANDOM, TPE, found, told
from tests.unit.runner.search.teams import (
    PREFIX,
    FolderStorage,
    ask,
    at_home,
    helped,
    helper,
    led,
    start,
    team,
)
from tests.unit.runner.search.test_halving import HALVING

from tidemill_runner.cluster.board import Board, Notice
from tidemill_runner.failures import Failure
from tidemill_runner.search import pods, trial
from tidemill_runner.search.workers import Several

__all__ = ["at_home"]
pytestmark = pytest.mark.usefixtures("at_home")
# Fits that take long enough for somebody to be killed at one.
SLOW: dict[str, Any] = {
    "method": "Random",
    "trials": 12,
    "parallelism": 2,
    "space": {"s0__ccp_alpha": {"low": "0", "high": "0.05", "type": "Float"}},
    "cv": {"folds": 20},
}


@pytest.mark.parametrize(
    "search", [GRID, RANDOM, TPE, HALVING], ids=["Grid", "Random", "TPE", "Halving"]
)
def test_two_pods_come_to_what_one_does(tmp_path: Path, search: dict[str, Any]) -> None:
    search = {**search, "parallelism": 2}
    store = MemoryStorage()
    with helper(lambda: helped(tmp_path / "other", store, 1, 2, search)) as raised:
        shared = led(tmp_path, store, 2, search).run()
    assert raised == []
    assert told(shared) == told(found(tmp_path / "one", search))
    assert len([key for key in store.objects if "/search/" in key]) == len(shared.outcomes)


def test_the_first_pod_alone_does_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pods, "GATHER_SECONDS", 0.1)
    search = {**GRID, "parallelism": 3}
    shared = led(tmp_path, MemoryStorage(), 3, search).run()
    assert told(shared) == told(found(tmp_path / "one", search))


def test_where_all_is_done_no_cluster_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStorage()
    first = found(tmp_path / "one", GRID, store=store)
    monkeypatch.setattr(pods, "_scheduling", None)
    assert told(led(tmp_path, store, 2, GRID).run()) == told(first)
    # Others that wait are told that it is over.
    assert Board(store, PREFIX).look() == Notice()  # type: ignore[arg-type]


def test_who_comes_when_it_is_over_goes(tmp_path: Path) -> None:
    store = MemoryStorage()
    led(tmp_path, store, 2, GRID).team.board.put(Notice())  # type: ignore[union-attr]
    helped(tmp_path / "other", store, 1, 2, GRID)


def test_who_comes_back_when_all_is_taken_away_goes(tmp_path: Path) -> None:
    store = MemoryStorage()
    search = led(tmp_path, store, 2, GRID)

    def all_done(_: float) -> None:
        store.objects.clear()

    pods.join(search.bench, 1, team(tmp_path / "x", store, 2), 1, all_done)


def test_where_nobody_comes_a_pod_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pods, "PATIENCE", 3)
    looks: list[float] = []
    search = led(tmp_path, MemoryStorage(), 2, GRID)
    pods.join(search.bench, 1, team(tmp_path / "x", MemoryStorage(), 2), 1, looks.append)
    assert len(looks) == 3


def test_a_trial_that_fails_in_another_pod_is_a_failed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = {**GRID, "parallelism": 2, "metric": "roc_auc"}
    store = MemoryStorage()
    monkeypatch.setattr(Several, "one", _fails)
    with (
        helper(lambda: helped(tmp_path / "other", store, 1, 2, search)),
        pytest.raises(Failure, match="all 6 trials failed"),
    ):
        led(tmp_path, store, 2, search).run()
    assert Board(store, PREFIX).look() == Notice()  # type: ignore[arg-type]


def _fails(_: Several, wanted: trial.Wanted) -> trial.Outcome:
    return trial.Outcome(wanted.number, wanted.params, None, (), "FitFailed", "no", 0.0)


def test_what_kills_a_process_of_another_pod_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> trial.Outcome:
        raise Failure("OOMKilled", "a process of the search was killed")

    store = MemoryStorage()
    monkeypatch.setattr(Several, "one", killed)
    monkeypatch.setattr(pods, "GATHER_SECONDS", 0.1)
    with pytest.raises(Failure, match="was killed") as caught:
        led(tmp_path, store, 2, {**GRID, "parallelism": 2}).run()
    assert caught.value.reason == "OOMKilled"
    # The next try has another scheduler: nobody is to look for this one.
    assert Board(store, PREFIX).look() is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parallelism", "workers", "cpus", "each"),
    [(1, 2, 8, 1), (2, 2, 8, 1), (3, 2, 8, 2), (16, 2, 4, 4), (64, 3, 64, 22)],
)
def test_pods_share_what_is_to_run_at_a_time(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    parallelism: int,
    workers: int,
    cpus: int,
    each: int,
) -> None:
    monkeypatch.setattr("tidemill_runner.threads.cpu_limit", lambda: cpus)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cpus)))
    assert team(tmp_path, MemoryStorage(), workers).each(parallelism) == each


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[int], subprocess.Popen[str]]]:
    ask(tmp_path, SLOW, 2)
    running: list[subprocess.Popen[str]] = []

    def begin(worker: int) -> subprocess.Popen[str]:
        running.append(start(tmp_path, worker))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait(30)


def says(folder: Path, worker: int, text: str, times: int = 1) -> None:
    log, end = folder / f"{worker}.log", time.monotonic() + 120
    while log.read_text().count(text) < times:
        assert time.monotonic() < end, log.read_text()[-2000:]
        time.sleep(0.05)


WORKING = "working for the scheduler"


def test_a_pod_that_is_lost_is_done_without(
    tmp_path: Path, started: Callable[[int], subprocess.Popen[str]]
) -> None:
    other, leader = started(1), started(0)
    says(tmp_path, 1, WORKING)
    other.send_signal(signal.SIGKILL)
    out, _ = leader.communicate(timeout=200)
    assert json.loads(out) == told(found(tmp_path / "one", SLOW))


def test_who_is_left_works_for_the_next_first_pod_and_nothing_is_done_twice(
    tmp_path: Path, started: Callable[[int], subprocess.Popen[str]]
) -> None:
    other, leader = started(1), started(0)
    says(tmp_path, 1, WORKING)
    store = FolderStorage(tmp_path / "bucket")
    while not store.list("runs/ns/u-1/search/"):
        assert leader.poll() is None
        time.sleep(0.02)
    leader.send_signal(signal.SIGKILL)
    leader.wait(30)
    kept = {one.key: store.get(one.key, 0) for one in store.list("runs/ns/u-1/search/")}
    out, _ = started(0).communicate(timeout=200)
    assert json.loads(out) == told(found(tmp_path / "one", SLOW))
    assert {key: store.get(key, 0) for key in kept} == kept
    assert other.wait(60) == 0
