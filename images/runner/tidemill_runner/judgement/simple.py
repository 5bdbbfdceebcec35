"""The simple models that a model is held against, fitted on the same rows.

Majority says what was most frequent in training (with the shares as probabilities), of numbers the
mean. LastValue says what was true of the row before it, in the order of the split, of the same
group if rows have one: as if each answer were known by the next row. Linear is a logistic or ridge
regression of all features, filled in, scaled and encoded, on a bounded sample of the rows.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from tidemill_runner import weights
from tidemill_runner.evaluate import Answers
from tidemill_runner.failures import Failure
from tidemill_runner.judgement.scene import Scene
from tidemill_runner.schema import ColumnType

# Cells (rows × encoded columns × classes) that the linear model is fitted on, and its rows.
MAX_CELLS = 4_000_000
MAX_ROWS = 50_000
MAX_CLASSES = 50
MAX_WIDTH = 4_000
_CATEGORIES = 20
_BLOCK = 100_000


class Absent(Exception):  # noqa: N818 - no error: a reason to leave a baseline out
    """Why a baseline cannot be had on these rows."""


def said_by(name: str, scene: Scene) -> Answers:
    """What the baseline says of the rows held out; raises Absent."""
    return _MODELS[name](scene)


def linear_rows(scene: Scene) -> int:
    """How many rows the linear model is fitted on."""
    width = _width(scene) * (1 if _is_regression(scene) else _classes(scene))
    return min(len(scene.parts.train), MAX_ROWS, max(MAX_CELLS // max(width, 1), 1_000))


def _majority(scene: Scene) -> Answers:
    held, train = len(scene.parts.holdout), scene.data.target[scene.parts.train]
    if _is_regression(scene):
        return Answers(np.full(held, train.mean()), None)
    labels = scene.pipeline.classes_
    counts = _counts(train, labels)
    shares = np.tile(counts / counts.sum(), (held, 1))
    return Answers(np.full(held, labels[counts.argmax()], dtype=labels.dtype), shares)


def _last_value(scene: Scene) -> Answers:
    """What has none before it gets what Majority says."""
    parts, target = scene.parts, scene.data.target
    sequence = np.concatenate([parts.train, parts.holdout])
    if not scene.ordered:
        sequence = np.arange(scene.data.n)
    known = np.ones(len(sequence), bool)
    if scene.groups is not None:
        sequence = sequence[np.argsort(scene.groups[sequence], kind="stable")]
        known[1:] = np.diff(scene.groups[sequence]) == 0
    known[0] = False
    before = np.full(scene.data.n, _majority(scene).predicted[0], dtype=target.dtype)
    places = np.flatnonzero(known)
    before[sequence[places]] = target[sequence[places - 1]]
    return Answers(before[parts.holdout], None)


def _linear(scene: Scene) -> Answers:
    if not _is_regression(scene) and _classes(scene) > MAX_CLASSES:
        raise Absent(f"{_classes(scene)} classes are more than the {MAX_CLASSES} it is fitted for")
    if _width(scene) > MAX_WIDTH:
        raise Absent(f"the features are more than the {MAX_WIDTH} it is fitted for")
    rng = np.random.default_rng(scene.seed)
    train, most = scene.parts.train, linear_rows(scene)
    if most < len(train):
        train = np.sort(rng.choice(train, most, replace=False))
    target = scene.data.target[train]
    if not _is_regression(scene) and len(set(target.tolist())) < 2:
        raise Absent("a sample of the rows trained on has one class only")
    model = _pipeline(scene)
    counted = None if scene.data.weights is None else scene.data.weights[train]
    try:
        # It may not have converged, or go astray: what it reaches is what is told of it.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            given = weights.params(model, counted)
            model.fit(scene.data.features[train], target, **given)
    except (ValueError, np.linalg.LinAlgError, Failure) as error:
        raise Absent(f"it cannot be fitted: {error}") from None
    with np.errstate(all="ignore"):
        return _answers(model, scene)


def _pipeline(scene: Scene) -> Pipeline:
    texts = [c.type is ColumnType.STRING for c in scene.roles.features]
    numbers = np.flatnonzero(~np.array(texts))
    scaled = make_pipeline(
        FunctionTransformer(_floats),
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
    )
    encoder = OneHotEncoder(
        max_categories=_CATEGORIES, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    encoded = ColumnTransformer(
        [("numbers", scaled, numbers), ("texts", encoder, np.flatnonzero(texts))]
    )
    model = Ridge() if _is_regression(scene) else LogisticRegression(max_iter=100, tol=1e-3)
    return make_pipeline(encoded, model)


def _floats(cells: NDArray[Any]) -> NDArray[np.float64]:
    return cells.astype(np.float64)


def _answers(model: Pipeline, scene: Scene) -> Answers:
    """In blocks: the encoded columns of all rows may not fit into memory."""
    held = scene.parts.holdout
    blocks = [held[start : start + _BLOCK] for start in range(0, len(held), _BLOCK)]
    if _is_regression(scene):
        said = [model.predict(scene.data.features[block]) for block in blocks]
        return Answers(np.concatenate(said), None)
    found = np.concatenate([model.predict_proba(scene.data.features[block]) for block in blocks])
    # The classes of an imported model are in its own order.
    known = {label: place for place, label in enumerate(scene.pipeline.classes_.tolist())}
    places = [known[label] for label in model.classes_.tolist()]
    probabilities = np.zeros((len(held), _classes(scene)))
    probabilities[:, places] = found
    return Answers(model.classes_[found.argmax(axis=1)], probabilities)


def _is_regression(scene: Scene) -> bool:
    return not hasattr(scene.pipeline, "classes_")


def _classes(scene: Scene) -> int:
    return len(scene.pipeline.classes_)


def _width(scene: Scene) -> int:
    """Columns after encoding, at most."""
    texts = sum(column.type is ColumnType.STRING for column in scene.roles.features)
    return len(scene.roles.features) + texts * (_CATEGORIES - 1)


def _counts(target: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.int64]:
    places = {label: place for place, label in enumerate(labels.tolist())}
    return np.bincount([places[one] for one in target.tolist()], minlength=len(labels))


_MODELS: dict[str, Callable[[Scene], Answers]] = {
    "Majority": _majority,
    "LastValue": _last_value,
    "Linear": _linear,
}
