"""The whole judgement: what of it the package keeps, and what only the report and the result."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tidemill.stats.calibration import Calibration, calibration
from tidemill.stats.classification import Classified
from tidemill.stats.curves import Curves, curves
from tidemill.stats.residuals import Residuals, residuals
from tidemill_runner.judgement import (
    baselines,
    contributed,
    explain,
    fairness,
    leakage,
    learning,
    slices,
)
from tidemill_runner.judgement.baselines import Baseline
from tidemill_runner.judgement.contributed import Contributed
from tidemill_runner.judgement.explain import Explained
from tidemill_runner.judgement.grouped import FEW
from tidemill_runner.judgement.learning import Learning
from tidemill_runner.judgement.scene import Scene

MOST_WARNINGS = 8
MOST_CLASSES = 50


@dataclass(frozen=True)
class Groups:
    """By which columns rows belong together, and into how many groups those held out fall."""

    columns: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Judged:
    """What was found; None is what the task or the rows cannot give, or nobody asked for."""

    baselines: tuple[Baseline, ...]
    groups: Groups | None
    slices: tuple[slices.Parts, ...]
    fairness: tuple[fairness.Judged, ...]
    calibration: Calibration | None
    curves: Curves | None
    residuals: Residuals | None
    confusion: tuple[tuple[int, ...], ...] | None
    explained: Explained | None
    learning: Learning | None
    warnings: tuple[str, ...]
    contributed: Contributed | None = None

    def told(self) -> dict[str, Any]:
        """All of it, as the result holds it."""
        return {name: rounded(value) for name, value in asdict(self).items()}

    def kept(self) -> dict[str, Any]:
        """What follows from the run's inputs alone, never from the clock: the package's part."""
        whole = self.told()
        del whole["explained"]
        # Its sums may differ in last digits between machines, and a card says none of it.
        del whole["contributed"]
        return whole


def rounded(value: object) -> Any:  # noqa: ANN401 - of the same shape
    """Numbers with nine digits: the order in which a machine adds up shows in later ones only."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return value


def judge(scene: Scene) -> Judged:
    """Judge; raises Failure for what cannot be asked of these rows."""
    rows = scene.evaluation.rows
    given = rows.probabilities if isinstance(rows, Classified) else None
    found = None
    happened = np.zeros(0, bool)
    if isinstance(rows, Classified) and given is not None:
        # Of two classes the second, of more whichever was predicted.
        binary = rows.classes == 2
        happened = rows.truth == 1 if binary else rows.truth == rows.predicted
        scores = given[:, 1] if binary else given[np.arange(rows.n), rows.predicted]
        found = calibration(scores, happened, scene.seed)
    binary = isinstance(rows, Classified) and rows.classes == 2 and given is not None
    return Judged(
        baselines=baselines.measure(scene),
        groups=_groups(scene),
        slices=slices.measure(scene),
        fairness=fairness.measure(scene),
        calibration=found,
        curves=curves(given[:, 1], happened) if binary and given is not None else None,
        residuals=(
            None if isinstance(rows, Classified) else residuals(rows, scene.draws, scene.seed)
        ),
        confusion=_confusion(scene),
        explained=explain.measure(scene),
        learning=learning.measure(scene),
        warnings=_warnings(scene),
        contributed=contributed.measure(scene),
    )


def _groups(scene: Scene) -> Groups | None:
    if scene.held_groups is None:
        return None
    return Groups(scene.asked.group_by, int(np.count_nonzero(np.bincount(scene.held_groups))))


def _confusion(scene: Scene) -> tuple[tuple[int, ...], ...] | None:
    rows = scene.evaluation.rows
    if not isinstance(rows, Classified) or rows.classes > MOST_CLASSES:
        return None
    return tuple(tuple(line) for line in rows.table().tolist())


def _warnings(scene: Scene) -> tuple[str, ...]:
    found = list(leakage.warnings(scene))
    groups = _groups(scene)
    if groups is not None and groups.count < FEW:
        found.append(
            f"the rows held out are of {groups.count} groups only: intervals over fewer than {FEW} "
            "groups are too narrow"
        )
    return tuple(found[:MOST_WARNINGS])
