"""The metrics a run can ask for: their names, the task they belong to, what they need.

The names are those of `spec.evaluation.metrics`; the order of the defaults is the order in status.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tidemill.stats import classification, regression
from tidemill.stats.classification import Classified
from tidemill.stats.estimate import Estimate
from tidemill.stats.regression import Regressed

CLASSIFICATION: dict[str, Callable[[Classified, int], Estimate | None]] = {
    "accuracy": classification.accuracy,
    "error_rate": classification.error_rate,
    "balanced_accuracy": classification.balanced_accuracy,
    "f1_macro": classification.f1_macro,
    "log_loss": classification.log_loss,
    "brier_score": classification.brier_score,
    "roc_auc": classification.roc_auc,
}
REGRESSION: dict[str, Callable[[Regressed, int], Estimate | None]] = {
    "rmse": regression.rmse,
    "mae": regression.mae,
    "r2": regression.r2,
}
# Of all others the less is the better.
MORE_IS_BETTER = frozenset({"accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "r2"})
# From 0 to 1 whatever the rows are.
SHARES = frozenset({"accuracy", "error_rate", "balanced_accuracy", "f1_macro", "roc_auc"})
NEED_PROBABILITIES = frozenset({"log_loss", "brier_score", "roc_auc"})
DEFAULTS = {
    "Classification": ("accuracy", "error_rate", "log_loss", "roc_auc"),
    "Regression": ("rmse", "mae", "r2"),
}


@dataclass(frozen=True)
class Measured:
    """What could be measured, and the names of what the rows could not give."""

    estimates: tuple[Estimate, ...]
    absent: tuple[str, ...]


def measure(names: tuple[str, ...], rows: Classified | Regressed, seed: int) -> Measured:
    """Measure the metrics named, in their order; the names must fit the rows' task."""
    found: list[Estimate] = []
    absent: list[str] = []
    for name in names:
        if isinstance(rows, Classified):
            estimate = CLASSIFICATION[name](rows, seed)
        else:
            estimate = REGRESSION[name](rows, seed)
        if estimate is None:
            absent.append(name)
        else:
            found.append(estimate)
    return Measured(tuple(found), tuple(absent))
