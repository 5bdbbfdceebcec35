"""A model on ONNX Runtime: nothing of scikit-learn is imported, and a row takes microseconds."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tidemill.store import onnx_file, onnx_model
from tidemill.store.errors import PackageError
from tidemill.store.onnx_model import OnnxModel, Terms
from tidemill_server.exits import MODEL_UNLOADABLE, Refused
from tidemill_server.package.signature import Signature


@dataclass(frozen=True)
class OnnxFormat:
    """The graph, as the signature says that it is asked."""

    model: OnnxModel

    @property
    def width(self) -> int:
        return self.model.width

    def can(self, method: str) -> bool:
        """Whether the model gives this output."""
        return hasattr(self.model, method)

    def predict(self, matrix: np.ndarray, wanted: Iterable[str]) -> dict[str, np.ndarray]:
        """The outputs wanted, by name; one row of each for one row of the matrix."""
        return self.model.answer(matrix, wanted)


def load(folder: Path, signature: Signature, terms: Terms) -> OnnxFormat:
    """Load the graph; raises Refused."""
    columns = [column.name for column in signature.inputs]
    try:
        model = onnx_model.load(folder / onnx_file.FILE, columns, terms, signature.classes)
    except PackageError as error:
        raise Refused(MODEL_UNLOADABLE, error.message) from None
    return OnnxFormat(model)


def check_answers(terms: Terms, answer: dict[str, np.ndarray]) -> None:
    """Compare with what the package says that it answered; raises Refused.

    Another release of ONNX Runtime, or another processor, may count otherwise.
    """
    for name, found in answer.items():
        if name not in terms.answers:
            continue
        wanted = np.array(terms.answers[name], dtype=found.dtype)
        if wanted.shape != found.shape or not _same(found, wanted, terms):
            raise Refused(
                MODEL_UNLOADABLE,
                f"{onnx_file.FILE} answers the package's own examples otherwise than recorded "
                f"({name}): serve it with spec.runtime Native, or with the server image of the "
                "release that trained it",
            )


def _same(found: np.ndarray, wanted: np.ndarray, terms: Terms) -> bool:
    if found.dtype.kind == "f":
        return bool((np.abs(found - wanted) <= terms.tolerance).all())
    return bool((found == wanted).all())
