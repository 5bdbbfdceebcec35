"""The rows of one pod: every n-th of those trained on.

Dealt out like that, no share is of one time or one place in the files, which matters where a
library looks at one share only to choose its bins. Labels are numbered here, by all rows: a share
need not have all classes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight

from tidemill_runner import weights
from tidemill_runner.failures import Failure
from tidemill_runner.material import Material


@dataclass(frozen=True)
class Share:
    """Rows as they are before the first step; targets as numbers, of classes from 0 on."""

    number: int
    features: NDArray[Any]
    target: NDArray[Any]
    weights: NDArray[np.float64] | None

    @classmethod
    def of(cls, pipeline: Pipeline, material: Material, number: int, count: int) -> "Share":
        """Share `number` of `count`; raises Failure for what the fit could not be given."""
        data, train = material.data, material.parts.train
        target = data.target[train]
        if len(target) < count:
            raise Failure(
                "SpecInvalid",
                f"spec.distributed.workers: {count} pods cannot share the {len(target)} rows "
                "trained on: ask for fewer",
            )
        weights.set_class_weights(pipeline, target)
        counted = None if data.weights is None else data.weights[train]
        weights.params(pipeline, counted)
        counted = _by_class(pipeline, target, counted)
        if has_classes(pipeline):
            target = numbered(target)
        # Not by way of all rows trained on: they would be there twice.
        own = slice(number, None, count)
        features = data.features[np.arange(data.n)[train][own]]
        return cls(
            number, features, target[own].copy(), None if counted is None else counted[own].copy()
        )


def has_classes(pipeline: Pipeline) -> bool:
    """Whether what is predicted are classes."""
    return hasattr(pipeline[-1], "predict_proba")


def numbered(target: NDArray[Any]) -> NDArray[np.int64]:
    """The numbers of the classes, in the order in which both libraries have them."""
    found: NDArray[np.int64] = np.unique(target, return_inverse=True)[1]
    return found


def _by_class(
    pipeline: Pipeline, target: NDArray[Any], counted: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """LightGBM's wrapper weighs classes by all rows, which no share has."""
    asked = getattr(pipeline[-1], "class_weight", None)
    if asked is None:
        return counted
    found: NDArray[np.float64] = compute_sample_weight(asked, target)
    return found if counted is None else counted * found
