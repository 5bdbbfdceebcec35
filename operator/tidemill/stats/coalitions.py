"""Shapley values of any model, by asking it about rows of which parts are exchanged.

A coalition of features keeps a row's values; the others take those of background rows, over which
the model's answers are averaged (Lundberg and Lee, A Unified Approach to Interpreting Model
Predictions, 2017). Values are the solution of a weighted least-squares problem that is held to add
up to the answer. With few features every coalition is asked for, which gives the Shapley values of
that game exactly; with more, coalitions are drawn, each with its complement, since that halves the
error for nothing (Covert and Lee, Improving KernelSHAP, 2021). Draws follow from the seed alone.
"""

from collections.abc import Callable
from functools import cache
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ask = Callable[[NDArray[Any]], Floats]

MOST_COALITIONS = 1024
# Of so many features half as many coalitions tell enough: pairs say the same of one order.
MOST_FEATURES = MOST_COALITIONS // 4
_CELLS = 1_000_000


def of_model(ask: Ask, rows: NDArray[Any], background: NDArray[Any]) -> tuple[Floats, Floats]:
    """Give what each feature of each row adds, and what is said of the background on average.

    `ask` gives (rows, told) for rows of any number. Shapes: (rows, features, told) and (told,).
    """
    base = ask(background).mean(axis=0)
    said = ask(rows)
    width = rows.shape[1]
    if width == 1:
        return (said - base)[:, None, :], base
    kept, weights = _coalitions(width)
    added = np.empty((len(rows), width, len(base)))
    for place, row in enumerate(rows):
        worth = _worth(ask, row, background, kept) - base
        added[place] = _solved(kept, weights, worth, said[place] - base)
    return added, base


def is_exact(width: int) -> bool:
    """Whether every coalition of so many features is asked for."""
    return bool(2**width - 2 <= MOST_COALITIONS)


def questions(width: int, background: int) -> int:
    """How many rows the model is asked for one."""
    return len(_coalitions(width)[0]) * background if width > 1 else 1


def _worth(ask: Ask, row: NDArray[Any], background: NDArray[Any], kept: Flags) -> Floats:
    """What the model says for each coalition, averaged over the background."""
    size = max(_CELLS // (len(background) * len(row)), 1)
    parts = []
    for start in range(0, len(kept), size):
        some = kept[start : start + size]
        mixed = np.where(some[:, None, :], row, background)
        said = ask(mixed.reshape(-1, len(row)))
        parts.append(said.reshape(len(some), len(background), -1).mean(axis=1))
    worth: Floats = np.concatenate(parts)
    return worth


def _solved(kept: Flags, weights: Floats, worth: Floats, whole: Floats) -> Floats:
    """The values that fit best and add up to the whole: the last follows from the others."""
    cells = kept.astype(np.float64)
    last = cells[:, -1:]
    scale = np.sqrt(weights)[:, None]
    left = (cells[:, :-1] - last) * scale
    right = (worth - last * whole) * scale
    found = np.linalg.lstsq(left, right, rcond=None)[0]
    return np.vstack((found, whole - found.sum(axis=0)))


@cache
def _coalitions(width: int) -> tuple[Flags, Floats]:
    """Give those that are asked for, neither empty nor whole, and their weights."""
    if is_exact(width):
        return _every(width)
    return _drawn(width)


def _every(width: int) -> tuple[Flags, Floats]:
    kept, weights = [], []
    for size in range(1, width):
        for members in combinations(range(width), size):
            flags = np.zeros(width, bool)
            flags[list(members)] = True
            kept.append(flags)
            weights.append((width - 1) / (comb(width, size) * size * (width - size)))
    return np.array(kept), np.array(weights)


def _drawn(width: int) -> tuple[Flags, Floats]:
    """Sizes as the kernel weighs them; of one size all are as likely. Weights count repeats."""
    rng = np.random.default_rng(0)
    sizes = np.arange(1, width)
    chance = 1.0 / (sizes * (width - sizes))
    drawn = rng.choice(sizes, MOST_COALITIONS // 2, p=chance / chance.sum())
    order = rng.random((len(drawn), width)).argsort(axis=1)
    kept = order < drawn[:, None]
    paired = np.concatenate((kept, ~kept))
    unique, counts = np.unique(paired, axis=0, return_counts=True)
    return unique, counts.astype(np.float64)
