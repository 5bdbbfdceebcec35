"""Pipelines fitted on a few columns, and what becomes of them in ONNX."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline

from tidemill_runner.columns import Roles
from tidemill_runner.graph.beside import Bench
from tidemill_runner.schema import Column, ColumnType

ROWS = 600


def roles(*kinds: ColumnType, nullable: bool = False) -> Roles:
    features = tuple(Column(f"f{place}", kind, nullable) for place, kind in enumerate(kinds))
    return Roles(
        features=features, target=Column("y", ColumnType.INTEGER, nullable=False), time=None
    )


def numbers(count: int = ROWS, width: int = 4, *, seed: int = 3) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(count, width))


def fitted(*steps: Any, rows: NDArray[Any], target: Any) -> Pipeline:
    return make_pipeline(*steps).fit(rows, target)


def bench(
    pipeline: Pipeline,
    rows: NDArray[Any],
    folder: Path,
    *,
    kinds: Sequence[ColumnType] | None = None,
    nullable: bool = False,
) -> Bench:
    """The first two thirds of the rows are those trained on."""
    cut = 2 * len(rows) // 3
    found = roles(*(kinds or [ColumnType.FLOAT] * rows.shape[1]), nullable=nullable)
    return Bench(pipeline, found, rows[:cut], rows[cut:], folder)
