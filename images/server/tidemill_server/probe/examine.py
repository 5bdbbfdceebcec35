"""What the child does with a model: load it, ask it, compare it with its signature.

It runs on a verified package; verified means unchanged, not harmless. Whatever goes wrong here
becomes one sentence for the user.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from tidemill_server.exits import MODEL_UNLOADABLE, Refused
from tidemill_server.explain.explainer import Explainer, Unexplained
from tidemill_server.formats.choice import METHODS, Model, is_onnx, open_model
from tidemill_server.formats.onnx_format import check_answers
from tidemill_server.package.signature import Column, Output, Signature, read_signature
from tidemill_server.protocol.rows import assembled
from tidemill_server.settings import Runtime

# Kinds of numpy types that may be answered under each datatype of the protocol.
_KINDS = {"FP64": "f", "INT64": "iu", "BOOL": "b", "BYTES": "UO"}


def examine(folder: Path, runtime: Runtime, *, explained: bool = False) -> None:
    """Return when the model can be served; raises Refused with the reason when not.

    What takes its answers apart is tried here first as well, where that will be asked for.
    """
    signature = read_signature(folder / "signature.json")
    model = open_model(folder, signature, runtime)
    _check_width(model, signature)
    for method in METHODS:
        if method in signature.output_names and not model.can(method):
            raise Refused(MODEL_UNLOADABLE, f"the signature has {method!r}, the model has not")
    rows = probe_rows(signature)
    try:
        answer = model.predict(rows, signature.output_names)
    except ValueError as error:
        if signature.as_objects and not signature.examples:
            return  # a text that the model never saw may be refused: that is an answer, too
        raise Refused(MODEL_UNLOADABLE, f"the model cannot predict: {error}") from None
    for output in signature.outputs:
        _check_output(output, answer[output.name], len(rows))
    if explained:
        explain_with(model, signature)
    if signature.onnx and signature.examples and is_onnx(folder, runtime):
        check_answers(signature.onnx, answer)


def explain_with(model: Model, signature: Signature) -> tuple[Explainer | None, str]:
    """Who explains the model's answers, or why nobody does. Packages of old have but examples."""
    rows = signature.background or signature.examples
    background = as_matrix(rows, signature) if rows else probe_rows(signature)
    try:
        return Explainer(model, signature, background), ""
    except Unexplained as why:
        return None, str(why)


def probe_rows(signature: Signature) -> np.ndarray:
    """The examples of the package, or rows of the right types where it has none."""
    if signature.examples:
        return as_matrix(signature.examples, signature)
    rows = [[_value(column, step) for column in signature.inputs] for step in (0, 1, 2)]
    return np.array(rows, dtype=object if signature.as_objects else np.float64)


def as_matrix(rows: tuple[tuple[Any, ...], ...], signature: Signature) -> np.ndarray:
    """Rows of the signature, of which there is one at least, as the model is asked with them."""
    columns = [list(values) for values in zip(*rows, strict=True)]
    found = [
        _missing_as_nan(values, column)
        for values, column in zip(columns, signature.inputs, strict=True)
    ]
    return assembled(found, len(rows), signature)


def _missing_as_nan(values: list[Any], column: Column) -> list[Any]:
    if column.datatype == "BYTES":
        return values
    return [math.nan if value is None else float(value) for value in values]


def _value(column: Column, step: int) -> object:
    if column.datatype == "BYTES":
        return ""
    return float(step % 2 if column.datatype == "BOOL" else step)


def _check_width(model: Model, signature: Signature) -> None:
    if model.width is not None and model.width != len(signature.inputs):
        raise Refused(
            MODEL_UNLOADABLE,
            f"the model takes {model.width} features, its signature names {len(signature.inputs)}",
        )


def _check_output(output: Output, array: np.ndarray, rows: int) -> None:
    shape = (rows, *output.shape[1:])
    if array.shape != shape or array.dtype.kind not in _KINDS[output.datatype]:
        raise Refused(
            MODEL_UNLOADABLE,
            f"the model answers {output.name!r} with {array.dtype} of shape {array.shape}, "
            f"its signature says {output.datatype} of shape {shape}",
        )
