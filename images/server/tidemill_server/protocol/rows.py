"""From tensors to the matrix that the model was trained on: columns by name, or one matrix.

Either every column is sent as a tensor of its own (shape `[n]` or `[n, 1]`, in any order), or all
of them as one tensor of shape `[n, columns]` in the order of the model's metadata. A column that is
missing, unknown, sent twice or of the wrong kind is named in the refusal.
"""

import math
from typing import Any

import numpy as np

from tidemill_server.package.signature import Column, Signature
from tidemill_server.protocol.errors import ProtocolError, bad_request, shown
from tidemill_server.protocol.tensors import Tensor, has_nulls, read_tensor

SHOWN = 10
FEW = 8  # rows that are read sooner one by one than as an array
FLOATS = frozenset({"FP16", "FP32", "FP64"})


def read_rows(inputs: object, signature: Signature, max_rows: int) -> np.ndarray:
    """The rows in feature order; raises ProtocolError."""
    if type(inputs) is not list or not inputs:
        raise bad_request("the request has no list 'inputs' with at least one tensor")
    if len(inputs) > len(signature.inputs):
        _refuse_unknown(inputs, signature)
    tensors = [read_tensor(item) for item in inputs]
    first = tensors[0]
    if len(tensors) == 1 and len(first.shape) == 2 and _is_matrix(first, signature):
        return _matrix(first, signature, max_rows)
    return _columns(tensors, signature, max_rows)


def _is_matrix(tensor: Tensor, signature: Signature) -> bool:
    return tensor.shape[1] != 1 or tensor.name not in signature.positions


def _matrix(tensor: Tensor, signature: Signature, max_rows: int) -> np.ndarray:
    rows, width = tensor.shape
    if width != len(signature.inputs):
        raise bad_request(
            f"input {tensor.name!r} has {width} columns, the model takes {len(signature.inputs)}"
        )
    check_rows(rows, max_rows)
    if signature.texts and len(signature.texts) < width:
        raise bad_request(
            "the model takes text and numbers: send one tensor for each column, by its name"
        )
    if not (tensor.has_nulls or signature.as_objects or tensor.datatype == "BYTES"):
        matrix = np.array(tensor.values, dtype=np.float64).reshape(rows, width)
        if _holds(matrix, tensor.datatype, signature):
            return matrix
    # Column by column, which says what is wrong with which.
    columns = [tensor.values[place::width] for place in range(width)]
    parts = [
        Tensor(column.name, tensor.datatype, [rows], values, has_nulls(values))
        for column, values in zip(signature.inputs, columns, strict=True)
    ]
    return _columns(parts, signature, max_rows)


def _holds(matrix: np.ndarray, datatype: str, signature: Signature) -> bool:
    """Whether every number is one that its column can hold."""
    whole = signature.whole if datatype in FLOATS else ()
    flags = signature.flags if datatype != "BOOL" else ()
    if len(matrix) > FEW:
        # What is infinite differs from itself less itself: it is no whole number either.
        parts = matrix[:, whole]
        bits = matrix[:, flags]
        return not ((parts - np.trunc(parts)).any() or ((bits != 0) & (bits != 1)).any())
    for row in matrix.tolist():
        for place in whole:
            if row[place] % 1:
                return False
        for place in flags:
            if row[place] not in (0.0, 1.0):
                return False
    return True


def _columns(tensors: list[Tensor], signature: Signature, max_rows: int) -> np.ndarray:
    positions = signature.positions
    as_objects = signature.as_objects
    rows = tensors[0].shape[0]
    check_rows(rows, max_rows)
    found: list[list[Any] | np.ndarray | None] = [None] * len(positions)
    for tensor in tensors:
        place = positions.get(tensor.name)
        if place is None:
            raise _unknown(tensor.name, signature)
        if found[place] is not None:
            raise sent_twice(tensor.name)
        # As `check_shape`, without a call for each column.
        if len(tensor.values) != rows or tensor.shape[0] != rows or len(tensor.shape) > 2:
            raise _wrong_shape(tensor, rows)
        found[place] = column_values(tensor, signature.inputs[place], as_objects=as_objects)
    if len(tensors) < len(found):
        _refuse_missing(found, signature)
    return assembled(found, rows, signature)


def check_shape(tensor: Tensor, rows: int) -> None:
    """Refuse what is not one column of so many rows."""
    if len(tensor.values) != rows or tensor.shape[0] != rows or len(tensor.shape) > 2:
        raise _wrong_shape(tensor, rows)


def _wrong_shape(tensor: Tensor, rows: int) -> ProtocolError:
    return bad_request(
        f"the column {tensor.name!r} has the shape {tensor.shape}, "
        f"where [{rows}] or [{rows}, 1] is expected"
    )


def assembled(found: list[Any], rows: int, signature: Signature) -> np.ndarray:
    """The columns in feature order as the matrix that the model takes."""
    if not signature.as_objects:
        return _numbers(found, rows)
    matrix = np.empty((rows, len(found)), dtype=object)
    missing = signature.missing_text
    for place, values in enumerate(found):
        # Of the columns of objects, only texts still have nulls.
        lacks = missing is not None and type(values) is list and None in values
        matrix[:, place] = [missing if v is None else v for v in values] if lacks else values
    return matrix


def _numbers(columns: list[Any], rows: int) -> np.ndarray:
    if rows == 1:
        return np.array([[column[0] for column in columns]], dtype=np.float64)
    return np.ascontiguousarray(np.array(columns, dtype=np.float64).T)


def column_values(tensor: Tensor, column: Column, *, as_objects: bool) -> list[Any] | np.ndarray:
    """The values as the model takes them: numbers as floats, `None` as NaN unless it is a text."""
    check_kind(tensor, column)
    if tensor.has_nulls and not column.nullable:
        raise bad_request(f"the column {column.name!r} has a null, the model takes none there")
    values = tensor.values
    if column.datatype == "BYTES":
        return values
    if tensor.datatype != column.datatype:
        check_whole(tensor, column)
    if not as_objects:
        return values
    if isinstance(values, np.ndarray):
        floats: list[Any] = values.astype(np.float64).tolist()
        return floats
    return [math.nan if value is None else float(value) for value in values]


def check_whole(tensor: Tensor, column: Column) -> None:
    """Numbers sent with a wider datatype than the column's must be such as the column can hold."""
    present = (value for value in tensor.listed() if value is not None)
    if column.datatype == "INT64" and tensor.datatype in FLOATS:
        wrong = any(value % 1 for value in present)
    else:
        narrow = column.datatype == "BOOL" and tensor.datatype != "BOOL"
        wrong = narrow and any(value not in (0, 1) for value in present)
    if wrong:
        kind = "whole numbers" if column.datatype == "INT64" else "true and false"
        raise bad_request(f"the column {column.name!r} holds {kind} only")


def check_kind(tensor: Tensor, column: Column) -> None:
    """Refuse a text for a number, and a number for a text."""
    if (tensor.datatype == "BYTES") != (column.datatype == "BYTES"):
        raise bad_request(
            f"the column {column.name!r} is {column.datatype}, it is sent as {tensor.datatype}"
        )


def check_rows(rows: int, max_rows: int) -> None:
    """Refuse a request of no rows, or of too many."""
    if rows == 0:
        raise bad_request("the request has no rows")
    if rows > max_rows:
        raise ProtocolError(413, f"the request has {rows} rows, more than {max_rows}: send fewer")


def _unknown(name: str, signature: Signature) -> ProtocolError:
    return unknown_column(name, [column.name for column in signature.inputs])


def unknown_column(name: str, known: list[str]) -> ProtocolError:
    """Name the column that the model does not take, and those that it does."""
    return bad_request(f"the model has no column {shown(name)}; it has {listed(known)}")


def _refuse_unknown(inputs: list[Any], signature: Signature) -> None:
    """More inputs than columns: name the one too many, which is among the first of them."""
    seen: set[str] = set()
    for item in inputs[: len(signature.inputs) + 1]:
        name = item.get("name") if isinstance(item, dict) else None
        if type(name) is str and name not in signature.positions:
            raise _unknown(name, signature)
        if type(name) is str and name in seen:
            raise sent_twice(name)
        seen.add(str(name))
    raise bad_request(f"the request has {len(inputs)} inputs, the model {len(signature.inputs)}")


def _refuse_missing(found: list[Any], signature: Signature) -> None:
    pairs = zip(signature.inputs, found, strict=True)
    raise missing_columns([column.name for column, values in pairs if values is None])


def missing_columns(names: list[str]) -> ProtocolError:
    """Name the columns that the request lacks."""
    return bad_request(f"columns are missing: {listed(names)}")


def sent_twice(name: str) -> ProtocolError:
    """Name the column that the request has two of."""
    return bad_request(f"the column {name!r} is sent twice")


def listed(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(map(repr, names[:SHOWN]))}{more}"
