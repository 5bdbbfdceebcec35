"""The metrics with intervals that count groups of rows, where rows belong together."""

from dataclasses import replace

import numpy as np

from tidemill.stats.estimate import Estimate
from tidemill.stats.weighted import metric
from tidemill_runner.evaluate import Evaluation
from tidemill_runner.judgement.baselines import bounded
from tidemill_runner.judgement.scene import Scene

# Fewer draws of groups than this vary less than the groups themselves would.
FEW = 20


def regrouped(scene: Scene) -> Evaluation:
    """The evaluation with the values as they are and intervals over groups."""
    if scene.held_groups is None:
        return scene.evaluation
    rows = scene.evaluation.rows
    found: list[Estimate] = []
    for one in scene.evaluation.metrics:
        prepared = metric(one.name, rows)
        if prepared is None:
            found.append(one)
            continue
        _, low, high = scene.draws.resample([prepared], scene.seed).interval(np.ones(1))
        found.append(bounded(one.name, replace(one, low=low, high=high)))
    return replace(scene.evaluation, metrics=tuple(found))
