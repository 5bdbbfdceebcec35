"""Exact Shapley values of what a tree or a linear model says of a row (Lundberg and others, Nature
Machine Intelligence 2, 2020).

A tree's leaf is a game of the features on its path: those known let the row through or not (1 or
0), those unknown let through the share of rows that went that way in training (z). What a feature
j adds, over all orders in which features become known, is

    value · (o_j - z_j) · ∫ Π_{k≠j} (z_k (1-t) + o_k t) dt    for t from 0 to 1,

since the integral of t^s (1-t)^(d-1-s) is the weight of the orders in which s of d-1 others come
first. The integrand is a polynomial, so that Gauss and Legendre's rule gives it without an error
but rounding. Values of several trees add up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]
_CELLS = 4_000_000


@dataclass(frozen=True)
class Tree:
    """Nodes of a binary tree; the first is its root, and a leaf's `left` is negative.

    A row goes left where its feature is at most the threshold, or is missing and `missing_left`.
    `cover` is how many rows came by in training; `value` has a column for each thing told.
    """

    feature: Whole
    threshold: Floats
    left: Whole
    right: Whole
    missing_left: Flags
    value: Floats
    cover: Floats

    @property
    def leaves(self) -> int:
        """Count the leaves."""
        return int(np.count_nonzero(self.left < 0))

    @property
    def depth(self) -> int:
        """Count the steps to the deepest leaf."""
        return int(_depths(self).max())


def of_tree(tree: Tree, rows: Floats) -> Floats:
    """Give what each feature of each row adds to the tree's values: (rows, features, told)."""
    found = np.zeros((rows.shape[1], len(rows), tree.value.shape[1]))
    # A leaf looks at no feature; scikit-learn writes -2 there.
    values = rows[:, np.where(tree.left < 0, 0, tree.feature)].T
    goes_left = np.where(
        np.isnan(values), tree.missing_left[:, None], values <= tree.threshold[:, None]
    )
    for leaves in _batches(tree, len(rows)):
        _add(found, tree, leaves, goes_left)
    return found.transpose(1, 0, 2)


def expected(tree: Tree) -> Floats:
    """Give the tree's values where nothing is known of a row."""
    leaves = np.flatnonzero(tree.left < 0)
    above, is_left = _paths(tree, leaves)
    left, right = _ways(tree)
    shares = np.where(above >= 0, np.where(is_left, left[above], right[above]), 1.0)
    told: Floats = shares.prod(axis=1) @ tree.value[leaves]
    return told


def of_line(weights: Floats, rows: Floats, middle: Floats) -> Floats:
    """Give the same of a linear model, (features, told), beside a row that is in the middle."""
    found: Floats = (rows - middle)[:, :, None] * weights[None, :, :]
    return found


def _batches(tree: Tree, rows: int) -> Iterator[Whole]:
    """Give the leaves in parts that need little memory, those of like depth together."""
    leaves = np.flatnonzero(tree.left < 0)
    depth = _depths(tree)
    ordered = leaves[np.argsort(depth[leaves], kind="stable")]
    deepest = max(int(depth.max()), 1)
    size = max(_CELLS // (deepest * deepest * rows), 1)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def _parents(tree: Tree) -> tuple[Whole, Flags]:
    """Give the parent of each node, and whether the node is its left one."""
    inner = np.flatnonzero(tree.left >= 0)
    parent = np.full(len(tree.left), -1)
    is_left = np.zeros(len(tree.left), bool)
    parent[tree.left[inner]] = inner
    parent[tree.right[inner]] = inner
    is_left[tree.left[inner]] = True
    return parent, is_left


def _depths(tree: Tree) -> Whole:
    parent, _ = _parents(tree)
    depth = np.zeros(len(parent), np.int64)
    above = parent.copy()
    while (above >= 0).any():
        depth += above >= 0
        above = np.where(above >= 0, parent[above], -1)
    return depth


def _add(found: Floats, tree: Tree, leaves: Whole, goes_left: Flags) -> None:
    if tree.left[0] < 0:
        return  # its root is its leaf: it asks for nothing
    features, shares, known = _games(tree, leaves, goes_left)
    slots = features.shape[1]
    times, weights = _rule((slots + 1) // 2)
    factors = shares[:, :, None, None] * (1 - times) + known[:, :, :, None] * times
    others = np.ones_like(factors)
    np.cumprod(factors[:, :-1], axis=1, out=others[:, 1:])
    others[:, :-1] *= np.cumprod(factors[:, :0:-1], axis=1)[:, ::-1]
    added = (known - shares[:, :, None]) * (others @ weights)
    told = added[:, :, :, None] * tree.value[leaves][:, None, None, :]
    places = features.ravel()
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    sums = np.add.reduceat(told.reshape(len(places), *told.shape[2:])[order], starts, axis=0)
    found[places[order][starts]] += sums


def _games(tree: Tree, leaves: Whole, goes_left: Flags) -> tuple[Whole, Floats, Floats]:
    """Give the features on the leaf's path, their shares, and which rows they let through.

    (leaves, slots) and (leaves, slots, rows): a feature has one slot, however often it is asked
    for. A slot that is not needed lets everything through, which adds nothing.
    """
    above, is_left = _paths(tree, leaves)
    depth = above.shape[1]
    there = above >= 0
    features = np.where(there, tree.feature[above], -1 - np.arange(depth))
    same = features[:, :, None] == features[:, None, :]
    first = same.argmax(axis=2)
    is_first = there & (first == np.arange(depth))
    slot = np.take_along_axis(is_first.cumsum(axis=1) - 1, first, axis=1)
    slots = int(is_first.sum(axis=1).max(initial=0))
    shape = (len(leaves), slots)
    named, shares = np.zeros(shape, np.int64), np.ones(shape)
    known = np.ones((*shape, goes_left.shape[1]))
    way = _ways(tree)
    for step in range(depth):
        at = np.flatnonzero(there[:, step])
        node, left = above[at, step], is_left[at, step]
        place = (at, slot[at, step])
        named[place] = features[at, step]
        shares[place] *= np.where(left, way[0][node], way[1][node])
        known[place] *= goes_left[node] == left[:, None]
    return named, shares, known


def _paths(tree: Tree, leaves: Whole) -> tuple[Whole, Flags]:
    """Give the nodes above each leaf and the side taken there, -1 beyond the root."""
    parent, is_left = _parents(tree)
    nodes, sides, here = [], [], leaves
    while True:
        above = np.where(here >= 0, parent[here], -1)
        if not (above >= 0).any():
            break
        nodes.append(above)
        sides.append(is_left[here])
        here = above
    if not nodes:
        return np.zeros((len(leaves), 0), np.int64), np.zeros((len(leaves), 0), bool)
    return np.stack(nodes, axis=1), np.stack(sides, axis=1)


def _ways(tree: Tree) -> tuple[Floats, Floats]:
    """Give the shares of rows that went left and right at each node."""
    came = (tree.left >= 0) & (tree.cover > 0)
    left, right = np.zeros_like(tree.cover), np.zeros_like(tree.cover)
    np.divide(tree.cover[tree.left], tree.cover, out=left, where=came)
    np.divide(tree.cover[tree.right], tree.cover, out=right, where=came)
    return left, right


@cache
def _rule(points: int) -> tuple[Floats, Floats]:
    """Give times between 0 and 1 and their weights; exact to the degree 2 · points - 1."""
    times, weights = np.polynomial.legendre.leggauss(points)
    return (times + 1) / 2, weights / 2
