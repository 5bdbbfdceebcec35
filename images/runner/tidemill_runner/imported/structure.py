"""Trees that point outside themselves: the libraries follow an index wherever it leads.

What XGBoost and LightGBM load they do not prove. A model whose every child and feature index lies
inside its tree, and whose every node has one parent, cannot lead them astray or round in circles.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
_WHOLE = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True)
class Tree:
    """Inner nodes: their children among inner nodes (-1: a leaf), and the features they look at."""

    left: Indices
    right: Indices
    features: Indices

    def check(self, width: int) -> None:
        """Raise ValueError unless the tree points only into itself and its input."""
        count = len(self.features)
        if not len(self.left) == len(self.right) == count:
            raise ValueError("a tree has more children than nodes")
        children = np.concatenate((self.left, self.right))
        inner = children[children >= 0]
        if children.size and (children.min() < -1 or children.max() >= count):
            raise ValueError("a child index of a tree points outside the tree")
        if len(np.unique(inner)) < len(inner) or (inner == 0).any():
            raise ValueError("a node of a tree has two parents")
        if self.features.size and not 0 <= self.features.min() <= self.features.max() < width:
            raise ValueError(f"a feature index of a tree lies outside 0..{width - 1}")


@dataclass(frozen=True)
class Booster:
    """What a model says of all of it, and its trees."""

    told: dict[str, str]
    width: int
    trees: tuple[Tree, ...]

    def check(self) -> None:
        """Raise ValueError unless every tree points only into itself and its input."""
        for tree in self.trees:
            tree.check(self.width)


def of_lightgbm(data: bytes) -> Booster:
    """A model's text as LightGBM reads it, byte by byte; raises ValueError, KeyError.

    Its reader takes the last value of a key, joins lines without one to the next, and finds the
    trees where the file says that they begin: whatever it would read otherwise than it looks is
    refused here.
    """
    text = data.decode("latin-1")
    if "\r" in text or "\0" in text:
        raise ValueError("its lines end otherwise than LightGBM writes them")
    body, end, _ = text.partition("\nend of trees")
    head, *parts = body.split("\nTree=")
    if not end or not parts:
        raise ValueError("it has no trees, or no end of them")
    told = _head(head)
    classes = _number(told["num_class"])
    named = [one for one in told.get("objective", "").split(" ") if "num_class" in one]
    if classes < 1 or _number(told["num_tree_per_iteration"]) != classes:
        raise ValueError("it has another number of trees in a round than of classes")
    if any(one != f"num_class:{classes}" for one in named):
        raise ValueError("its objective has another number of classes")
    if "tree_sizes" in told:
        # With the line before it, a tree is as long as what lies between two of them.
        sizes = [len(part) + len("\nTree=") for part in parts]
        if _numbers(told["tree_sizes"]).tolist() != sizes:
            raise ValueError("its trees lie elsewhere than it says")
    width = _number(told["max_feature_idx"]) + 1
    return Booster(told, width, tuple(tree for one in parts for tree in _of_text(one)))


def _head(text: str) -> dict[str, str]:
    told: dict[str, str] = {}
    for line in text.split("\n"):
        key, _, value = line.partition("=")
        if line.startswith("=") or value.startswith("=") or (line and key in told):
            raise ValueError(f"it says {key[:40]!r} twice")
        if line:
            told[key] = value
    return told


def _of_text(part: str) -> Iterator[Tree]:
    lines, _, rest = part.partition("\n\n")
    if rest.strip("\n"):
        raise ValueError("there is something between its trees")
    _, *pairs = lines.split("\n")
    told = dict(line.split("=", 1) for line in pairs if line)  # ValueError where there is no "="
    if len(told) < len([line for line in pairs if line]):
        raise ValueError("a tree says something twice")
    leaves = _number(told["num_leaves"])
    if told.get("num_cat", "0") != "0" or told.get("is_linear", "0") != "0":
        raise ValueError("it splits by categories, or has linear leaves: fit it without")
    if leaves < 1 or len(told["leaf_value"].split()) != leaves:
        raise ValueError("a tree has another number of leaves than it says")
    if leaves == 1:
        return
    left, right, features, kinds = (
        _numbers(told[name])
        for name in ("left_child", "right_child", "split_feature", "decision_type")
    )
    for children in (left, right):
        # A leaf is written as what is left of it below nothing: -1 is the first one.
        found = -1 - children[children < 0]
        if found.size and found.max() >= leaves:
            raise ValueError("a leaf index of a tree points outside the tree")
    if not len(features) == len(kinds) == len(told["threshold"].split()) == leaves - 1:
        raise ValueError("a tree has another number of nodes than it says")
    if (kinds & 1).any():
        raise ValueError("it splits by categories: fit it without")
    yield Tree(np.maximum(left, -1), np.maximum(right, -1), features)


def of_xgboost(data: bytes, width: int) -> Booster:
    """The trees of a model as JSON; raises ValueError, KeyError, TypeError."""
    learner: Any = json.loads(data)["learner"]
    booster = learner["gradient_booster"]
    model = booster.get("model") or booster["gbtree"]["model"]
    if "trees" not in model:
        raise ValueError("it has no trees, as of booster gblinear: only trees are kept")
    trees, groups = model["trees"], np.asarray(model["tree_info"], dtype=np.int64)
    classes = max(1, int(learner["learner_model_param"]["num_class"]))
    if len(groups) != len(trees) or ((groups < 0) | (groups >= classes)).any():
        raise ValueError("its trees add to classes that it has not")
    if "weight_drop" in booster and len(booster["weight_drop"]) != len(trees):
        raise ValueError("it has another number of weights than of trees")
    ends = np.asarray(model.get("iteration_indptr") or [0, len(trees)], dtype=np.int64)
    if ends[0] != 0 or ends[-1] != len(trees) or (np.diff(ends) < 0).any():
        raise ValueError("its rounds have trees that it has not")
    return Booster({}, width, tuple(_of_json(tree) for tree in trees))


def _of_json(tree: Any) -> Tree:  # noqa: ANN401 - any JSON
    if any(tree.get("split_type", ())) or tree.get("categories"):
        raise ValueError("it splits by categories: encode them before it and fit it again")
    if int(tree["tree_param"].get("size_leaf_vector") or 1) > 1:
        raise ValueError("its leaves have several values")
    left, right, features = (
        np.asarray(tree[name], dtype=np.int64)
        for name in ("left_children", "right_children", "split_indices")
    )
    # What a leaf has in the place of a feature is never looked at.
    return Tree(left, right, np.where(left == -1, 0, features))


def _numbers(text: str) -> Indices:
    return np.array([_number(one) for one in text.split(" ") if one], dtype=np.int64)


def _number(text: str) -> int:
    """A whole number in digits: what else Python takes for one, LightGBM reads otherwise."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text[:20]!r} is no whole number")
    return int(text)
