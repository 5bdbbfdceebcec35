"""`signature.json`: which columns the model takes, in which order, and what it answers.

The order of the inputs is the order of the features. Numeric models take one float64 matrix;
models with a text column take a matrix of objects, where a missing text is NaN (`object-nan`), or
None, as the first of them were made (`object`).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from tidemill.store import boosted
from tidemill.store.onnx_model import Terms
from tidemill.store.package import PackageReason
from tidemill_server.exits import Refused

FORMAT = "tidemill.dev/signature/v1"
COLUMN_TYPES = frozenset({"FP64", "INT64", "BOOL", "BYTES"})
OUTPUT_TYPES = COLUMN_TYPES
MAX_COLUMNS = 10_000
MAX_EXAMPLES = 8
MAX_BACKGROUND = 32
# What an explanation adds to the outputs, whichever way it is asked for.
EXPLAINED: Mapping[str, "ColumnType"] = {
    "explanation": "FP64",
    "explanation_base": "FP64",
    "explanation_features": "BYTES",
}

ColumnType = Literal["FP64", "INT64", "BOOL", "BYTES"]
Matrix = Literal["float64", "object", "object-nan"]


@dataclass(frozen=True)
class Column:
    """One feature."""

    name: str
    datatype: ColumnType
    nullable: bool


@dataclass(frozen=True)
class Output:
    """One tensor of the answer; its first dimension is the number of rows (-1)."""

    name: str
    datatype: ColumnType
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """Inputs in feature order, and outputs."""

    task: str
    matrix: Matrix
    inputs: tuple[Column, ...]
    outputs: tuple[Output, ...]
    # Rows that the model has answered, as its matrix has them; none in packages of old.
    examples: tuple[tuple[Any, ...], ...] = ()
    # Rows held out, as `examples`, that explanations compare with; none in packages of old.
    background: tuple[tuple[Any, ...], ...] = ()
    # The file of the model's trees, where they are not in skops' format, and the classes' labels.
    trees: str | None = None
    classes: tuple[Any, ...] | None = None
    # How the model is asked in ONNX, where the package has it so.
    onnx: Terms | None = None

    @cached_property
    def as_objects(self) -> bool:
        return self.matrix != "float64"

    @cached_property
    def missing_text(self) -> float | None:
        return None if self.matrix == "object" else math.nan

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The columns of text."""
        return tuple(column.name for column in self.inputs if column.datatype == "BYTES")

    @cached_property
    def whole(self) -> tuple[int, ...]:
        """The places of the columns that take whole numbers only."""
        return self._places("INT64")

    @cached_property
    def flags(self) -> tuple[int, ...]:
        """The places of the columns that take true and false only."""
        return self._places("BOOL")

    def _places(self, datatype: ColumnType) -> tuple[int, ...]:
        places = enumerate(self.inputs)
        return tuple(place for place, column in places if column.datatype == datatype)

    @cached_property
    def positions(self) -> Mapping[str, int]:
        return {column.name: place for place, column in enumerate(self.inputs)}

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        return tuple(output.name for output in self.outputs)

    @cached_property
    def answered(self) -> Mapping[str, ColumnType]:
        """The datatype of everything that an answer may have."""
        return {**EXPLAINED, **{output.name: output.datatype for output in self.outputs}}

    @cached_property
    def outputs_by_name(self) -> Mapping[str, Output]:
        return {output.name: output for output in self.outputs}


def read_signature(path: Path) -> Signature:
    """Parse and judge the file; raises Refused."""
    try:
        return parse_signature(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(
            PackageReason.MALFORMED_PACKAGE,
            f"signature.json cannot be used: {type(error).__name__}: {error}",
        ) from None


def parse_signature(document: Mapping[str, Any]) -> Signature:
    """Build the signature; raises ValueError, KeyError or TypeError on anything unexpected."""
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']!r}, not {FORMAT!r}")
    matrix = document["matrix"]
    if matrix not in get_args(Matrix):
        raise ValueError(f"its matrix is {matrix!r}, none of {', '.join(get_args(Matrix))}")
    inputs = tuple(_column(item) for item in document["inputs"])
    outputs = tuple(_output(item) for item in document["outputs"])
    if not 1 <= len(inputs) <= MAX_COLUMNS:
        raise ValueError(f"it has {len(inputs)} inputs")
    _unique("input", [column.name for column in inputs])
    _unique("output", [output.name for output in outputs])
    if "predict" not in (output.name for output in outputs):
        raise ValueError("it has no output 'predict'")
    if matrix == "float64" and any(column.datatype == "BYTES" for column in inputs):
        raise ValueError("a float64 matrix cannot hold a BYTES column")
    examples = tuple(_example(row, inputs) for row in document.get("examples") or ())
    background = tuple(_example(row, inputs) for row in document.get("background") or ())
    return Signature(
        *(str(document["task"]), matrix, inputs, outputs),
        *(examples[:MAX_EXAMPLES], background[:MAX_BACKGROUND]),
        **_trees(document),
        onnx=_onnx(document, inputs),
    )


def _trees(document: Mapping[str, Any]) -> dict[str, Any]:
    file, classes = document.get("trees"), document.get("classes")
    if file is not None and file not in boosted.FILES.values():
        raise ValueError(f"its trees are in {file!r}")
    if classes is not None and not isinstance(classes, list):
        raise ValueError(f"its classes are {classes!r}")
    return {"trees": file, "classes": None if classes is None else tuple(classes)}


def _onnx(document: Mapping[str, Any], inputs: Sequence[Column]) -> Terms | None:
    if document.get("onnx") is None:
        return None
    terms = Terms.of(document["onnx"])
    named = {*terms.missing, *terms.texts}
    if unknown := sorted(named - {column.name for column in inputs}):
        raise ValueError(f"onnx names the column {unknown[0]!r}, which is no input")
    return terms


def _column(item: Mapping[str, Any]) -> Column:
    name, datatype = item["name"], item["datatype"]
    if not isinstance(name, str) or not name or datatype not in COLUMN_TYPES:
        raise ValueError(f"the input {name!r} has the datatype {datatype!r}")
    return Column(name, datatype, bool(item.get("nullable", False)))


def _example(row: Sequence[Any], inputs: Sequence[Column]) -> tuple[Any, ...]:
    for value, column in zip(row, inputs, strict=True):
        wanted = str if column.datatype == "BYTES" else (int, float)
        if value is not None and not isinstance(value, wanted):
            raise ValueError(f"an example has {value!r} for the column {column.name!r}")
    return tuple(row)


def _output(item: Mapping[str, Any]) -> Output:
    name, datatype, shape = item["name"], item["datatype"], item["shape"]
    if name not in ("predict", "predict_proba") or datatype not in OUTPUT_TYPES:
        raise ValueError(f"the output {name!r} has the datatype {datatype!r}")
    if not shape or shape[0] != -1 or not all(type(size) is int for size in shape):
        raise ValueError(f"the output {name!r} has the shape {shape!r}")
    return Output(name, datatype, tuple(shape))


def _unique(kind: str, names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise ValueError(f"two {kind}s have one name")
