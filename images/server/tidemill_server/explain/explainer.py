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
MOST_TOLD = 10_000  # numbers for one row


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


class Unexplained(Exception):  # noqa: N818 - says what is the case
    """Why a model's answers are not explained, in words for whoever asks."""


class Explains(Protocol):
    """Who tells what each feature adds; asked in the model's thread."""

    def explain(self, rows: np.ndarray) -> Explanation:
        """Explain the rows; raises ValueError where the model refuses them."""

    def sampled(self, rows: np.ndarray) -> Explanation:
        """Explain the rows by coalitions, whatever the model is."""


class Explainer:
    """Explains rows one by one; asked in the model's thread. Raises Unexplained."""

    def __init__(self, model: Model, signature: Signature, background: np.ndarray) -> None:
        self._model = model
        self._names = tuple(column.name for column in signature.inputs)
        self._output = _told(signature)
        self._background = background
        self._exact = self._way()
        width = len(self._names)
        if self._exact is None and width > coalitions.MOST_FEATURES:
            raise Unexplained(
                f"the model does not add up, and of {width} columns no more than guesses could be "
                f"told: {coalitions.MOST_FEATURES} at most"
            )
        many = coalitions.questions(width, 1)
        self._few = background[: max(MOST_QUESTIONS // many, 1)]

    def explain(self, rows: np.ndarray) -> Explanation:
        """Explain the rows; raises ValueError where the model refuses them."""
        found = self._exact(rows) if self._exact is not None else None
        return found or self.sampled(rows)

    def sampled(self, rows: np.ndarray) -> Explanation:
        """Explain the rows by coalitions, whatever the model is."""
        added, base = coalitions.of_model(self._ask, rows, self._few)
        if self._output == "predict":
            return Explanation(self._names, added, base, "prediction", "sampled")
        return Explanation(self._names, *of_two(added, base), "probability", "sampled")

    def _way(self) -> Callable[[np.ndarray], Explanation | None] | None:
        """The exact way, if the model can be taken apart and adds up on the background."""
        if getattr(self._model, "transformers", None) is None:
            return None
        # Of scikit-learn, which a model in ONNX does without.
        apart = importlib.import_module("tidemill_server.explain.apart")
        try:
            way = apart.Apart(self._model, self._names, self._background)
            found = way.explain(self._background)
        except Exception as error:  # libraries raise what they like, and none of it is an answer
            log.info("explanations are sampled", extra={"detail": str(error)[:300]})
            return None
        if found is None or found.added[0].size > MOST_TOLD:
            return None
        told: Callable[[np.ndarray], Explanation | None] = way.explain
        return told

    def _ask(self, rows: np.ndarray) -> np.ndarray:
        said = self._model.predict(rows, (self._output,))[self._output]
        return said.astype(np.float64).reshape(len(rows), -1)


def _told(signature: Signature) -> str:
    """The output that is explained: probabilities, or one number; raises Unexplained."""
    if "predict_proba" in signature.output_names:
        return "predict_proba"
    predict = signature.outputs_by_name["predict"]
    if signature.task == "Classification" or predict.datatype == "BYTES":
        raise Unexplained(
            "the model says labels and no probabilities: there is nothing to take apart"
        )
    if len(predict.shape) != 1:
        raise Unexplained("the model says several numbers at once, which are not taken apart")
    return "predict"


def of_two(added: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of two classes one says it all."""
    return (added[:, :, 1:], base[1:]) if len(base) == 2 else (added, base)
