"""The exact way: the last step of a pipeline is taken apart, on rows as the steps before make them.

Imported only where scikit-learn answers.
"""

import logging
from typing import Any

import numpy as np

from tidemill.stats import additive
from tidemill.stats.additive import NoPartsError
from tidemill_server.explain.explainer import Explanation, of_two
from tidemill_server.formats.sklearn_model import SklearnModel

log = logging.getLogger(__name__)


class Apart:
    """A model that adds up."""

    def __init__(self, model: SklearnModel, names: tuple[str, ...], background: np.ndarray) -> None:
        self._model = model
        self._background = additive.dense(self._seen(background))
        self._names = _names(model, names, self._background.shape[1])

    def explain(self, rows: np.ndarray) -> Explanation | None:
        """None where the parts do not come to what the model says."""
        given, model = self._seen(rows), self._model.estimator
        try:
            found = additive.apart(model, additive.dense(given), self._background, given)
        except NoPartsError as error:
            log.info("explanations are sampled", extra={"detail": str(error)[:300]})
            return None
        added, base = found.added, found.base
        if found.unit != "prediction":
            added, base = of_two(added, base)
        return Explanation(self._names, added, base, found.unit, "exact")

    def _seen(self, rows: Any) -> Any:  # noqa: ANN401 - dense or sparse
        for transformer in self._model.transformers:
            rows = transformer.transform(rows)
        return rows


def _names(model: SklearnModel, names: tuple[str, ...], width: int) -> tuple[str, ...]:
    """Names of what the last step sees: the steps before it say them, or they are numbered."""
    found = list(names)
    try:
        for transformer in model.transformers:
            found = [str(name) for name in transformer.get_feature_names_out(found)]
    except (AttributeError, ValueError):
        found = []
    # Names may come together of different parts: of two features of one name one would be lost.
    named = len(found) == len(set(found)) == width
    return tuple(found) if named else tuple(f"column {at}" for at in range(width))
