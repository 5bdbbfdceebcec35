"""A model in ONNX that a user's code has written: answered by ONNX Runtime, packed as it is.

Which of the graph's outputs are labels and which probabilities is seen by their types, unless the
code says so.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tidemill.store import onnx_file, onnx_model
from tidemill.store.onnx_model import OnnxModel, Terms
from tidemill_runner.user_code.came_fitted import CameFitted

_LABELS = ("tensor(int64)", "tensor(string)", "tensor(bool)", "tensor(int32)")
_NUMBERS = ("tensor(float)", "tensor(double)")


class KeptOnnx(CameFitted):
    """The one step of a pipeline."""

    _maker = "ONNX"

    def __init__(self, path: Path, model: OnnxModel, terms: Terms) -> None:
        self.path = path
        self.model = model
        self.terms = terms

    @property
    def n_features_in_(self) -> int:
        return self.model.width

    @property
    def _estimator_type(self) -> str:
        return "classifier" if hasattr(self.model, "classes_") else "regressor"

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        model = self.__dict__.get("model")
        if model is not None and name in ("classes_", "predict_proba"):
            return getattr(model, name)
        raise AttributeError(name)

    def predict(self, rows: Any) -> NDArray[Any]:  # noqa: ANN401
        return self.model.predict(rows)

    def content(self, examples: NDArray[Any]) -> dict[str, Any]:
        """What a signature says of it, with its answers to the rows that stand there."""
        names = ("predict", "predict_proba") if self.terms.predict_proba else ("predict",)
        answers = self.model.answer(examples, names) if len(examples) else {}
        told = {name: values.tolist() for name, values in answers.items()}
        return {**self.terms.content(), "answers": told}

    def write(self, folder: Path) -> None:
        """Put the file into a package."""
        shutil.copyfile(self.path, folder / onnx_file.FILE)


def load(
    path: Path, columns: Sequence[str], classes: list[Any] | None, said: Mapping[str, Any]
) -> KeptOnnx:
    """Load a file that was tried; raises PackageError, ImportError, or ValueError for its terms."""
    onnx_file.check(path)
    found = dict(_outputs(onnx_model.open_session(path).get_outputs(), bool(classes)))
    terms = Terms.of({**found, **said})
    unknown = {*terms.missing, *terms.texts} - set(columns)
    if unknown:
        raise ValueError(f"it names the column {min(unknown)!r}, which is no feature")
    return KeptOnnx(path, onnx_model.load(path, columns, terms, classes), terms)


def _outputs(outputs: Sequence[Any], labelled: bool) -> Iterator[tuple[str, str]]:
    numbers = [one.name for one in outputs if one.type in _NUMBERS]
    labels = [one.name for one in outputs if one.type in _LABELS]
    if not labelled:
        yield from (("predict", name) for name in (numbers or labels)[:1])
        return
    yield from (("predict", name) for name in labels[:1])
    yield from (("predict_proba", name) for name in numbers[:1])
