"""Whether more rows would help: the same estimator fitted on parts of the rows trained on.

Of rows in order the latest are taken, of others a drawn part; all are measured on the same rows
held out, by the first metric.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from tidemill.stats.drawn import Drawn
from tidemill.stats.estimate import Estimate
from tidemill_runner import summing, weights
from tidemill_runner.evaluate import ask, judged
from tidemill_runner.judgement.scene import Scene

SHARES = (0.125, 0.25, 0.5)
LEAST = 10


@dataclass(frozen=True)
class Point:
    """So many rows trained on, and what came of it; where nothing did, why not."""

    rows: int
    estimate: Estimate | None
    note: str = ""


@dataclass(frozen=True)
class Learning:
    """From few rows to all of them."""

    metric: str
    points: tuple[Point, ...]


def measure(scene: Scene) -> Learning | None:
    """None where it was not asked for or no metric could be measured."""
    if not scene.asked.learning or not scene.evaluation.metrics:
        return None
    whole, train = scene.evaluation.metrics[0], scene.parts.train
    sizes = sorted({max(round(share * len(train)), LEAST) for share in SHARES})
    points = [_point(scene, _some(scene, size)) for size in sizes if size < len(train)]
    return Learning(whole.name, (*points, Point(len(train), whole)))


def _some(scene: Scene, size: int) -> NDArray[np.intp]:
    train = scene.parts.train
    if scene.ordered:
        return train[-size:]
    return np.sort(np.random.default_rng(scene.seed).choice(train, size, replace=False))


def _point(scene: Scene, rows: NDArray[np.intp]) -> Point:
    model, data = clone(scene.pipeline), scene.data
    counted = None if data.weights is None else data.weights[rows]
    held, name = scene.parts.holdout, scene.evaluation.metrics[0].name
    try:
        with warnings.catch_warnings(), summing.in_order(model):
            warnings.simplefilter("ignore")
            model.fit(data.features[rows], data.target[rows], **weights.params(model, counted))
            said = ask(model, data.features[held])
    except MemoryError:
        raise
    except Exception as error:
        # So few rows may lack a class, or whatever else the estimator needs.
        words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return Point(len(rows), None, words)
    found, _ = judged(model, said, data.target[held])
    drawn = Drawn.of(name, found, scene.draws, scene.seed)
    if drawn is None:
        return Point(len(rows), None, f"{name} is not defined: a class is missing")
    return Point(len(rows), drawn.estimate())
