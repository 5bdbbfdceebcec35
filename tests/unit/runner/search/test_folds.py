"""How rows are cut: at random each is judged once, in an order by what came before."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from tests.unit.runner.search.benches import GRID, document

from tidemill_runner.failures import Failure
from tidemill_runner.search.folds import cut
from tidemill_runner.train_input import Split

TARGET = np.tile([0, 0, 1], 20)


def training(by: str, task: str = "Classification") -> Any:
    split = Split(by, Decimal("0.2"), "t" if by == "Time" else None)
    return replace(document(GRID).training, split=split, task=task)


@pytest.mark.parametrize("grouped", [False, True], ids=["rows", "groups"])
@pytest.mark.parametrize("task", ["Classification", "Regression"])
def test_at_random_each_row_is_judged_once(task: str, grouped: bool) -> None:
    groups = np.arange(60) % 12 if grouped else None
    folds = cut(training("Random", task), 4, TARGET, groups)
    judged = [folds.rows(k)[1] for k in range(4)]
    assert sorted(np.concatenate(judged).tolist()) == list(range(60))
    for fold in range(4):
        fitted, left = folds.rows(fold)
        assert len(fitted) + len(left) == 60
        if groups is not None:
            assert not set(groups[fitted]) & set(groups[left])


def test_classes_are_spread_over_the_folds() -> None:
    folds = cut(training("Random"), 5, TARGET, None)
    assert [int(TARGET[folds.rows(k)[1]].sum()) for k in range(5)] == [4] * 5


@pytest.mark.parametrize("by", ["Order", "Time"])
def test_in_an_order_only_what_came_before_is_fitted(by: str) -> None:
    folds = cut(training(by), 4, TARGET, None)
    for fold in range(4):
        fitted, left = folds.rows(fold)
        assert fitted.tolist() == list(range(12 * (fold + 1)))
        assert left.tolist() == list(range(12 * (fold + 1), 12 * (fold + 2)))


def test_groups_that_are_judged_are_not_fitted_in_an_order_either() -> None:
    days = np.arange(60) // 7
    folds = cut(training("Time"), 4, TARGET, days)
    for fold in range(4):
        fitted, left = folds.rows(fold)
        assert fitted.max() < left.min()
        assert not set(days[fitted]) & set(days[left])
    assert [len(folds.rows(k)[0]) for k in range(4)] == [7, 21, 35, 42]


def test_the_seed_draws_the_folds() -> None:
    one, again = (cut(training("Random"), 3, TARGET, None) for _ in range(2))
    other = cut(replace(training("Random"), seed=8), 3, TARGET, None)
    assert one.part.tolist() == again.part.tolist() != other.part.tolist()


TEXTS = np.array(["no", "yes"] * 30, dtype=object)


def test_classes_may_be_texts() -> None:
    folds = cut(training("Random"), 3, TEXTS, None)
    assert [len(folds.rows(k)[1]) for k in range(3)] == [20, 20, 20]


OVER_TIME = (
    "fold 1 of 4 has no rows to fit, when those of groups that are judged are left out: "
    "group by what lies together in time, such as a day, or use spec.split.by Random"
)


@pytest.mark.parametrize(
    ("by", "count", "target", "groups", "told"),
    [
        ("Random", 4, TARGET[:3], None, "3 rows to train on cannot be cut into 4 parts"),
        ("Order", 4, TARGET[:4], None, "4 rows to train on cannot be cut into 5 parts"),
        (
            *("Random", 4, TARGET, np.arange(60) % 3),
            "3 groups among the rows to train on cannot be cut into 4 parts",
        ),
        ("Random", 4, np.arange(6), None, "no class has 4 rows to train on, one for each fold"),
        (
            *("Time", 4, TARGET, np.arange(60) % 6),
            OVER_TIME,
        ),
    ],
    ids=["few rows", "few rows in order", "few groups", "few of each class", "groups over time"],
)
def test_what_cannot_be_cut(by: str, count: int, target: Any, groups: Any, told: str) -> None:
    with pytest.raises(Failure) as caught:
        cut(training(by), count, target, groups)
    assert caught.value.message.startswith("spec.search.cv.folds: ")
    assert told in caught.value.message
    assert caught.value.reason == "SplitInvalid"
