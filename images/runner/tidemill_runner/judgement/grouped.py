"""The metrics with intervals that count groups of rows, where rows belong together."""

from dataclasses import replace

import numpy as np

from tidemill.stats.drawn import Drawn
from tidemill_runner.evaluate import Evaluation
from tidemill_runner.failures import Failure
from tidemill_runner.judgement.asked import Asked
from tidemill_runner.judgement.scene import Scene, groups_of
from tidemill_runner.matrix import Data
from tidemill_runner.split import Parts
from tidemill_runner.train_input import Training

# Fewer groups than this vary less in draws than they would anew.
FEW = 20


def check(training: Training, data: Data, parts: Parts) -> None:
    """Raise Failure where the rows held out are of one group: it varies with nothing."""
    groups = groups_of(data, Asked.of(training).group_by)
    if groups is not None and len(np.unique(groups[parts.holdout])) < 2:
        raise Failure(
            "SpecInvalid",
            "spec.evaluation.groupBy: all rows held out are of one group, so that no interval can "
            "be told: leave it out, or hold out more",
        )


def regrouped(scene: Scene) -> Evaluation:
    """The evaluation with the values as they are and intervals over groups."""
    if scene.held_groups is None:
        return scene.evaluation
    rows = scene.evaluation.rows
    found = [
        drawn.estimate() if (drawn := Drawn.of(one.name, rows, scene.draws, scene.seed)) else one
        for one in scene.evaluation.metrics
    ]
    return replace(scene.evaluation, metrics=tuple(found))
