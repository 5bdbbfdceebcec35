"""What each feature adds to what the model says, row by row (SHAP values), on a bounded sample.

They are exact where they are told at all: of trees with those of their rows that went each way in
training, of linear models beside the mean row trained on. Features are those that the last step
sees, which an encoder may have made several of one. How many rows are looked at follows from the
model alone, never from the clock.
"""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tidemill.stats import additive
from tidemill_runner.failures import Failure
from tidemill_runner.judgement.asked import Asked
from tidemill_runner.judgement.scene import Scene

log = logging.getLogger(__name__)

FIELD = "spec.evaluation.explain.shap"
MOST_TRAINED = 2_000
MOST_CELLS = 4_000_000
MOST_FEATURES = 200
DRAWN, DOTS = 10, 100

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Contribution:
    """Of one feature: the mean of the absolute values, and some rows of it.

    A row is what was added, and where the feature's value lies among all, from 0 to 1.
    """

    feature: str
    mean: float
    rows: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Contributed:
    """The largest first; `base` is what is said of a row that nothing is known of."""

    unit: str
    rows: int
    base: tuple[float, ...]
    features: tuple[Contribution, ...]
    skipped: int = 0
    note: str = ""


def check(asked: Asked, pipeline: Pipeline) -> None:
    """Refuse, before anything is fitted, what could not be told; raises Failure."""
    why = additive.fault(pipeline.steps[-1][1]) if asked.shap else None
    if why:
        raise Failure("SpecInvalid", f"{FIELD}: {why}; leave it out, or use one of those")


def measure(scene: Scene) -> Contributed | None:
    """None where it was not asked for."""
    if not scene.asked.shap:
        return None
    try:
        return _measured(scene)
    except (additive.NoPartsError, ValueError, TypeError, IndexError) as error:
        log.warning("what features contribute is not told: %s", error)
        words = " ".join(str(error).split())[:300]
        return Contributed("", 0, (), (), note=f"contributions are not told: {words}")


def _measured(scene: Scene) -> Contributed:
    model, rng = scene.pipeline.steps[-1][1], np.random.default_rng(scene.seed)
    few = _some(scene.parts.holdout, additive.rows_for(model), rng)
    trained = _some(scene.parts.train, MOST_TRAINED, rng)
    width = _seen(scene.pipeline, scene.data.features[few[:1]]).shape[1]
    most = max(MOST_CELLS // max(width, 1), 1)
    asked = _given(scene.pipeline, scene.data.features[few[:most]])
    rows = additive.dense(asked)
    background = _seen(scene.pipeline, scene.data.features[trained[:most]])
    # What absent cells mean is the model's matter: to XGBoost they are missing, and not 0.
    found = additive.apart(model, rows, background, asked)
    added, base = found.added, found.base
    if len(base) == 2:  # of two classes one says it all
        added, base = added[:, :, 1:], base[1:]
    names = _names(scene.pipeline, [one.name for one in scene.roles.features], width)
    means = np.abs(added).mean(axis=0).mean(axis=1)
    order = np.argsort(-means, kind="stable")[:MOST_FEATURES]
    told = tuple(
        Contribution(names[at], float(means[at]), _dots(added[:, at], rows[:, at], place))
        for place, at in enumerate(order)
    )
    skipped = width - len(told)
    return Contributed(found.unit, len(rows), tuple(base.tolist()), told, skipped)


def _some(rows: NDArray[Any], most: int, rng: np.random.Generator) -> NDArray[Any]:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def _seen(pipeline: Pipeline, cells: NDArray[Any]) -> Floats:
    """Rows as the last step sees them, made dense."""
    return additive.dense(_given(pipeline, cells))


def _given(pipeline: Pipeline, cells: NDArray[Any]) -> Any:  # noqa: ANN401 - dense or sparse
    return pipeline[:-1].transform(cells) if len(pipeline) > 1 else cells


def _names(pipeline: Pipeline, features: list[str], width: int) -> list[str]:
    """Names of what the last step sees: the steps before it say them, or they are numbered."""
    try:
        given = pipeline[:-1].get_feature_names_out(features) if len(pipeline) > 1 else features
        names = [str(name) for name in given]
    except (AttributeError, ValueError):
        names = []
    return names if len(names) == width else [f"column {place}" for place in range(width)]


def _dots(added: Floats, values: Floats, place: int) -> tuple[tuple[float, float], ...]:
    """Some rows of a feature to be drawn; none where there are several classes."""
    if place >= DRAWN or added.shape[1] != 1:
        return ()
    spread = np.unique(np.linspace(0, len(values) - 1, min(DOTS, len(values))).astype(int))
    known = np.sort(values[~np.isnan(values)])
    ranks = np.searchsorted(known, values, side="left") / max(len(known) - 1, 1)
    ranks = np.where(np.isnan(values), 0.5, np.minimum(ranks, 1.0))
    return tuple((float(added[at, 0]), float(ranks[at])) for at in spread)
