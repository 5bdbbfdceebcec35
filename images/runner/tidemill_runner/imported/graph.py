"""An imported model in ONNX: asked by ONNX Runtime, packed as it is.

What its classes are called does not stand in the file. Until the data is known they are numbers.
"""

from collections.abc import Sequence
from typing import Any

from sklearn.pipeline import Pipeline

from tidemill.store import onnx_file, onnx_model
from tidemill.store.errors import PackageError
from tidemill_runner.failures import Failure
from tidemill_runner.imported.kinds import ModelFile, unloadable
from tidemill_runner.user_code import kept_onnx
from tidemill_runner.user_code.kept_onnx import KeptOnnx

STEP = "model"


def load(file: ModelFile, task: str) -> Pipeline:
    """Load; raises Failure."""
    try:
        onnx_file.check(file.path)
        session = onnx_model.open_session(file.path)
        columns = [f"feature {place}" for place in range(_width(session, file.called))]
        count = _classes(session) if task == "Classification" else None
        kept = kept_onnx.load(file.path, columns, list(range(count)) if count else None, {})
    except ImportError:
        raise Failure(
            "EstimatorRefused", f"{file.called}: the runner's image has no ONNX Runtime"
        ) from None
    except (PackageError, ValueError, KeyError, TypeError) as error:
        raise unloadable(file.called, error) from None
    return Pipeline([(STEP, kept)])


def relabelled(pipeline: Pipeline, columns: Sequence[str], labels: Sequence[Any]) -> Pipeline:
    """The same graph, whose probabilities are of these classes in order; raises Failure."""
    kept: KeptOnnx = pipeline.steps[-1][1]
    try:
        return Pipeline([(STEP, kept_onnx.load(kept.path, columns, list(labels), {}))])
    except (PackageError, ValueError) as error:
        raise unloadable("the imported model", error) from None


def features(kept: KeptOnnx) -> tuple[str, ...] | None:
    """The names of its features, where each has an input of its own."""
    names = kept.model.inputs
    return names if len(names) > 1 else None


def _width(session: Any, called: str) -> int:  # noqa: ANN401 - of onnxruntime
    inputs = session.get_inputs()
    if len(inputs) != 1:
        return len(inputs)
    shape = list(inputs[0].shape)
    found = 1 if len(shape) == 1 else shape[-1]
    if not isinstance(found, int) or found < 1:
        raise Failure(
            "EstimatorRefused",
            f"{called}: its input {inputs[0].name!r} does not say how many columns it takes: save "
            "it with an input of shape [None, number of features]",
        )
    return found


def _classes(session: Any) -> int:  # noqa: ANN401 - of onnxruntime
    """How many classes it tells; two where it does not say."""
    for one in session.get_outputs():
        shape = list(one.shape)
        if len(shape) == 2 and isinstance(shape[1], int) and one.type.startswith("tensor("):
            numbers = one.type in ("tensor(float)", "tensor(double)")
            if numbers and shape[1] > 1:
                return shape[1]
    return 2
