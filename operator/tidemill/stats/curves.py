"""Curves of a binary classifier over all thresholds, in few enough points to be drawn.

Definitions are scikit-learn's (`roc_curve`, `precision_recall_curve`, `average_precision_score`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemill.stats.intervals import Floats

POINTS = 101


@dataclass(frozen=True)
class Curves:
    """Points as pairs: false and true positive rates; recall and precision, and its average.

    `positive` is the share of positive rows, which the precision of chance is.
    """

    roc: tuple[tuple[float, float], ...]
    precision: tuple[tuple[float, float], ...]
    average: float
    positive: float


def curves(scores: Floats, positive: NDArray[np.bool_]) -> Curves | None:
    """None where all rows are of one class."""
    total = int(positive.sum())
    if not 0 < total < len(positive):
        return None
    order = np.argsort(-scores, kind="stable")
    ordered, up = scores[order], positive[order]
    # After the last of equal scores: a threshold cannot part them.
    ends = np.flatnonzero(np.concatenate([ordered[1:] != ordered[:-1], [True]]))
    hits = np.cumsum(up)[ends]
    said = ends + 1
    recall, precision = hits / total, hits / said
    alarms = (said - hits) / (len(positive) - total)
    average = float(np.diff(recall, prepend=0.0) @ precision)
    roc = _few(np.concatenate([[0.0], alarms]), np.concatenate([[0.0], recall]))
    return Curves(roc, _few(recall, precision), average, total / len(positive))


def _few(across: Floats, up: Floats) -> tuple[tuple[float, float], ...]:
    """Points at about equal distances along the curve; its ends are among them."""
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(across), np.diff(up)))])
    wanted = np.linspace(0, lengths[-1], POINTS)
    chosen = np.unique(np.searchsorted(lengths, wanted).clip(0, len(lengths) - 1))
    chosen = np.union1d(chosen, [0, len(lengths) - 1])
    return tuple((round(float(across[i]), 5), round(float(up[i]), 5)) for i in chosen)
