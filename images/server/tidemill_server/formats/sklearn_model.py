"""A scikit-learn model from a skops file: load it, ask it.

Predictions are scikit-learn's own. A pipeline's transformers run once for all outputs of a batch
rather than once for each, which gives the same numbers, because that is what a pipeline does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skops.io  # noqa: F401 - imported before the fork, so that parent and child share one import
from sklearn.pipeline import Pipeline

from tidemill.store import trusted
from tidemill.store.structure import BrokenModel, check_structure
from tidemill.store.trees import Boosted
from tidemill_server.exits import MODEL_UNLOADABLE, Refused

MODEL_FILE = "model.skops"


@dataclass(frozen=True)
class SklearnModel:
    """The transformers, and the estimator that answers."""

    transformers: tuple[Any, ...]
    estimator: Any
    width: int | None

    def can(self, method: str) -> bool:
        """Whether the model gives this output."""
        return hasattr(self.estimator, method)

    def predict(self, matrix: np.ndarray, wanted: Iterable[str]) -> dict[str, np.ndarray]:
        """The outputs wanted, by name; one row of each for one row of the matrix."""
        rows = matrix
        for transformer in self.transformers:
            rows = transformer.transform(rows)
        return {name: np.asarray(getattr(self.estimator, name)(rows)) for name in wanted}


def load(path: Path, trees: Boosted | None = None) -> SklearnModel:
    """Load the file by the fixed list of types; raises Refused, or what its libraries raise.

    `trees` answer in place of its last step: the file has the steps before them.
    """
    try:
        loaded = trusted.load(path)
    except trusted.ModelRefused as error:
        raise Refused(MODEL_UNLOADABLE, f"{path.name} is refused: {error}") from None
    try:
        check_structure(loaded)
    except BrokenModel as error:
        raise Refused(MODEL_UNLOADABLE, f"{path.name} is broken: {error}") from None
    _one_thread(loaded)
    return _split(loaded, trees)


def _split(loaded: object, trees: Boosted | None) -> SklearnModel:
    steps: list[Any] = [loaded]
    while isinstance(steps[-1], Pipeline):
        steps[-1:] = [step for _, step in steps[-1].steps]
    *transformers, estimator = [*steps, trees] if trees else steps
    if not hasattr(estimator, "predict"):
        raise Refused(
            MODEL_UNLOADABLE, f"a {type(estimator).__name__} at the end of the model cannot predict"
        )
    kept = tuple(step for step in transformers if step is not None and step != "passthrough")
    return SklearnModel(kept, estimator, getattr(loaded, "n_features_in_", None))


def _one_thread(loaded: object) -> None:
    """One core per replica: a pool of threads per request costs more than it brings."""
    get_params = getattr(loaded, "get_params", None)
    if get_params is None:
        return
    parameters: Mapping[str, Any] = get_params(deep=True)
    names = [name for name in parameters if name == "n_jobs" or name.endswith("__n_jobs")]
    if names:
        loaded.set_params(**dict.fromkeys(names, 1))  # type: ignore[attr-defined]
