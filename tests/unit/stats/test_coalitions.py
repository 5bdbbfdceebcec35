"""Shapley values of any model: exact with few features, near with many, and adding up always."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tidemill.stats import coalitions

RNG = np.random.default_rng(11)
Floats = NDArray[np.float64]


def twisted(rows: Floats) -> Floats:
    """Two numbers, of products and steps, so that no feature's part is its own."""
    first = rows[:, 0] * rows[:, 1] + np.maximum(rows[:, 2], 0) - rows[:, -1] ** 2
    return np.stack((first, np.tanh(rows.sum(axis=1))), axis=1)


def by_definition(ask: Callable[[Floats], Floats], row: Floats, background: Floats) -> Floats:
    """The mean over all orders in which features become known."""
    width = len(row)

    def worth(members: frozenset[int]) -> Floats:
        mixed = background.copy()
        for place in members:
            mixed[:, place] = row[place]
        return ask(mixed).mean(axis=0)

    added = np.zeros((width, ask(background).shape[1]))
    for order in itertools.permutations(range(width)):
        for place, feature in enumerate(order):
            before = frozenset(order[:place])
            added[feature] += worth(before | {feature}) - worth(before)
    return added / math.factorial(width)


@pytest.mark.parametrize("width", [2, 3, 5])
def test_with_few_features_they_are_those_of_the_definition(width: int) -> None:
    def ask(rows: Floats) -> Floats:
        return twisted(np.pad(rows, ((0, 0), (0, 1))))

    rows, background = RNG.normal(size=(3, width)), RNG.normal(size=(6, width))
    added, base = coalitions.of_model(ask, rows, background)
    assert base == pytest.approx(ask(background).mean(axis=0))
    for row, found in zip(rows, added, strict=True):
        assert found == pytest.approx(by_definition(ask, row, background), abs=1e-9)


@pytest.mark.parametrize("width", [1, 2, 10, 11, 60])
def test_they_add_up(width: int) -> None:
    def ask(rows: Floats) -> Floats:
        return twisted(np.pad(rows, ((0, 0), (0, 3))))

    rows, background = RNG.normal(size=(4, width)), RNG.normal(size=(5, width))
    added, base = coalitions.of_model(ask, rows, background)
    assert added.sum(axis=1) + base == pytest.approx(ask(rows), abs=1e-9)
    assert added.shape == (4, width, 2)


def test_with_many_features_those_of_a_line_are_found() -> None:
    weights = RNG.normal(size=40)
    rows, background = RNG.normal(size=(2, 40)), RNG.normal(size=(8, 40))
    added, _ = coalitions.of_model(lambda x: (x @ weights)[:, None], rows, background)
    wanted = (rows - background.mean(axis=0)) * weights
    assert added[:, :, 0] == pytest.approx(wanted, abs=1e-9)


def test_with_many_features_those_of_a_curve_are_near() -> None:
    """Beside many more draws than are taken: within a tenth of the largest."""
    rows, background = RNG.normal(size=(1, 14)), RNG.normal(size=(4, 14))
    added, _ = coalitions.of_model(twisted, rows, background)
    wanted = np.zeros_like(added[0])
    for _ in range(4000):
        order = RNG.permutation(14)
        mixed = np.repeat(background[None], 15, axis=0)
        for place, feature in enumerate(order):
            mixed[place + 1 :, :, feature] = rows[0, feature]
        said = twisted(mixed.reshape(-1, 14)).reshape(15, 4, 2).mean(axis=1)
        wanted[order] += np.diff(said, axis=0) / 4000
    assert np.abs(added[0] - wanted).max() < 0.1 * np.abs(wanted).max()


def test_texts_are_exchanged_like_numbers() -> None:
    rows = np.array([["a", 1.0], ["b", 2.0]], dtype=object)

    def ask(asked: NDArray[np.object_]) -> Floats:
        return np.array([[(one == "a") * 4.0 + float(two)] for one, two in asked])

    added, base = coalitions.of_model(ask, rows, rows)
    assert base.tolist() == [3.5]
    assert added[:, :, 0] == pytest.approx(np.array([[2.0, -0.5], [-2.0, 0.5]]))


def test_draws_are_the_same_each_time() -> None:
    rows, background = RNG.normal(size=(2, 20)), RNG.normal(size=(3, 20))
    once = coalitions.of_model(twisted, rows, background)[0]
    assert (once == coalitions.of_model(twisted, rows, background)[0]).all()
    assert not coalitions.is_exact(20)
    assert coalitions.is_exact(10)
    assert coalitions.questions(20, 3) <= 3 * coalitions.MOST_COALITIONS
