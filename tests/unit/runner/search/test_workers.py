"""Processes that share the rows: what each of them is given, and what is said where one is lost."""

import os
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.runner.search.benches import GRID, RANDOM, searching, told

from tidemill_runner.failures import Failure
from tidemill_runner.search import workers
from tidemill_runner.search.trial import Outcome


@pytest.mark.parametrize("texts", [False, True], ids=["numbers", "texts"])
def test_each_has_the_rows_as_they_are(tmp_path: Path, texts: bool) -> None:
    bench = searching(tmp_path, GRID).bench
    features = bench.features.astype(object) if texts else bench.features
    bench = replace(bench, features=features, weights=np.arange(len(features), dtype=np.float64))
    shared = workers.Shared.of(bench, tmp_path)
    assert shared.bench.features.size == shared.bench.target.size == 0
    opened = shared.open()
    assert (opened.features == features).all()
    assert opened.features.dtype == features.dtype
    assert (opened.target == bench.target).all()
    assert opened.weights is not None
    assert opened.weights.tolist() == list(range(len(features)))
    # What is mapped is one file for all.
    assert opened.features.flags.owndata == texts


@pytest.mark.parametrize(("parallelism", "cpus", "started"), [(2, 2, 1), (1, 2, 0), (4, 1, 0)])
def test_processes_are_prepared_where_there_will_be_some(
    monkeypatch: pytest.MonkeyPatch, parallelism: int, cpus: int, started: int
) -> None:
    """With one thread for each, which they read when they begin."""
    seen: list[str | None] = []
    monkeypatch.setattr("tidemill_runner.threads.cpu_limit", lambda: cpus)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(
        workers.forkserver,
        "ensure_running",
        lambda: seen.append(os.environ.get("OMP_NUM_THREADS")),
    )
    workers.warm(parallelism)
    assert seen == ["1"] * started


def test_a_process_that_is_killed_is_told_of() -> None:
    future: Future[Outcome] = Future()
    future.set_exception(BrokenProcessPool())
    with pytest.raises(Failure, match=r"lower spec\.search\.parallelism") as caught:
        workers._result(future)
    assert caught.value.reason == "OOMKilled"


def test_a_search_that_stops_early_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemill_runner.threads.cpu_limit", lambda: 2)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    search = {**RANDOM, "trials": 20, "parallelism": 2, "earlyStopping": {"trials": 1}}
    several = searching(tmp_path, search).run()
    alone = searching(tmp_path, {**search, "parallelism": 1}).run()
    assert told(several) == told(alone)
    assert len(several.outcomes) < 20
    for process in workers.multiprocessing.active_children():
        process.join(10)
        assert not process.is_alive()
