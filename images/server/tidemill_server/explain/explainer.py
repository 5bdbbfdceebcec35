"""How much of an answer is due to which feature: Shapley values, exact where the model adds up.

Of trees, forests, boosted trees and linear models they are exact (`tidemill.stats.additive`), and
told for the features that the last step sees, which an encoder may have made several of one. Of any
other model, and of one in ONNX alone, coalitions of the request's own columns are asked for
(`tidemill.stats.coalitions`). Both compare with the background: rows of the package that nothing
was fitted to. Which way is taken follows from the model, never from the clock.
"""

import importlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from tidemill.stats import coalitions
from tidemill_server.package.signature import Signature

log = logging.getLogger(__name__)

Method = Literal["exact", "sampled"]
# Rows that a model is asked for one that is explained.
MOST_QUESTIONS = 20_000


class Model(Protocol):
    """What is needed of a model."""

    def predict(self, matrix: np.ndarray, wanted: Sequence[str]) -> dict[str, np.ndarray]:
        """The outputs wanted, one row for each row of the matrix."""


@dataclass(frozen=True)
class Explanation:
    """`added` is (rows, features, told), `base` (told,); they come to what the model says.

    `told` are the classes, of two the second alone; or one number. `unit` says of what: a
    prediction, a probability, or the score before it.
    """

    features: tuple[str, ...]
    added: np.ndarray
    base: np.ndarray
    unit: str
    method: Method


class Explainer:
    """Explains rows one by one; asked in the model's thread."""

    def __init__(self, model: Model, signature: Signature, background: np.ndarray) -> None:
        self._model = model
        self._names = tuple(column.name for column in signature.inputs)
        self._output = "predict_proba" if "predict_proba" in signature.output_names else "predict"
        many = coalitions.questions(len(self._names), 1)
        self._background = background[: max(MOST_QUESTIONS // many, 1)]
        self._exact = self._way()

    def explain(self, rows: np.ndarray) -> Explanation:
        """Explain the rows; raises ValueError where the model refuses them."""
        found = self._exact(rows) if self._exact is not None else None
        return found or self._sampled(rows)

    def _way(self) -> Callable[[np.ndarray], Explanation | None] | None:
        """The exact way, if the model can be taken apart and adds up on the background."""
        transformers = getattr(self._model, "transformers", None)
        if transformers is None:
            return None
        # Of scikit-learn, which a model in ONNX does without.
        apart = importlib.import_module("tidemill_server.explain.apart")
        try:
            way = apart.Apart(self._model, self._names, self._background)
            exact = way.explain(self._background[:1]) is not None
        except (ValueError, TypeError, IndexError) as error:
            log.info("explanations are sampled", extra={"detail": str(error)[:300]})
            return None
        found: Callable[[np.ndarray], Explanation | None] = way.explain
        return found if exact else None

    def _sampled(self, rows: np.ndarray) -> Explanation:
        added, base = coalitions.of_model(self._ask, rows, self._background)
        unit = "probability" if self._output == "predict_proba" else "prediction"
        return Explanation(self._names, *of_two(added, base), unit, "sampled")

    def _ask(self, rows: np.ndarray) -> np.ndarray:
        said = self._model.predict(rows, (self._output,))[self._output]
        return said.astype(np.float64).reshape(len(rows), -1)


def explainable(signature: Signature) -> bool:
    """Whether the model says numbers: of labels alone nothing can be taken apart."""
    proba = "predict_proba" in signature.output_names
    return proba or signature.outputs_by_name["predict"].datatype == "FP64"


def of_two(added: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of two classes one says it all."""
    return (added[:, :, 1:], base[1:]) if len(base) == 2 else (added, base)
