"""Successive halving: many trials on few rows, the better of them on more, and so on.

As Jamieson and Talwalkar have it (AISTATS 2016), with the rows trained on as what is spent, and
rounds as scikit-learn's HalvingRandomSearchCV counts them. Rows are taken in one order that follows
from the seed: a round has all rows of the one before it, and whoever goes on after a crash takes
the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemill_runner.failures import Failure
from tidemill_runner.search.folds import Folds
from tidemill_runner.search.sought import Sought

FIELD = "spec.search.minRows"
Order = NDArray[np.int32]


@dataclass(frozen=True)
class Round:
    """How many rows are learnt from and judged in a round, and how many trials it has."""

    rows: int
    trials: int


def rounds(asked: Sought, n: int, folds: Folds, classes: int) -> tuple[Round, ...]:
    """The rounds of a search on so many rows; `classes` is 1 for numbers. Raises Failure."""
    least = min(n, 2 * classes * (folds.count + 1))
    trials, sizes = asked.trials or 1, []
    while trials > 1:
        sizes.append(trials)
        trials = -(-trials // asked.factor)
    # What is left alone after the last comparison has been judged already.
    sizes = sizes or [1]
    spent = _from(asked, n, least) if asked.min_rows else _up_to(n, asked.factor, len(sizes), least)
    return tuple(Round(rows, size) for rows, size in zip(spent, sizes, strict=False))


def _from(asked: Sought, n: int, least: int) -> list[int]:
    begun = asked.min_rows or least
    if begun > n:
        raise Failure("SpecInvalid", f"{FIELD}: there are {n:,} rows to train on: ask for less")
    if begun < least:
        raise Failure(
            "SpecInvalid",
            f"{FIELD}: {begun} rows cannot be cut into folds with all classes in each: ask for "
            f"{least} or more",
        )
    spent = [begun]
    while spent[-1] * asked.factor <= n:
        spent.append(spent[-1] * asked.factor)
    return spent


def _up_to(n: int, factor: int, count: int, least: int) -> list[int]:
    """So that the last round has all rows, with fewer rounds where there are too few of them."""
    spent = [n // factor**left for left in reversed(range(count))]
    return [rows for rows in spent if rows >= least] or [n]


def order(folds: Folds, target: NDArray[np.object_], seed: int, *, classes: bool) -> Order:
    """In which order rows are taken: by chance, but any first ones are of all folds and classes.

    Of each part of the rows that is alike in both, the first k are as good as evenly spread.
    """
    strata = folds.part.astype(np.int64)
    if classes:
        texts = target.astype(str) if target.dtype == object else target
        codes = np.unique(texts, return_inverse=True)[1]
        strata = strata * (int(codes.max()) + 1) + codes
    chance = np.random.default_rng(seed)
    place = np.empty(len(strata))
    for stratum in np.unique(strata):
        (members,) = np.nonzero(strata == stratum)
        drawn = chance.permutation(len(members)) + chance.random(len(members))
        place[members] = drawn / len(members)
    return np.argsort(place, kind="stable").astype(np.int32)


def sizes(found: Sequence[Round]) -> int:
    """How many trials all rounds have together."""
    return sum(one.trials for one in found)
