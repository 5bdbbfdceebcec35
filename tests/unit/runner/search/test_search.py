"""A search: which trials there are, in what order, which is the best, when it stops, what fails."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier
from tests.unit.runner.search.benches import (
    GRID,
    RANDOM,
    TPE,
    found,
    rows,
    searching,
    told,
)

from tidemill_runner.failures import Failure
from tidemill_runner.search import trial
from tidemill_runner.split import divide


def test_a_grid_is_gone_through_in_a_fixed_order(tmp_path: Path) -> None:
    result = found(tmp_path, GRID)
    tried = [(o.params["s0__max_depth"], o.params["s0__min_samples_leaf"]) for o in result.outcomes]
    assert tried == list(itertools.product([1, 2, 4], [2, 30]))
    assert [o.number for o in result.outcomes] == list(range(6))


def test_values_and_the_best_are_those_of_scikit_learn(tmp_path: Path) -> None:
    result = found(tmp_path, {**GRID, "metric": "roc_auc"})
    data, _ = rows()
    train = divide(data.n, searching(tmp_path, GRID).bench.training.split, None, 3).train
    oracle = GridSearchCV(
        Pipeline([("s0", DecisionTreeClassifier(random_state=3))]),
        {"s0__max_depth": [1, 2, 4], "s0__min_samples_leaf": [2, 30]},
        scoring="roc_auc",
        cv=StratifiedKFold(3, shuffle=True, random_state=3),
    ).fit(data.features[train], data.target[train])
    values = [o.value for o in result.outcomes]
    assert values == pytest.approx(list(oracle.cv_results_["mean_test_score"]))
    assert result.best.params == oracle.best_params_


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_the_best_is_the_first_of_the_best(tmp_path: Path, metric: str) -> None:
    result = found(tmp_path, {**GRID, "metric": metric})
    values = [o.value or 0.0 for o in result.outcomes]
    best = max(values) if metric == "accuracy" else min(values)
    assert result.best.number == values.index(best)


@pytest.mark.parametrize("search", [GRID, RANDOM], ids=["Grid", "Random"])
def test_what_comes_of_it_does_not_depend_on_how_many_run_at_a_time(
    tmp_path: Path, search: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemill_runner.threads.cpu_limit", lambda: 2)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    one, two = (found(tmp_path, {**search, "parallelism": n}) for n in (1, 2))
    assert told(one) == told(two)


def test_never_more_run_at_a_time_than_there_are_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemill_runner.threads.cpu_limit", lambda: 1)
    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor.submit", None)
    assert len(found(tmp_path, {**RANDOM, "parallelism": 8}).outcomes) == 8


@pytest.mark.parametrize("search", [RANDOM, TPE], ids=["Random", "TPE"])
def test_the_same_seed_draws_the_same(tmp_path: Path, search: dict[str, Any]) -> None:
    one, again = (found(tmp_path, search) for _ in range(2))
    other = found(tmp_path, search, seed=4)
    assert told(one) == told(again)
    assert [o.params for o in one.outcomes] != [o.params for o in other.outcomes]


def test_what_tpe_draws_follows_from_what_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    for sign in (1, -1):
        values_of(monkeypatch, *[sign * (n % 7) / 7 for n in range(14)])
        drawn.append([o.params for o in found(tmp_path, TPE).outcomes])
    assert drawn[0][:10] == drawn[1][:10]
    assert all(one != other for one, other in zip(drawn[0][10:], drawn[1][10:], strict=True))


def test_what_is_drawn_lies_in_its_range(tmp_path: Path) -> None:
    for outcome in found(tmp_path, {**RANDOM, "trials": 30}).outcomes:
        leaf, alpha = outcome.params["s0__min_samples_leaf"], outcome.params["s0__ccp_alpha"]
        assert isinstance(leaf, int)
        assert 2 <= leaf <= 40
        assert 0 <= alpha <= 0.05
        assert outcome.params["s0__max_depth"] in (1, 2, None)


def values_of(monkeypatch: pytest.MonkeyPatch, *values: float | None) -> None:
    """Let trials have these values, None for one that fails."""

    def measure(bench: trial.Bench, _: Any, fold: int) -> float:
        count[0] += 1
        value = values[(count[0] - 1) // bench.folds.count]
        if value is None:
            count[0] += bench.folds.count - 1
            raise Failure("FitFailed", "it fell over")
        return value + fold * 0.0

    count = [0]
    monkeypatch.setattr(trial, "_measure", measure)


@pytest.mark.parametrize(
    ("values", "done", "best"),
    [
        ((0.5, 0.6, 0.6, 0.6, 0.9, 0.1, 0.1, 0.1), 4, 1),
        ((0.5, 0.6, 0.5, 0.7, 0.5, 0.8, 0.1, 0.1), 8, 5),
        ((None, None, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5), 2, None),
        ((0.5, None, None, 0.9, 0.5, 0.5, 0.5, 0.5), 3, 0),
        ((0.5, 0.6, 0.7, 0.8, 0.81, 0.82, 0.83, 0.84), 8, 7),
    ],
    ids=["equal is not better", "one in between", "failed at once", "failed", "ever better"],
)
def test_it_stops_after_so_many_that_were_no_better(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    values: tuple[float | None, ...],
    done: int,
    best: int | None,
) -> None:
    values_of(monkeypatch, *values)
    search = searching(tmp_path, {**RANDOM, "earlyStopping": {"trials": 2}})
    if best is None:
        with pytest.raises(Failure, match="all 2 trials failed"):
            search.run()
        return
    result = search.run()
    assert (len(result.outcomes), result.best.number) == (done, best)


def test_failed_trials_are_counted_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values_of(monkeypatch, 0.5, None, 0.7, None, 0.6, 0.6, 0.6, 0.6)
    result = found(tmp_path, RANDOM)
    assert (result.failed, result.best.number) == (2, 2)
    failed = result.content()["trials"][1]
    assert (failed["reason"], failed["message"]) == ("FitFailed", "it fell over")
    assert "value" not in failed


def test_where_all_failed_the_run_fails_with_the_first_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values_of(monkeypatch, *[None] * 8)
    with pytest.raises(Failure, match="all 8 trials failed; the first of them: it fell") as caught:
        found(tmp_path, RANDOM)
    assert caught.value.reason == "FitFailed"


def test_a_trial_that_is_out_of_memory_is_a_failed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(*_: object) -> float:
        raise MemoryError("12 GiB")

    monkeypatch.setattr(trial, "_measure", measure)
    with pytest.raises(Failure, match="out of memory: 12 GiB"):
        found(tmp_path, RANDOM)


def test_rows_held_out_take_no_part(tmp_path: Path) -> None:
    """Whatever they hold, the trials are the same; and a leak in them leads nobody astray."""
    data, _ = rows()
    split = searching(tmp_path, GRID).bench.training.split
    held = divide(data.n, split, None, 3).holdout
    features, target = data.features.copy(), data.target.copy()
    features[held, 0] = np.where(target[held] == 1, 1e6, -1e6)
    target[held[:10]] = 1 - target[held[:10]]
    leaking = replace(data, features=features, target=target)
    clean, leaked = found(tmp_path, RANDOM), found(tmp_path, RANDOM, data=leaking)
    assert told(clean) == told(leaked)


def test_what_matters_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values_of(monkeypatch, *[i / 10 for i in range(8)])
    shares = found(tmp_path, RANDOM).importance
    assert set(shares) == set(RANDOM["space"])
    assert sum(shares.values()) == pytest.approx(1)
