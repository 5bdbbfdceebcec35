"""`signature.json`: which columns the model takes, in which order, and what it answers.

The order of the inputs is the order of the features. Numeric models take one float64 matrix;
models with a text column take a matrix of objects.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tidemill.store.package import PackageReason
from tidemill_server.exits import Refused

FORMAT = "tidemill.dev/signature/v1"
COLUMN_TYPES = frozenset({"FP64", "INT64", "BOOL", "BYTES"})
OUTPUT_TYPES = COLUMN_TYPES
MAX_COLUMNS = 10_000

ColumnType = Literal["FP64", "INT64", "BOOL", "BYTES"]


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
    matrix: Literal["float64", "object"]
    inputs: tuple[Column, ...]
    outputs: tuple[Output, ...]

    @cached_property
    def positions(self) -> Mapping[str, int]:
        return {column.name: place for place, column in enumerate(self.inputs)}

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        return tuple(output.name for output in self.outputs)

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
    if matrix not in ("float64", "object"):
        raise ValueError(f"its matrix is {matrix!r}, neither float64 nor object")
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
    return Signature(str(document["task"]), matrix, inputs, outputs)


def _column(item: Mapping[str, Any]) -> Column:
    name, datatype = item["name"], item["datatype"]
    if not isinstance(name, str) or not name or datatype not in COLUMN_TYPES:
        raise ValueError(f"the input {name!r} has the datatype {datatype!r}")
    return Column(name, datatype, bool(item.get("nullable", False)))


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
