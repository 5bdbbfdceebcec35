"""What a model file may contain, and how it is loaded: one fixed list for runner and server.

skops trusts scikit-learn's public classes, numpy's and scipy's types by itself. Named here is what
fitted models need beyond that: data holders and pure functions of scikit-learn and numpy, nothing
that calls what a file names (so no functools.partial, no Python distance function). The types that
skops distrusts because their indices are followed without bounds checks are listed and then proved:
a tree is only accepted when every child and feature index lies inside it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.store import archive

_DISTANCES = (
    "EuclideanDistance",
    "SEuclideanDistance",
    "ManhattanDistance",
    "ChebyshevDistance",
    "MinkowskiDistance",
    "CanberraDistance",
    "BrayCurtisDistance",
    "HammingDistance",
)
_KERNELS = (
    "ConstantKernel",
    "DotProduct",
    "ExpSineSquared",
    "Exponentiation",
    "Matern",
    "Product",
    "RBF",
    "RationalQuadratic",
    "Sum",
    "WhiteKernel",
)
# Kept by what was fitted on folds, and not asked again.
_FOLDS = ("KFold", "StratifiedKFold", "TimeSeriesSplit")
TRUSTED_TYPES: tuple[str, ...] = (
    # Followed without bounds checks; proved by validate_trees.
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neighbors._ball_tree.BallTree",
    # Proved by check_structure, wherever a model is loaded that others may have written.
    "scipy.sparse._csr.csr_matrix",
    # Holders of numbers.
    "numpy.dtype",
    "sklearn.utils._bunch.Bunch",
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    # Public, and an experiment still, which is why skops does not trust it by itself.
    "sklearn.impute._iterative.IterativeImputer",
    "sklearn.impute._iterative._ImputerTriplet",
    *(f"sklearn.model_selection._split.{name}" for name in _FOLDS),
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    *(f"sklearn.gaussian_process.kernels.{name}" for name in _KERNELS),
    *(f"sklearn.metrics._dist_metrics.{name}64" for name in _DISTANCES),
    # Pure functions that transformers keep as a parameter's default.
    "numpy.mean",
    "sklearn.feature_selection._univariate_selection.chi2",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
)


class ModelRefused(Exception):  # noqa: N818 - says what became of the model
    """The file holds types outside the list, or a structure that points outside itself."""


def load(path: Path) -> Any:  # noqa: ANN401 - whatever estimator the file holds
    """Load a model: sizes first, then types, then structure. PackageError or ModelRefused.

    The file may be hostile within these bounds: load what is not yours in a child process first.
    """
    import skops.io  # noqa: PLC0415 - scikit-learn is heavy; the operator never loads a model
    from skops.io.exceptions import (  # noqa: PLC0415
        UnsupportedTypeException,
        UntrustedTypesFoundException,
    )

    archive.check(path)
    try:
        model = skops.io.load(path, trusted=list(TRUSTED_TYPES))
    except (UntrustedTypesFoundException, UnsupportedTypeException) as error:
        raise ModelRefused(_first_line(error)) from None
    except (ValueError, TypeError, KeyError, AttributeError, ImportError, RecursionError) as error:
        raise ModelRefused(f"{type(error).__name__}: {_first_line(error)}") from None
    validate_trees(model)
    return model


def validate_trees(model: Any) -> None:  # noqa: ANN401
    """Raise ModelRefused unless every tree in the model points only into itself and its input."""
    for owner, found in _structures(model):
        kind = type(found).__name__
        if kind == "Tree":
            _check_tree(found, _features(owner))
        elif kind == "TreePredictor":
            _check_predictor(found, _features(owner))
        else:
            _check_neighbours(found)


def _structures(root: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401
    """Each structure to prove, with the estimator whose input it reads."""
    seen: set[int] = set()
    pending: list[tuple[Any, Any]] = [(None, root)]
    while pending:
        owner, item = pending.pop()
        if isinstance(item, str | bytes | int | float | type(None)) or id(item) in seen:
            continue
        seen.add(id(item))
        if type(item).__name__ in ("Tree", "TreePredictor", "KDTree", "BallTree"):
            yield owner, item
        elif isinstance(item, dict):
            pending.extend((owner, value) for value in item.values())
        elif isinstance(item, list | tuple | set):
            pending.extend((owner, value) for value in item)
        elif isinstance(item, np.ndarray):
            if item.dtype == object:
                pending.extend((owner, value) for value in item.ravel())
        elif hasattr(item, "__dict__"):
            _check_members(item)
            pending.extend((item, value) for value in vars(item).values())


def _features(owner: Any) -> int:  # noqa: ANN401
    count = getattr(owner, "n_features_in_", None)
    if not isinstance(count, int | np.integer):
        raise ModelRefused(f"{type(owner).__name__} does not say how many features it takes")
    return int(count)


def _check_members(ensemble: Any) -> None:  # noqa: ANN401
    """Ensembles hand their input to their trees unchecked: all must take the same features."""
    members = getattr(ensemble, "estimators_", None)
    if type(ensemble).__name__.startswith(("Bagging", "Stacking")) or members is None:
        return
    for member in np.asarray(members, dtype=object).ravel():
        if hasattr(member, "tree_") and _features(member) != _features(ensemble):
            raise ModelRefused(f"a tree of {type(ensemble).__name__} takes other features than it")


def _check_tree(tree: Any, features: int) -> None:  # noqa: ANN401
    left, right = np.asarray(tree.children_left), np.asarray(tree.children_right)
    inner = left != -1
    used = np.asarray(tree.feature)[inner]
    _check_children(left, right, inner)
    _check_range("feature", used, 0, min(features, int(tree.n_features)))


def _check_predictor(predictor: Any, features: int) -> None:  # noqa: ANN401
    nodes = predictor.nodes
    inner = nodes["is_leaf"] == 0
    _check_children(nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), inner)
    _check_range("feature", nodes["feature_idx"][inner], 0, features)
    categorical = inner & (nodes["is_categorical"] != 0)
    bitsets = len(predictor.raw_left_cat_bitsets)
    _check_range("bitset", nodes["bitset_idx"][categorical], 0, bitsets)


def _check_children(left: NDArray[Any], right: NDArray[Any], inner: NDArray[Any]) -> None:
    if not len(left):
        raise ModelRefused("a tree has no nodes")
    # Children stand behind their parent, so a walk always ends.
    own = np.flatnonzero(inner)
    for child in (left[inner], right[inner]):
        if child.size and ((child <= own).any() or (child >= len(left)).any()):
            raise ModelRefused("a child index of a tree points outside the tree")


def _check_neighbours(tree: Any) -> None:  # noqa: ANN401
    data, index, nodes, _ = (np.asarray(part) for part in tree.get_arrays())
    count = len(data)
    _check_range("point", index, 0, count)
    _check_range("start", nodes["idx_start"], 0, count + 1)
    _check_range("end", nodes["idx_end"], 0, count + 1)


def _check_range(what: str, values: NDArray[Any], low: int, high: int) -> None:
    if values.size and (int(values.min()) < low or int(values.max()) >= high):
        raise ModelRefused(f"a {what} index of a tree lies outside {low}..{high - 1}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:500]
