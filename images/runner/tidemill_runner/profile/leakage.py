"""How well one column alone tells another one: what a model learns that was told the answer.

Goodman and Kruskal's λ (J. Am. Stat. Assoc. 49, 1954), held out: of the errors of always guessing
the target's most frequent value, the part that is spared by guessing the most frequent one beside
the column's value. What goes beside which is learnt on one half of the rows and judged on the
other, both ways: an id that occurs once tells nothing of the other half, however well it would tell
its own. A number of many values counts as the nearest one that was learnt. A missing value is a
value, too: that it is missing may tell everything.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]
# Codes of all rows, given which of them are learnt from.
Coder = Callable[[Mask], Codes]

# A number of more values is compared by nearness; as a target it is cut at quantiles.
KINDS = 64
TARGET_BINS = 16
# With fewer rows beside the most frequent value, chance may leave none of them over.
MIN_ERRORS = 20


def codes(values: NDArray[np.generic], missing: Mask) -> Codes:
    """Numbers from 0 on for equal values; what is missing is one of them."""
    found = np.zeros(len(values), np.int64)
    _, places = np.unique(values[~missing], return_inverse=True)
    found[~missing] = places + 1
    return found


def bins(numbers: NDArray[np.float64], parts: int) -> Codes:
    """Codes of about as many rows each, cut between values."""
    edges = np.quantile(numbers, np.arange(1, parts) / parts, method="inverted_cdf")
    return np.searchsorted(edges, numbers, side="right")


def nearest(numbers: NDArray[np.float64], missing: Mask, learn: Mask) -> Codes:
    """Each number as the nearest one that is learnt from; missing is one more."""
    found = np.zeros(len(numbers), np.int64)
    known = np.unique(numbers[learn & ~missing])
    if len(known):
        there = numbers[~missing]
        above = np.searchsorted(known, there).clip(1, max(len(known) - 1, 1))
        low, high = known[above - 1], known[np.minimum(above, len(known) - 1)]
        with np.errstate(invalid="ignore"):
            found[~missing] = above + (high - there < there - low)
    return found


def many(values: NDArray[np.generic]) -> bool:
    """Whether a number has so many values that ranges of it tell more than they do."""
    return len(np.unique(values)) > KINDS


def strength(column: Coder, target: Codes, half: Mask) -> float | None:
    """From 0 (nothing is told) to 1 (all is); None where there are too few rows to say."""
    parts = [(learn, len(target[~learn]) - _most(target[~learn])) for learn in (half, ~half)]
    if min(errors for _, errors in parts) < MIN_ERRORS:
        return None
    spared = [_spared(column(learn), target, learn, errors) for learn, errors in parts]
    return max(sum(spared) / 2, 0.0)


def strongest(coders: Iterable[Coder], target: Codes, half: Mask) -> float | None:
    """Of several ways to code a column, by what the best one tells."""
    found = [s for coder in coders if (s := strength(coder, target, half)) is not None]
    return max(found, default=None)


def _spared(column: Codes, target: Codes, learn: Mask, errors: int) -> float:
    """The part of the errors on the rows beside `learn` that is spared."""
    kinds = int(target.max()) + 1
    guess = np.full(int(column.max()) + 1, np.bincount(target[learn]).argmax(), np.int64)
    pairs, counts = np.unique(column[learn] * kinds + target[learn], return_counts=True)
    # By value and rising count: of each value the last stands.
    order = np.lexsort((-pairs, counts, pairs // kinds))
    guess[pairs[order] // kinds] = pairs[order] % kinds
    wrong = int((guess[column[~learn]] != target[~learn]).sum())
    return 1 - wrong / errors


def _most(target: Codes) -> int:
    return int(np.bincount(target).max(initial=0)) if len(target) else 0
