"""Rows as an estimator takes them: a matrix of features, and the target.

Numbers and booleans make a float64 matrix with NaN for what is missing; with a text column the
matrix holds objects, numbers as floats, and NaN for a missing text as well: it is what imputers and
encoders look for by default. The server builds its matrix by the same rule from the signature.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tidemill_runner.columns import Roles
from tidemill_runner.dataset import Rows
from tidemill_runner.failures import Failure
from tidemill_runner.schema import Column, ColumnType
from tidemill_runner.train_input import Training

MAX_FLOAT_CLASSES = 100


@dataclass(frozen=True)
class Data:
    """What is learnt from: features, target, the time that splits, if one does, and weights.

    `beside` are the columns that only the judgement looks at, as they were delivered.
    """

    features: NDArray[Any]
    target: NDArray[Any]
    time: NDArray[np.int64] | NDArray[np.float64] | None
    beside: pa.Table | None = None
    weights: NDArray[np.float64] | None = None

    @property
    def n(self) -> int:
        return len(self.target)


def build(rows: Rows, roles: Roles, training: Training) -> Data:
    """Raises Failure for values that cannot be learnt, naming column, object and row."""
    time = _time(rows, roles.time) if roles.time else None
    beside = rows.table.select([column.name for column in roles.beside])
    weights = _weights(rows, roles.weight) if roles.weight else None
    features, target = _features(rows, roles), _target(rows, roles.target, training)
    return Data(features, target, time, beside, weights)


def _features(rows: Rows, roles: Roles) -> NDArray[Any]:
    shape = (rows.table.num_rows, len(roles.features))
    matrix: NDArray[Any] = np.empty(shape, dtype=object if roles.has_text else np.float64)
    for position, column in enumerate(roles.features):
        values = rows.table.column(column.name)
        if column.type is ColumnType.STRING:
            texts = np.array(values.to_pylist(), dtype=object)
            texts[pc.is_null(values).to_numpy()] = np.nan
            matrix[:, position] = texts
        else:
            numbers = _floats(values)
            _check_finite(numbers, column, rows)
            matrix[:, position] = numbers
    return matrix


def _floats(values: pa.ChunkedArray) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = (
        pc.cast(values, pa.float64(), safe=False).to_numpy().astype(np.float64, copy=False)
    )
    return numbers


def _check_finite(numbers: NDArray[np.float64], column: Column, rows: Rows) -> None:
    infinite = np.isinf(numbers)
    if infinite.any():
        raise Failure(
            "FeaturesInvalid",
            f"column {column.name!r} is infinite at {rows.where(int(infinite.argmax()))}"
            f"{_more(int(infinite.sum()))}: correct the data, or add it to spec.features.exclude",
        )


def _target(rows: Rows, column: Column, training: Training) -> NDArray[Any]:
    values = rows.table.column(column.name)
    missing = pc.is_null(values, nan_is_null=True).to_numpy()
    if missing.any():
        raise Failure(
            "TargetInvalid",
            f"spec.target: column {column.name!r} has no value at "
            f"{rows.where(int(missing.argmax()))}{_more(int(missing.sum()))}: "
            "remove these rows or fill them in",
        )
    if training.task == "Regression":
        return _numbers(values, column, rows)
    return _labels(values, column)


def _numbers(values: pa.ChunkedArray, column: Column, rows: Rows) -> NDArray[np.float64]:
    numbers = _floats(values)
    infinite = np.isinf(numbers)
    if infinite.any():
        raise Failure(
            "TargetInvalid",
            f"spec.target: column {column.name!r} is infinite at "
            f"{rows.where(int(infinite.argmax()))}{_more(int(infinite.sum()))}: correct the data",
        )
    return numbers


def _labels(values: pa.ChunkedArray, column: Column) -> NDArray[Any]:
    if column.type is ColumnType.STRING:
        labels = np.array(values.to_pylist(), dtype=object)
    else:
        labels = values.to_numpy()
    classes = len(pc.unique(values))
    if column.type is ColumnType.FLOAT:
        if classes > MAX_FLOAT_CLASSES or (labels != np.floor(labels)).any():
            raise Failure(
                "TargetInvalid",
                f"spec.target: column {column.name!r} holds {classes} different numbers with "
                "fractions: use spec.task Regression, or a column of classes",
            )
        labels = labels.astype(np.int64)
    if classes < 2:
        raise Failure(
            "TargetInvalid",
            f"spec.target: column {column.name!r} has one class only, {labels[0]!r}: "
            "a classifier needs two; choose another target or deliver more data",
        )
    return labels


def _weights(rows: Rows, column: Column) -> NDArray[np.float64]:
    weights = _floats(rows.table.column(column.name))
    wrong = ~(weights >= 0) | np.isinf(weights)
    if wrong.any():
        place = int(wrong.argmax())
        found = "no value" if np.isnan(weights[place]) else f"{weights[place]:g}"
        raise Failure(
            "WeightsInvalid",
            f"spec.weights.column: column {column.name!r} has {found} at "
            f"{rows.where(place)}{_more(int(wrong.sum()))}: a weight is a number from 0 on",
        )
    return weights


def _time(rows: Rows, column: Column) -> NDArray[Any]:
    values = rows.table.column(column.name)
    missing = pc.is_null(values, nan_is_null=True).to_numpy()
    if missing.any():
        raise Failure(
            "SplitInvalid",
            f"spec.split.column: column {column.name!r} has no value at "
            f"{rows.where(int(missing.argmax()))}{_more(int(missing.sum()))}: "
            "fill them in, or use spec.split.by Order or Random",
        )
    if column.type is ColumnType.DATE:
        values = pc.cast(values, pa.int32())
    elif column.type is ColumnType.TIMESTAMP:
        values = pc.cast(values, pa.int64())
    found: NDArray[Any] = values.to_numpy()
    return found


def _more(count: int) -> str:
    return f" and in {count - 1} more rows" if count > 1 else ""
