"""Contributions are Shapley's: held against his formula, subset by subset."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tidemill.stats import shapley
from tidemill.stats.shapley import Tree

Floats = NDArray[np.float64]
FEATURES = 4


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Any tree of a few levels; features come again on a path, and covers may be zero."""
    nodes: list[tuple[int, float, int, int, bool, float, float]] = []

    def grow(level: int, cover: int) -> int:
        at = len(nodes)
        nodes.append((0, 0.0, -1, -1, False, 0.0, float(cover)))
        if level == 4 or not draw(st.booleans()):
            value = draw(st.integers(-9, 9))
            nodes[at] = (0, 0.0, -1, -1, False, float(value), float(cover))
            return at
        feature, threshold = draw(st.integers(0, FEATURES - 1)), draw(st.integers(-2, 2))
        missing, share = draw(st.booleans()), draw(st.integers(0, cover))
        left = grow(level + 1, share)
        right = grow(level + 1, cover - share)
        nodes[at] = (feature, float(threshold), left, right, missing, 0.0, float(cover))
        return at

    grow(0, draw(st.integers(1, 20)))
    columns = list(zip(*nodes, strict=True))
    return Tree(
        feature=np.array(columns[0], np.int64),
        threshold=np.array(columns[1]),
        left=np.array(columns[2], np.int64),
        right=np.array(columns[3], np.int64),
        missing_left=np.array(columns[4], bool),
        value=np.array([[value, -2 * value] for value in columns[5]]),
        cover=np.array(columns[6]),
    )


def goes_left(tree: Tree, node: int, row: Floats) -> bool:
    value = row[tree.feature[node]]
    if np.isnan(value):
        return bool(tree.missing_left[node])
    return bool(value <= tree.threshold[node])


def said(tree: Tree, row: Floats, known: frozenset[int], node: int = 0) -> Floats:
    """What the tree says where some features are known: the others go both ways, by cover."""
    if tree.left[node] < 0:
        return tree.value[node]
    sides = (int(tree.left[node]), int(tree.right[node]))
    if int(tree.feature[node]) in known:
        return said(tree, row, known, sides[0] if goes_left(tree, node, row) else sides[1])
    whole = tree.cover[node]
    parts = [
        (tree.cover[side] / whole if whole else 0.0) * said(tree, row, known, side)
        for side in sides
    ]
    return parts[0] + parts[1]


def by_formula(tree: Tree, row: Floats) -> Floats:
    found = np.zeros((FEATURES, 2))
    for feature in range(FEATURES):
        others = [one for one in range(FEATURES) if one != feature]
        for size in range(FEATURES):
            weight = math.factorial(size) * math.factorial(FEATURES - size - 1)
            for chosen in itertools.combinations(others, size):
                with_it = said(tree, row, frozenset({*chosen, feature}))
                added = with_it - said(tree, row, frozenset(chosen))
                found[feature] += weight / math.factorial(FEATURES) * added
    return found


values = st.sampled_from([-3.0, -1.0, 0.0, 1.0, 2.0, 3.0, math.nan])
rows_of = st.lists(
    st.lists(values, min_size=FEATURES, max_size=FEATURES), min_size=1, max_size=4
).map(np.array)


@given(trees(), rows_of)
def test_a_tree_as_by_the_formula(tree: Tree, rows: Floats) -> None:
    found = shapley.of_tree(tree, rows)
    wanted = np.array([by_formula(tree, row) for row in rows])
    assert found == pytest.approx(wanted, abs=1e-9)


@given(trees(), rows_of)
def test_contributions_come_to_what_is_said_less_what_is_expected(tree: Tree, rows: Floats) -> None:
    everything = frozenset(range(FEATURES))
    expected = shapley.expected(tree)
    assert expected == pytest.approx(said(tree, rows[0], frozenset()), abs=1e-9)
    for row, added in zip(rows, shapley.of_tree(tree, rows), strict=True):
        assert added.sum(axis=0) + expected == pytest.approx(said(tree, row, everything), abs=1e-9)


def test_a_tree_of_one_leaf_goes_by_nothing() -> None:
    none = np.zeros(1, np.int64)
    leaf = Tree(none, np.zeros(1), none - 1, none - 1, none > 0, np.array([[3.0]]), np.ones(1))
    assert shapley.of_tree(leaf, np.ones((2, 1))).tolist() == [[[0.0]], [[0.0]]]
    assert shapley.expected(leaf).tolist() == [3.0]


def test_parts_of_little_memory_are_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    depth = 6
    inner, nodes = 2**depth - 1, 2 ** (depth + 1) - 1
    places = np.arange(nodes)
    tree = Tree(
        feature=rng.integers(0, FEATURES, nodes),
        threshold=rng.normal(size=nodes),
        left=np.where(places < inner, 2 * places + 1, -1),
        right=np.where(places < inner, 2 * places + 2, -1),
        missing_left=rng.random(nodes) < 0.5,
        value=rng.normal(size=(nodes, 1)),
        cover=2.0 ** (depth - np.floor(np.log2(places + 1))),
    )
    rows = rng.normal(size=(20, FEATURES))
    whole = shapley.of_tree(tree, rows)
    monkeypatch.setattr(shapley, "_CELLS", 1)
    assert shapley.of_tree(tree, rows) == pytest.approx(whole, abs=1e-12)


def test_a_line() -> None:
    weights, middle = np.array([[2.0], [-1.0]]), np.array([1.0, 0.0])
    found = shapley.of_line(weights, np.array([[3.0, 4.0]]), middle)
    assert found.tolist() == [[[4.0], [-4.0]]]
