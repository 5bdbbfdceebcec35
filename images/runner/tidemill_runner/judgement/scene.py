"""What is judged: a fitted model, its rows, what it said of those held out."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tidemill.stats.resampling import Codes, Draws
from tidemill_runner.columns import Roles
from tidemill_runner.evaluate import Evaluation
from tidemill_runner.judgement.asked import Asked
from tidemill_runner.matrix import Data
from tidemill_runner.split import Parts
from tidemill_runner.train_input import Training


@dataclass(frozen=True)
class Scene:
    """A judgement's subject; nothing in it is changed."""

    training: Training
    asked: Asked
    roles: Roles
    pipeline: Pipeline
    data: Data
    parts: Parts
    evaluation: Evaluation

    @property
    def seed(self) -> int:
        return self.training.seed

    @property
    def ordered(self) -> bool:
        """Whether what is held out came after what was trained on."""
        return self.training.split.by in ("Order", "Time")

    @cached_property
    def groups(self) -> Codes | None:
        """Which group each row of the data is of; None where rows stand for themselves."""
        return groups_of(self.data, self.asked.group_by)

    @cached_property
    def held_groups(self) -> Codes | None:
        """The same of the rows held out."""
        return None if self.groups is None else self.groups[self.parts.holdout]

    @cached_property
    def draws(self) -> Draws:
        """How the rows held out are resampled."""
        return Draws.of(len(self.parts.holdout), self.held_groups, self.seed)

    def held(self, column: str) -> pa.ChunkedArray:
        """A column's values on the rows held out."""
        if self.data.beside is None:
            raise KeyError(column)
        return self.data.beside.column(column).take(pa.array(self.parts.holdout))


def groups_of(data: Data, columns: tuple[str, ...]) -> Codes | None:
    """The group of each row, by the values of the columns together."""
    if not columns or data.beside is None:
        return None
    codes = np.zeros(data.n, np.int64)
    for name in columns:
        more = codes_of(data.beside.column(name))
        codes = np.unique(codes * (int(more.max()) + 1) + more, return_inverse=True)[1]
    return codes


def codes_of(values: pa.ChunkedArray | pa.Array) -> Codes:
    """Numbers from 0 on, equal for equal values; what is missing is one of them."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    encoded = pc.dictionary_encode(whole, null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes: NDArray[Any] = encoded.indices.to_numpy(zero_copy_only=False)
    return codes.astype(np.int64)
