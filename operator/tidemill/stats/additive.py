"""Models that what they say can be taken apart of, exactly: trees, sums of trees, linear models.

What is taken apart is what the model adds up: the raw prediction, before a link makes a probability
of it, or the probability where trees tell that. A model whose parts do not come to what it says is
told to be none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn import dummy, ensemble, linear_model, svm, tree
from sklearn.base import BaseEstimator, is_classifier

from tidemill.stats import shapley
from tidemill.stats.shapley import Tree

Floats = NDArray[np.float64]
MOST_LEAVES = 200_000
MOST_PATHS = 10_000_000  # leaves times depth, of one tree
# Leaves times rows: a few seconds of one CPU.
MOST_WORK = 2_000_000
ROWS = (20, 500)
# Relative to what is said; boosted trees add up in single precision.
_PRECISION = 1e-6
_SINGLE = 1e-3

_SINGLE_TREES = tuple(
    getattr(tree, f"{name}Tree{task}")
    for name in ("Decision", "Extra")
    for task in ("Classifier", "Regressor")
)
_FORESTS = tuple(
    getattr(ensemble, f"{name}{task}")
    for name in ("RandomForest", "ExtraTrees")
    for task in ("Classifier", "Regressor")
)
_BOOSTED = (ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor)
_HISTOGRAMS = (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)
_LINES = (
    *(
        getattr(linear_model, name)
        for name in (
            *("ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor"),
            *("Lars", "LarsCV", "Lasso", "LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC"),
            *("LinearRegression", "LogisticRegression", "LogisticRegressionCV", "Perceptron"),
            *("OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV", "QuantileRegressor"),
            *("Ridge", "RidgeCV", "RidgeClassifier", "RidgeClassifierCV", "SGDClassifier"),
            *("SGDRegressor", "TheilSenRegressor"),
        )
    ),
    svm.LinearSVC,
    svm.LinearSVR,
)
THERE_ARE = (
    "decision trees, random forests, extremely randomized trees, gradient boosting (of histograms, "
    "too), XGBoost, LightGBM and linear models"
)


class NoPartsError(Exception):
    """Why a model cannot be taken apart."""


@dataclass(frozen=True)
class Parts:
    """What each feature adds to what is said of each row; `base` is what is said of none.

    (rows, features, told), where `told` are classes or one number.
    """

    added: Floats
    base: Floats
    said: Floats
    unit: str


@dataclass(frozen=True)
class _Sum:
    """Trees whose values add up, with a factor for all and what is added to them."""

    trees: tuple[Tree, ...]
    factor: float
    start: Floats
    columns: tuple[int, ...] | None = None  # of the sum, that each tree adds to

    def apart(self, rows: Floats) -> tuple[Floats, Floats]:
        added = np.zeros((*rows.shape, len(self.start)))
        base = self.start.astype(np.float64).copy()
        for place, one in enumerate(self.trees):
            told = slice(None) if self.columns is None else [self.columns[place]]
            added[:, :, told] += self.factor * shapley.of_tree(one, rows)
            base[told] += self.factor * shapley.expected(one)
        return added, base


Apart = Callable[[Any, Floats, Floats], Parts]


def dense(given: Any) -> Floats:  # noqa: ANN401 - dense or sparse
    """Rows as the last step sees them, with every cell."""
    return np.asarray(given.toarray() if sparse.issparse(given) else given, dtype=np.float64)


def fault(model: object) -> str | None:
    """Say why a model, fitted or not, cannot be taken apart; None where it can."""
    if _way(model) is None:
        return f"{type(model).__name__} cannot be taken apart exactly: there are {THERE_ARE}"
    if isinstance(model, _BOOSTED) and model.init not in (None, "zero"):
        return (
            f"{type(model).__name__} begins with another estimator (init), which is not taken apart"
        )
    return None


def rows_for(model: object) -> int:
    """Say how many rows can be looked at in a bounded time; raises NoPartsError for none."""
    trees = _sum(model).trees if isinstance(model, _OF_TREES) else ()
    leaves = max(sum(one.leaves for one in trees), 1)
    if leaves > MOST_LEAVES:
        raise NoPartsError(f"the model has {leaves:,} leaves, more than {MOST_LEAVES:,}")
    for one in trees:
        if one.leaves * one.depth > MOST_PATHS:
            raise NoPartsError(f"a tree of {one.leaves:,} leaves is {one.depth:,} deep")
    least, most = ROWS
    return int(np.clip(MOST_WORK // leaves, least, most))


def apart(model: Any, rows: Floats, trained: Floats, given: Any = None) -> Parts:  # noqa: ANN401
    """Take apart what a fitted model says of rows; `trained` are some rows trained on.

    `given` are the rows as the model is asked with them, where they are not dense.
    Raises NoPartsError where the parts do not add up.
    """
    way = _way(model)
    if way is None:
        raise NoPartsError(str(fault(model)))
    is_sparse = sparse.issparse(given) and way in (_xgboost, _lightgbm)
    found = way(model, given if is_sparse else rows, trained)
    sums = found.added.sum(axis=1) + found.base
    single = way in (_xgboost, _lightgbm)
    # Parts that are much larger than what they come to lose as many digits.
    largest = max(np.abs(found.said).max(initial=0.0), np.abs(found.added).max(initial=0.0))
    most = (_SINGLE if single else _PRECISION) * (1.0 + largest)
    if not np.abs(sums - found.said).max(initial=0.0) <= most:
        raise NoPartsError("its parts do not add up to what it says")
    return found


_OF_TREES = (*_SINGLE_TREES, *_FORESTS, *_BOOSTED, *_HISTOGRAMS)


def _way(model: object) -> Apart | None:
    libraries: Mapping[str, Apart] = {"xgboost": _xgboost, "lightgbm": _lightgbm}
    if isinstance(model, _OF_TREES):
        return _trees
    if isinstance(model, _LINES):
        return _line
    # Trees that were fitted elsewhere say themselves whose they are.
    library = getattr(model, "library", None) or type(model).__module__.partition(".")[0]
    return libraries.get(library)


def _unit(model: object) -> str:
    if not _classifies(model):
        return "prediction"
    told = (*_SINGLE_TREES, *_FORESTS)
    return "probability" if isinstance(model, told) else "score"


def _classifies(model: object) -> bool:
    """Trees as a server has them know their classes, and are no estimator of scikit-learn's."""
    if isinstance(model, BaseEstimator):
        return bool(is_classifier(model))
    return getattr(model, "classes", None) is not None


def _trees(model: Any, rows: Floats, trained: Floats) -> Parts:  # noqa: ANN401, ARG001
    single = not isinstance(model, _HISTOGRAMS)
    # scikit-learn's own trees compare single precision.
    seen = rows.astype(np.float32).astype(np.float64) if single else rows
    added, base = _sum(model).apart(seen)
    return Parts(added, base, _said(model, rows), _unit(model))


def _said(model: Any, rows: Floats) -> Floats:  # noqa: ANN401
    way = "predict"
    if is_classifier(model):
        in_shares = isinstance(model, (*_SINGLE_TREES, *_FORESTS))
        way = "predict_proba" if in_shares else "decision_function"
    told = getattr(model, way)(rows)
    # These losses predict by an exponential.
    if isinstance(model, _HISTOGRAMS) and model.loss in ("poisson", "gamma"):
        told = np.log(told)
    found: Floats = np.asarray(told, np.float64).reshape(len(rows), -1)
    return found


def _sum(model: Any) -> _Sum:  # noqa: ANN401
    if isinstance(model, _SINGLE_TREES):
        one = _of_sklearn(model.tree_)
        return _Sum((one,), 1.0, np.zeros(one.value.shape[1]))
    if isinstance(model, _FORESTS):
        trees = tuple(_of_sklearn(one.tree_) for one in model.estimators_)
        return _Sum(trees, 1.0 / len(trees), np.zeros(trees[0].value.shape[1]))
    if isinstance(model, _BOOSTED):
        width = model.estimators_.shape[1]
        trees = tuple(_of_sklearn(one.tree_) for one in model.estimators_.ravel())
        columns = tuple(range(width)) * len(model.estimators_)
        return _Sum(trees, model.learning_rate, _first(model, width), columns)
    width = len(model._predictors[0])  # noqa: SLF001 - there is no other way to its trees
    trees = tuple(_of_histogram(one) for row in model._predictors for one in row)  # noqa: SLF001
    columns = tuple(range(width)) * len(model._predictors)  # noqa: SLF001
    return _Sum(trees, 1.0, np.ravel(model._baseline_prediction), columns)  # noqa: SLF001


def _first(model: Any, width: int) -> Floats:  # noqa: ANN401
    """What gradient boosting begins with: the same for every row."""
    if not isinstance(model.init_, dummy.DummyClassifier | dummy.DummyRegressor):
        return np.zeros(width)
    nothing = np.zeros((1, model.n_features_in_), np.float32)
    found: Floats = np.ravel(model._raw_predict_init(nothing)).astype(np.float64)  # noqa: SLF001
    return found


def _of_sklearn(one: Any) -> Tree:  # noqa: ANN401
    return Tree(
        feature=one.feature.astype(np.int64),
        threshold=one.threshold,
        left=one.children_left.astype(np.int64),
        right=one.children_right.astype(np.int64),
        missing_left=one.missing_go_to_left.astype(bool),
        value=one.value[:, 0, :],
        cover=one.weighted_n_node_samples,
    )


def _of_histogram(one: Any) -> Tree:  # noqa: ANN401
    nodes = one.nodes
    if nodes["is_categorical"].any():
        raise NoPartsError("a tree of it asks for categories, which have no threshold")
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"],
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        value=nodes["value"][:, None],
        cover=nodes["count"].astype(np.float64),
    )


def _line(model: Any, rows: Floats, trained: Floats) -> Parts:  # noqa: ANN401
    weights = np.atleast_2d(model.coef_).astype(np.float64).T
    middle = trained.mean(axis=0)
    base = middle @ weights + np.broadcast_to(model.intercept_, weights.shape[1])
    added = shapley.of_line(weights, rows, middle)
    return Parts(added, np.ravel(base), _said(model, rows), _unit(model))


def _xgboost(model: Any, rows: Floats, trained: Floats) -> Parts:  # noqa: ANN401, ARG001
    from xgboost import DMatrix  # noqa: PLC0415 - only where the image has it

    booster = model.get_booster() if hasattr(model, "get_booster") else model.booster
    cells = DMatrix(rows)
    count = cells.num_row()
    given = np.asarray(booster.predict(cells, pred_contribs=True), np.float64)
    said = np.asarray(booster.predict(cells, output_margin=True), np.float64)
    # (rows, features) of one number, (rows, classes, features) of several.
    many = given[:, None, :] if given.ndim == 2 else given
    added = many[:, :, :-1].transpose(0, 2, 1)
    return Parts(added, many[0, :, -1], said.reshape(count, -1), _unit(model))


def _lightgbm(model: Any, rows: Floats, trained: Floats) -> Parts:  # noqa: ANN401, ARG001
    booster = model.booster_ if hasattr(model, "booster_") else model.booster
    count = rows.shape[0]
    told = booster.predict(rows, pred_contrib=True)
    # Of sparse rows and several classes it gives a list.
    blocks = told if isinstance(told, list) else [told]
    dense = [one.toarray() if sparse.issparse(one) else one for one in blocks]
    given = np.concatenate([np.asarray(one, np.float64) for one in dense], axis=1)
    said = np.asarray(booster.predict(rows, raw_score=True), np.float64).reshape(count, -1)
    many = given.reshape(count, said.shape[1], -1)
    added = many[:, :, :-1].transpose(0, 2, 1)
    return Parts(added, many[0, :, -1], said, _unit(model))
