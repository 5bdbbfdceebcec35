"""Shapes that compiled code trusts: checked here, before anything is predicted.

`tidemill.store.trusted` proves the trees. What it leaves is proved here, by what was seen to read
or write outside of itself: neighbour trees whose inner nodes have no children, boosted models with
more trees in a stage than classes, support vectors and stored samples of another width, and sparse
matrices whose indices lie outside.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.neighbors import BallTree, KDTree
from sklearn.svm._base import BaseLibSVM


class BrokenModel(Exception):  # noqa: N818 - says what the model is
    """The model would reach outside of itself."""


def check_structure(model: object) -> None:
    """Raise BrokenModel where a part of the model does not fit the others."""
    for part in _parts(model):
        if isinstance(part, KDTree | BallTree):
            _check_neighbour_tree(part)
        elif scipy.sparse.issparse(part):
            _check_sparse(part)
        else:
            _check_estimator(part)


def _parts(model: object) -> Iterator[Any]:
    """Every object that the model is made of, each once."""
    seen: set[int] = set()
    pending: list[Any] = [model]
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list | tuple | set | frozenset):
            pending.extend(item)
        elif isinstance(item, np.ndarray):
            pending.extend(item.ravel().tolist() if item.dtype == object else ())
        elif isinstance(item, KDTree | BallTree) or scipy.sparse.issparse(item):
            yield item
        elif hasattr(item, "__dict__") and not isinstance(item, type):
            pending.append(vars(item))
            yield item


def _check_neighbour_tree(tree: Any) -> None:  # noqa: ANN401 - a class of compiled code
    data, places, nodes, bounds = (np.asarray(part) for part in tree.get_arrays())
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    fits = (
        len(places) == len(data)
        and bounds.shape[1:] == (len(nodes), data.shape[1])
        and (inner.size == 0 or 2 * int(inner[-1]) + 2 < len(nodes))
    )
    if not fits:
        raise BrokenModel("a neighbour tree has fewer nodes than it points to")


def _check_sparse(matrix: Any) -> None:  # noqa: ANN401 - any sparse class
    check = getattr(matrix, "check_format", None)
    try:
        if check is not None:
            check(full_check=True)
    except ValueError as error:
        raise BrokenModel(f"a sparse matrix points outside of itself: {error}") from None


def _check_estimator(part: Any) -> None:  # noqa: ANN401 - any part of a model
    state = vars(part)
    width = state.get("n_features_in_")
    if isinstance(part, BaseLibSVM) and "support_vectors_" in state:
        _check_support(part, state)
    if "_fit_X" in state and state["_fit_X"].shape[-1] != width and not _is_given(part):
        raise BrokenModel(f"{type(part).__name__} keeps samples of another width than {width}")
    if "_tree" in state and isinstance(state["_tree"], KDTree | BallTree):
        rows, columns = np.asarray(state["_tree"].get_arrays()[0]).shape
        if columns != width or rows != state["_fit_X"].shape[0]:
            raise BrokenModel(f"{type(part).__name__} has a tree over other samples")
    if "n_trees_per_iteration_" in state and "estimators_" in state:
        _check_stages(state)


def _is_given(part: Any) -> bool:  # noqa: ANN401
    """Distances or kernels are given by the caller: what is kept is as wide as its samples."""
    return "precomputed" in (getattr(part, "metric", ""), getattr(part, "kernel", ""))


def _check_support(part: Any, state: dict[str, Any]) -> None:  # noqa: ANN401
    counts, vectors = state["_n_support"], state["support_vectors_"]
    rows = len(state["support_"])
    functions, columns = state["_dual_coef_"].shape
    pairs = functions * (functions + 1) // 2
    fits = (
        columns == rows
        and (_is_given(part) or vectors.shape == (rows, state["n_features_in_"]))
        and bool((counts >= 0).all())
        and len(state["_intercept_"]) == pairs
        and all(len(state[name]) in (0, 1, pairs) for name in ("_probA", "_probB"))
    )
    if part._impl in ("c_svc", "nu_svc"):  # noqa: SLF001 - has no public name
        fits = fits and int(counts.sum()) == rows and len(counts) == functions + 1
    else:
        fits = fits and functions == 1
    if not fits:
        raise BrokenModel(f"the parts of a {type(part).__name__} have sizes that do not fit")


def _check_stages(state: dict[str, Any]) -> None:
    """Gradient boosting adds up one tree per class and stage, in place."""
    classes = len(state.get("classes_", ()))
    wanted = classes if classes > 2 else 1
    shape = np.shape(state["estimators_"])
    if len(shape) != 2 or shape[1] != wanted or state["n_trees_per_iteration_"] != wanted:
        raise BrokenModel(f"a boosted model has stages of shape {shape} for {classes} classes")
