"""Whether a graph answers as its pipeline does, and by how much it does not.

No label may differ. Probabilities may differ by 0.0001 and numbers by 0.0001 of the spread (the
standard deviation) of the pipeline's predictions: a graph that takes seven digits differs by a
hundredth of that, and one that is wrong by whole units; what lies between is not served.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.store.onnx_model import TOLERANCE, OnnxModel
from tidemill_runner.graph.questions import Asked

SHARE_OF_SPREAD = 1e-4
# Of predictions that are all the same: what seven digits leave.
SHARE_OF_VALUE = 1e-6
BATCH_ROWS = 2_000


@dataclass(frozen=True)
class Agreement:
    """Of how many rows; how many labels differ; the largest difference of numbers."""

    rows: int
    flips: int
    difference: float
    tolerance: float

    @property
    def holds(self) -> bool:
        return self.flips == 0 and self.difference <= self.tolerance

    def content(self) -> dict[str, Any]:
        """As result and metrics have it."""
        return {"rows": self.rows, "flips": self.flips, "maxDifference": self.difference}

    def words(self) -> str:
        """Why it does not hold."""
        if self.flips:
            return f"{self.flips} of {self.rows} labels differ from the pipeline's"
        return (
            f"its answers differ from the pipeline's by up to {self.difference:.3g} in "
            f"{self.rows} rows, more than {self.tolerance:.3g}"
        )


def tolerance(asked: Asked) -> float:
    """By how much numbers may differ; of labels' probabilities where there are some."""
    if asked.probabilities is not None or asked.predicted.dtype.kind != "f":
        return TOLERANCE
    spread = float(np.std(asked.predicted))
    least = SHARE_OF_VALUE * float(np.max(np.abs(asked.predicted)))
    return max(SHARE_OF_SPREAD * spread, least)


def compare(model: OnnxModel, asked: Asked, allowed: float) -> Agreement:
    """Ask the graph the same; raises ValueError where it refuses."""
    flips, difference = 0, 0.0
    wanted = ["predict"] if asked.probabilities is None else ["predict", "predict_proba"]
    for start in range(0, len(asked.rows), BATCH_ROWS):
        part = slice(start, start + BATCH_ROWS)
        answer = model.answer(asked.rows[part], wanted)
        if asked.predicted.dtype.kind == "f":
            difference = max(difference, _apart(answer["predict"], asked.predicted[part]))
        else:
            flips += int((answer["predict"] != asked.predicted[part]).sum())
        if asked.probabilities is not None:
            apart = _apart(answer["predict_proba"], asked.probabilities[part])
            difference = max(difference, apart)
    return Agreement(len(asked.rows), flips, difference, allowed)


def _apart(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    if found.shape != wanted.shape:
        return float("inf")
    return float(np.max(np.abs(found - wanted), initial=0.0))
