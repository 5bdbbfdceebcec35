"""Successive halving: who goes on to the next round, on how many rows, and what is the best."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes it importable
from sklearn.model_selection import HalvingRandomSearchCV
from sklearn.tree import DecisionTreeClassifier
from tests.unit.runner.memory import MemoryStorage
from tests.unit.runner.search.benches import RANDOM, found, rows, searching, told
from tests.unit.runner.search.test_kills import Killed, fits

from tidemill_runner.failures import Failure
from tidemill_runner.search import halving, searched, trial
from tidemill_runner.search.folds import Folds
from tidemill_runner.search.sought import Sought

__all__ = ["fits"]

HALVING: dict[str, Any] = {**RANDOM, "method": "Halving", "trials": 9}


def asked(trials: int, factor: int = 3, least: int | None = None) -> Sought:
    return Sought("Halving", trials, None, (), 3, 1, None, factor, least)


def folds(n: int, count: int = 3) -> Folds:
    return Folds(count, (np.arange(n) % count).astype(np.int8), ordered=False, groups=None)


@pytest.mark.parametrize(
    ("trials", "factor", "least", "n", "expected"),
    [
        (10, 3, None, 1000, [(111, 10), (333, 4), (1000, 2)]),
        (9, 3, None, 1000, [(333, 9), (1000, 3)]),
        (16, 2, None, 1600, [(200, 16), (400, 8), (800, 4), (1600, 2)]),
        (10, 3, 100, 1000, [(100, 10), (300, 4), (900, 2)]),
        (10, 3, 500, 1000, [(500, 10)]),
        (10, 3, 20, 1000, [(20, 10), (60, 4), (180, 2)]),
        (81, 3, None, 60, [(20, 81), (60, 27)]),
        (5, 3, None, 12, [(12, 5)]),
        (1, 3, None, 1000, [(1000, 1)]),
        (2, 3, None, 1000, [(1000, 2)]),
    ],
    ids=[
        "up to all rows",
        "what is left alone is not judged again",
        "by halves",
        "from so many rows",
        "no room for a second round",
        "not up to all rows",
        "few rows, many trials",
        "hardly any rows",
        "one",
        "two",
    ],
)
def test_rounds(
    trials: int, factor: int, least: int | None, n: int, expected: list[tuple[int, int]]
) -> None:
    made = halving.rounds(asked(trials, factor, least), n, folds(n), 2)
    assert [(one.rows, one.trials) for one in made] == expected


@pytest.mark.parametrize(("trials", "factor"), [(10, 3), (16, 2), (28, 3), (26, 3), (50, 4)])
def test_rounds_from_so_many_rows_are_those_of_scikit_learn(trials: int, factor: int) -> None:
    data, _ = rows(1000)
    oracle = HalvingRandomSearchCV(
        DecisionTreeClassifier(),
        {"ccp_alpha": list(np.linspace(0, 0.05, trials))},
        n_candidates=trials,
        factor=factor,
        min_resources=30,
        cv=3,
        random_state=0,
    ).fit(data.features, data.target)
    made = halving.rounds(asked(trials, factor, 30), 1000, folds(1000), 2)
    theirs = list(zip(oracle.n_resources_, oracle.n_candidates_, strict=True))
    # But for a last round of one, which has nobody to be compared with.
    assert [(one.rows, one.trials) for one in made] == [p for p in theirs if p[1] > 1]


@pytest.mark.parametrize(
    ("least", "says"),
    [
        (2000, "spec.search.minRows: there are 1,000 rows to train on: ask for less"),
        (15, "15 rows cannot be cut into folds with all classes in each: ask for 16 or more"),
    ],
)
def test_rows_that_cannot_be_had_are_refused(least: int, says: str) -> None:
    with pytest.raises(Failure) as caught:
        halving.rounds(asked(10, 3, least), 1000, folds(1000), 2)
    assert caught.value.reason == "SpecInvalid"
    assert says in caught.value.message


@given(
    data=st.data(),
    n=st.integers(60, 400),
    seed=st.integers(0, 9),
    share=st.floats(0.05, 0.95),
)
def test_any_first_rows_are_of_all_folds_and_classes(
    data: st.DataObject, n: int, seed: int, share: float
) -> None:
    target = np.array([int(data.draw(st.floats(0, 1)) < share) for _ in range(3)] * (n // 3))
    made = halving.order(folds(len(target)), target, seed, classes=True)
    assert sorted(made) == list(range(len(target)))
    again = halving.order(folds(len(target)), target, seed, classes=True)
    assert made.tolist() == again.tolist()
    for rows_of in (len(target) // 4, len(target) // 2):
        first = made[:rows_of]
        for value in set(target.tolist()):
            there = np.mean(target == value)
            # Each of six strata is off by less than two rows.
            assert abs(np.mean(target[first] == value) - there) * rows_of < 12


def halved(folder: Path, store: MemoryStorage | None = None, **changes: Any) -> Any:
    return searching(folder, {**HALVING, **changes}, store)


def test_the_better_go_on_with_their_parameters(tmp_path: Path) -> None:
    result = halved(tmp_path, trials=10).run()
    assert [(one.rows, one.trials) for one in result.rounds] == [(35, 10), (105, 4)]
    first, second = result.outcomes[:10], result.outcomes[10:]
    assert [one.number for one in result.outcomes] == list(range(14))
    assert {one.rows for one in first} == {35}
    ranked = sorted(first, key=lambda one: -(one.value or 0))
    went_on = sorted(ranked[:4], key=lambda one: one.number)
    assert [one.params for one in second] == [one.params for one in went_on]


def test_the_best_is_of_the_last_round_whatever_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(bench: trial.Bench, _: Any, fold: int) -> float:
        fitted, judged = bench.folds.rows(fold)
        # The more rows, the worse.
        return 1.0 / (len(fitted) + len(judged))

    monkeypatch.setattr(trial, "_measure", measure)
    result = halved(tmp_path).run()
    assert result.best.rows == result.rounds[-1].rows
    assert result.best.number == 9


def test_a_trial_sees_the_rows_of_its_round_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[int]] = []

    def measure(bench: trial.Bench, _: Any, fold: int) -> float:
        fitted, judged = bench.folds.rows(fold)
        assert not set(fitted) & set(judged)
        seen.append({*fitted.tolist(), *judged.tolist()})
        return 0.5

    monkeypatch.setattr(trial, "_measure", measure)
    result = halved(tmp_path).run()
    few, all_rows = seen[0], seen[-1]
    assert [len(few), len(all_rows)] == [one.rows for one in result.rounds]
    assert few < all_rows
    assert all(one in (few, all_rows) for one in seen)


@pytest.mark.parametrize("by", ["Order", "Random"])
def test_in_an_order_a_fit_comes_before_what_it_is_judged_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    order: list[bool] = []

    def measure(bench: trial.Bench, _: Any, fold: int) -> float:
        fitted, judged = bench.folds.rows(fold)
        order.append(fitted.max() < judged.min())
        return 0.5

    monkeypatch.setattr(trial, "_measure", measure)
    searching(tmp_path, HALVING, split={"holdout": "0.2", "by": by}).run()
    assert all(order) if by == "Order" else not any(order)


def test_who_failed_does_not_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(_: trial.Bench, training: Any, __: int) -> float:
        if training.steps[0].params["s0__max_depth".removeprefix("s0__")] != 1:
            raise Failure("FitFailed", "it fell over")
        return 0.5

    monkeypatch.setattr(trial, "_measure", measure)
    result = halved(tmp_path, trials=12).run()
    assert all(one.value is not None for one in result.outcomes if one.rows == 105)
    assert result.failed == sum(one.value is None for one in result.outcomes[:12])


def test_where_the_first_round_fails_the_run_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(*_: object) -> float:
        raise Failure("FitFailed", "it fell over")

    monkeypatch.setattr(trial, "_measure", measure)
    with pytest.raises(Failure, match="all 9 trials failed"):
        halved(tmp_path).run()


def test_killed_at_every_fold_it_comes_to_the_same_end(tmp_path: Path, fits: list[int]) -> None:
    whole = halved(tmp_path).run()
    total = fits[0]
    assert total == 3 * len(whole.outcomes)
    for kill in range(total):
        store = MemoryStorage()
        fits[:] = [0, kill]
        with pytest.raises(Killed):
            halved(tmp_path, store).run()
        fits[:] = [0, -1]
        assert told(halved(tmp_path, store).run()) == told(whole)
        assert fits[0] == total - kill // 3 * 3


def test_trials_on_other_rows_do_not_count(tmp_path: Path, fits: list[int]) -> None:
    store = MemoryStorage()
    halved(tmp_path, store).run()
    fits[0] = 0
    again = halved(tmp_path, store, minRows=30).run()
    assert again.rounds[0].rows == 30
    assert fits[0] == 3 * len(again.outcomes)


def test_what_comes_of_it_does_not_depend_on_how_many_run_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemill_runner.threads.cpu_limit", lambda: 2)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    one, two = (found(tmp_path, {**HALVING, "parallelism": n}) for n in (1, 2))
    assert told(one) == told(two)


def test_numbers_are_halved_likewise() -> None:
    target: NDArray[Any] = np.linspace(0, 1, 90)
    made = halving.order(folds(90), target, 0, classes=False)
    counts = np.bincount(folds(90).part[made[:30]])
    assert all(abs(count - 10) <= 1 for count in counts)


def test_the_report_tells_the_rounds(tmp_path: Path) -> None:
    text = searched.section(halved(tmp_path).run())
    assert "Rounds: 9 on 35 rows, then 3 on 105 rows; the best of each went on." in text
    assert "of the first round" in text
    assert "stopped early" not in text


def test_the_result_tells_the_rounds(tmp_path: Path) -> None:
    content = halved(tmp_path).run().content()
    assert content["rounds"] == [{"rows": 35, "trials": 9}, {"rows": 105, "trials": 3}]
    assert [one["rows"] for one in content["trials"]] == [35] * 9 + [105] * 3
    assert set(content["importance"]) == set(HALVING["space"])
