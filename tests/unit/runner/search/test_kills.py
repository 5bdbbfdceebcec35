"""A search that is killed goes on where it was, and comes to the same end."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.memory import MemoryStorage
from tests.unit.runner.search.benches import GRID, RANDOM, TPE, found, searching, told

from tidemill_runner.search import trial


class Killed(BaseException):
    """The pod is gone."""


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many folds were judged; a negative number beside it kills at that one."""
    counted = [0, -1]
    measure = trial._measure

    def counting(*args: Any) -> float:
        if counted[0] == counted[1]:
            raise Killed
        counted[0] += 1
        return measure(*args)

    monkeypatch.setattr(trial, "_measure", counting)
    return counted


@pytest.mark.parametrize("search", [GRID, RANDOM, TPE], ids=["Grid", "Random", "TPE"])
def test_killed_at_every_fold_it_comes_to_the_same_end(
    tmp_path: Path, fits: list[int], search: dict[str, Any]
) -> None:
    early = {**search, "earlyStopping": {"trials": 6}}
    whole = found(tmp_path, early)
    folds, total = 3, fits[0]
    assert total == folds * len(whole.outcomes)
    # The first ten draws of TPE are those of Random.
    for kill in range(30 if search is TPE else 0, total):
        store = MemoryStorage()
        fits[:] = [0, kill]
        with pytest.raises(Killed):
            searching(tmp_path, early, store).run()
        fits[:] = [0, -1]
        again = searching(tmp_path, early, store).run()
        assert told(again) == told(whole)
        # What was begun is done anew, what was finished is not.
        assert fits[0] == total - kill // folds * folds


def test_killed_at_every_write_it_comes_to_the_same_end(tmp_path: Path, fits: list[int]) -> None:
    whole = found(tmp_path, RANDOM)
    for survive in range(8):
        store = Dying(survive=survive)
        with pytest.raises(Killed):
            searching(tmp_path, RANDOM, store).run()
        store.survive, fits[0] = 1000, 0
        assert told(searching(tmp_path, RANDOM, store).run()) == told(whole)
        assert fits[0] == 3 * (8 - survive)


class Dying(MemoryStorage):
    """A store before whose next write the pod is killed."""

    def __init__(self, survive: int) -> None:
        super().__init__()
        self.survive = survive

    def put(self, key: str, data: bytes) -> None:
        if not self.survive:
            raise Killed
        self.survive -= 1
        super().put(key, data)


def test_a_search_that_is_done_is_not_done_again(tmp_path: Path, fits: list[int]) -> None:
    store = MemoryStorage()
    first = searching(tmp_path, TPE, store).run()
    fits[0] = 0
    assert searching(tmp_path, TPE, store).run() == first
    assert fits[0] == 0


def test_trials_lie_beside_what_the_jobs_of_the_run_write(tmp_path: Path) -> None:
    store = MemoryStorage()
    searching(tmp_path, GRID, store).run()
    assert sorted(store.objects) == [f"runs/ns/u-1/search/{n:05d}.json" for n in range(6)]


@pytest.mark.parametrize(
    "change",
    [{"seed": 9}, {"split": {"holdout": "0.4", "by": "Random"}}, {"target": "z"}],
    ids=["seed", "split", "target"],
)
def test_trials_of_other_rows_or_seeds_do_not_count(
    tmp_path: Path, fits: list[int], change: dict[str, Any]
) -> None:
    store = MemoryStorage()
    searching(tmp_path, GRID, store).run()
    fits[0] = 0
    searching(tmp_path, GRID, store, **change).run()
    assert fits[0] == 18


def test_trials_of_other_parameters_do_not_count(tmp_path: Path, fits: list[int]) -> None:
    store = MemoryStorage()
    searching(tmp_path, GRID, store).run()
    space = {**GRID["space"], "s0__max_depth": {"values": [1, 3]}}
    fits[0] = 0
    result = searching(tmp_path, {**GRID, "space": space}, store).run()
    assert [o.params["s0__max_depth"] for o in result.outcomes] == [1, 1, 3, 3]
    assert fits[0] == 6


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b'{"format": "tidemill.dev/trial/v1"}',
        {"number": "1"},
        {"value": None},
        {"reason": "FitFailed"},
        {"folds": 3},
        {"params": []},
        {"more": 1},
        {"value": "0.5"},
    ],
    ids=str,
)
def test_what_cannot_be_read_is_done_again(
    tmp_path: Path, fits: list[int], damage: bytes | dict[str, Any]
) -> None:
    store = MemoryStorage()
    whole = searching(tmp_path, GRID, store).run()
    key = "runs/ns/u-1/search/00001.json"
    content = json.loads(store.objects[key])
    if isinstance(damage, dict):
        damage = json.dumps({**content, **damage}).encode()
    store.objects[key] = damage
    fits[0] = 0
    assert told(searching(tmp_path, GRID, store).run()) == told(whole)
    assert fits[0] == 3
