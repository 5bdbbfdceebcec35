"""The pipeline as a graph in ONNX, by skl2onnx: which inputs it has, and which models are let be.

Numbers make one input of all columns; with texts among them each column is an input of its own, in
the order of the features. The same pipeline gives the same bytes: names are fixed, and so are the
releases of the operators.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from tidemill.store.onnx_model import Terms
from tidemill_runner.columns import Roles
from tidemill_runner.schema import ColumnType

NAME = "tidemill"
OPSET = 21
# That of trees: later ones are not made by the converters of all of them.
OPSET_ML = 3
MAX_REASON_CHARS = 300
MAX_BYTES = 512 * 1024 * 1024
_WORDS = "it cuts texts into words in other ways than ONNX does"
_LET_BE = {
    "CountVectorizer": _WORDS,
    "HashingVectorizer": _WORDS,
    "TfidfVectorizer": _WORDS,
    "QuantileTransformer": "to convert it takes longer by a multiple with each feature",
}


class NotConverted(Exception):  # noqa: N818 - says what became of the model
    """There is no such graph, or none that could be relied on; says why."""


def check(pipeline: Pipeline) -> None:
    """Raise NotConverted for what is known to be converted wrongly and without a word."""
    for part in _parts(pipeline):
        name = type(part).__name__
        if name in _LET_BE:
            raise NotConverted(f"{name}: {_LET_BE[name]}")
        if np.any(getattr(part, "is_categorical_", None)):
            raise NotConverted(f"{name} with categorical features is converted wrongly")


def convert(pipeline: Pipeline, roles: Roles, *, double: bool) -> bytes:
    """The graph; `double` takes numbers as they are, else they are rounded to seven digits.

    May change the pipeline in what no prediction follows from: call it on a copy, or in a child.
    """
    # Imported where it is used, in the child: it takes half a second.
    from skl2onnx import to_onnx  # noqa: PLC0415

    for part in _parts(pipeline):
        if hasattr(part, "flatten_transform"):  # said to be missing, and not needed
            part.flatten_transform = False
    options = {"zipmap": False} if is_classifier(pipeline) else None
    graph = to_onnx(
        pipeline,
        initial_types=_inputs(roles, double=double),
        name=NAME,
        options=options,
        target_opset={"": OPSET, "ai.onnx.ml": OPSET_ML},
    )
    graph.doc_string = ""
    graph.graph.doc_string = ""
    # In the order of a set, which no two processes need have alike.
    versions = sorted(graph.opset_import, key=lambda one: one.domain)
    del graph.opset_import[:]
    graph.opset_import.extend(versions)
    data: bytes = graph.SerializeToString(deterministic=True)
    if len(data) > MAX_BYTES:
        raise NotConverted(f"it would have {len(data)} bytes, more than {MAX_BYTES}")
    return data


def explained(error: Exception) -> str:
    """What skl2onnx says, in a line; it names the class first where it knows none."""
    line = (str(error).strip().splitlines() or [""])[0]
    if type(error).__name__ in ("MissingShapeCalculator", "MissingConverter"):
        named = re.search(r"<class '[\w.]*?(\w+)'>", line)
        if named:
            return f"skl2onnx has no converter for {named[1]}"
    return f"skl2onnx: {type(error).__name__}: {line}"[:MAX_REASON_CHARS]


def terms(pipeline: Pipeline) -> Terms:
    """Under which names its outputs are."""
    if not hasattr(pipeline, "classes_"):
        return Terms("variable", None)
    return Terms("label", "probabilities" if hasattr(pipeline, "predict_proba") else None)


def has_trees(data: bytes) -> bool:
    """Whether numbers are compared with thresholds in it, which have seven digits."""
    return b"TreeEnsemble" in data


def _inputs(roles: Roles, *, double: bool) -> list[tuple[str, Any]]:
    from skl2onnx.common.data_types import (  # noqa: PLC0415
        DoubleTensorType,
        FloatTensorType,
        StringTensorType,
    )

    numbers = DoubleTensorType if double else FloatTensorType
    texts = [column.type is ColumnType.STRING for column in roles.features]
    if all(texts) or not any(texts):
        kind = StringTensorType if all(texts) else numbers
        return [("X", kind([None, len(texts)]))]
    return [
        (f"c{place}", (StringTensorType if text else numbers)([None, 1]))
        for place, text in enumerate(texts)
    ]


def _parts(root: object) -> Iterator[object]:
    """Every estimator within it, each once."""
    seen: set[int] = set()
    pending: list[Any] = [root]
    while pending:
        item = pending.pop()
        if id(item) in seen or isinstance(item, str | bytes | int | float | type(None) | type):
            continue
        seen.add(id(item))
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list | tuple | set):
            pending.extend(item)
        elif isinstance(item, np.ndarray):
            pending.extend(item.ravel().tolist() if item.dtype == object else ())
        elif hasattr(item, "get_params"):
            yield item
            pending.extend(vars(item).values())
