"""How the rows trained on are cut to judge a trial; those held out are not among them.

At random every row is judged once, by a fit on all other parts: classes are spread over the parts,
and rows of a group stay together. In an order the rows are cut into one part more, each part but
the first is judged by a fit on all before it, and rows of groups that are judged are not fitted.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from tidemill.stats.resampling import Codes
from tidemill_runner.failures import Failure
from tidemill_runner.split import Rows
from tidemill_runner.train_input import Training

FIELD = "spec.search.cv.folds"


@dataclass(frozen=True)
class Folds:
    """`part` says for each row by which fold it is judged, -1 for none; shape (rows,), int8.

    `kept` are the rows that take part at all; all do where there is none.
    """

    count: int
    part: NDArray[np.int8]
    ordered: bool
    groups: Codes | None
    kept: NDArray[np.bool_] | None = None

    def rows(self, fold: int) -> tuple[Rows, Rows]:
        """Those to fit and those to judge, in the order of the rows."""
        judged = self.part == fold
        fitted = self.part < fold if self.ordered else ~judged
        if self.kept is not None:
            judged, fitted = judged & self.kept, fitted & self.kept
        if self.groups is not None and self.ordered:
            fitted &= ~np.isin(self.groups, np.unique(self.groups[judged]))
        return np.flatnonzero(fitted), np.flatnonzero(judged)


def cut(training: Training, count: int, target: NDArray[Any], groups: Codes | None) -> Folds:
    """Cut rows in the order of the split; `target` and `groups` of shape (rows,)."""
    n = len(target)
    whole = n if groups is None else len(np.unique(groups))
    ordered = training.split.by in ("Order", "Time")
    parts = count + 1 if ordered and groups is None else count
    if whole < parts:
        what = "rows to train on" if groups is None else "groups among the rows to train on"
        raise Failure(
            "SplitInvalid",
            f"{FIELD}: {whole} {what} cannot be cut into {parts} parts: ask for less",
        )
    part = np.full(n, -1, np.int8)
    if ordered:
        part[:] = np.arange(n) * (count + 1) // n - 1
    else:
        for fold, judged in enumerate(_at_random(training, count, target, groups)):
            part[judged] = fold
    folds = Folds(count, part, ordered, groups)
    _check(folds)
    return folds


def _at_random(
    training: Training, count: int, target: NDArray[Any], groups: Codes | None
) -> list[Rows]:
    drawn = {"n_splits": count, "shuffle": True, "random_state": training.seed}
    classes = training.task == "Classification"
    if groups is None:
        cutter = StratifiedKFold(**drawn) if classes else KFold(**drawn)
    else:
        cutter = StratifiedGroupKFold(**drawn) if classes else GroupKFold(**drawn)
    codes = np.unique(target.astype(str) if target.dtype == object else target, return_inverse=True)
    if classes and groups is None and np.bincount(codes[1]).max() < count:
        raise Failure(
            "SplitInvalid",
            f"{FIELD}: no class has {count} rows to train on, one for each fold: ask for less",
        )
    return [judged for _, judged in cutter.split(np.zeros(len(target)), codes[1], groups)]


def _check(folds: Folds) -> None:
    for fold in range(folds.count):
        fitted, judged = folds.rows(fold)
        if len(fitted) and len(judged):
            continue
        way = (
            "group by what lies together in time, such as a day, or use spec.split.by Random"
            if folds.ordered and folds.groups is not None
            else "ask for less"
        )
        what = (
            "fit, when those of groups that are judged are left out"
            if folds.groups is not None
            else "fit"
        )
        raise Failure(
            "SplitInvalid",
            f"{FIELD}: fold {fold + 1} of {folds.count} has no rows to "
            f"{'judge' if len(fitted) else what}: {way}",
        )
