"""The model against each baseline, on the same rows and the same draws of them."""

from dataclasses import dataclass

import numpy as np

from tidemill.stats import catalog
from tidemill.stats.classification import Classified
from tidemill.stats.drawn import bounded
from tidemill.stats.estimate import Estimate
from tidemill.stats.regression import Regressed
from tidemill.stats.resampling import Prepare, Resampled
from tidemill.stats.weighted import metric
from tidemill_runner.evaluate import judged
from tidemill_runner.judgement import simple
from tidemill_runner.judgement.scene import Scene

BETTER, WORSE, INCONCLUSIVE = "Better", "Worse", "Inconclusive"


@dataclass(frozen=True)
class Against:
    """A metric of a baseline, and the model's less it with its paired interval.

    `verdict` is what that says of the model.
    """

    metric: str
    baseline: Estimate
    difference: Estimate
    verdict: str


@dataclass(frozen=True)
class Baseline:
    """A baseline by each metric that it can be measured by; where none, why not."""

    name: str
    against: tuple[Against, ...]
    note: str = ""


def measure(scene: Scene) -> tuple[Baseline, ...]:
    """All baselines asked for, all on the same draws."""
    said: dict[str, dict[str, Prepare]] = {}
    notes: dict[str, str] = {}
    for name in scene.asked.baselines:
        try:
            answers = simple.said_by(name, scene)
        except simple.Absent as reason:
            notes[name] = f"Left out: {reason}."
            continue
        rows, _ = judged(scene.pipeline, answers, scene.data.target[scene.parts.holdout])
        said[name] = _measurable(scene, rows)
        notes[name] = _note(name, scene)
    against = _compared(scene, said)
    return tuple(
        Baseline(name, against.get(name, ()), notes[name]) for name in scene.asked.baselines
    )


def _measurable(scene: Scene, rows: Classified | Regressed) -> dict[str, Prepare]:
    """The metrics that model and baseline have in common; accuracy where there are none."""
    own = scene.evaluation.rows
    names = [one.name for one in scene.evaluation.metrics if metric(one.name, own)]
    if isinstance(own, Classified) and own.classes > simple.MAX_CLASSES:
        # One curve per class, and all of them again in every draw.
        names = [name for name in names if name != "roc_auc"]
    both = {name: found for name in names if (found := metric(name, rows))}
    if not both and isinstance(rows, Classified) and (found := metric("accuracy", rows)):
        both = {"accuracy": found}
    return both


def _compared(scene: Scene, said: dict[str, dict[str, Prepare]]) -> dict[str, tuple[Against, ...]]:
    names = list(dict.fromkeys(name for metrics in said.values() for name in metrics))
    if not names:
        return {}
    places: dict[tuple[str, str], int] = {}
    prepared: list[Prepare] = []
    for name in names:
        if own := metric(name, scene.evaluation.rows):
            places["", name] = len(prepared)
            prepared.append(own)
    for baseline, metrics in said.items():
        for name, found in metrics.items():
            places[baseline, name] = len(prepared)
            prepared.append(found)
    with np.errstate(over="ignore", invalid="ignore"):
        resampled = scene.draws.resample(prepared, scene.seed)
    return {
        baseline: tuple(
            one
            for name in metrics
            if (one := _against(name, resampled, (places["", name], places[baseline, name])))
        )
        for baseline, metrics in said.items()
    }


def _against(name: str, resampled: Resampled, places: tuple[int, int]) -> Against | None:
    """None where a linear model went astray beyond all numbers."""
    model, baseline = places
    alone, less = np.zeros((2, len(resampled.whole)))
    alone[baseline] = 1
    less[model], less[baseline] = 1, -1
    own = bounded(Estimate(name, *resampled.interval(alone), resampled.n))
    difference = Estimate(name, *resampled.interval(less), resampled.n)
    ends = [own.value, own.low, own.high, difference.low, difference.high]
    if not np.isfinite(ends).all():
        return None
    return Against(name, own, difference, verdict(difference))


def verdict(difference: Estimate) -> str:
    """What a difference (the model's value less the other's) says of the model."""
    sign = 1 if difference.name in catalog.MORE_IS_BETTER else -1
    worst, best = sorted((sign * difference.low, sign * difference.high))
    if worst > 0:
        return BETTER
    return WORSE if best < 0 else INCONCLUSIVE


def _note(name: str, scene: Scene) -> str:
    if name == "LastValue":
        order = "the split" if scene.ordered else "the data"
        of_group = " of the same group" if scene.groups is not None else ""
        return f"The row before in the order of {order}{of_group}, as if its answer were known."
    if name == "Linear" and simple.linear_rows(scene) < len(scene.parts.train):
        return f"Fitted on a sample of {simple.linear_rows(scene):,} rows."
    return ""
