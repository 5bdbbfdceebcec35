"""How far groups differ in what the model says of them, and whether that is more than was wanted.

A rate of fewer than `MIN_ROWS` rows is suppressed: it would say little of a group, and much of the
few that are in it.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.stats import disparity
from tidemill.stats.classification import Classified
from tidemill.stats.disparity import Gap
from tidemill.stats.estimate import CONFIDENCE
from tidemill.stats.intervals import Floats, Statistic
from tidemill.stats.resampling import Codes, Prepare, Rows
from tidemill_runner import names
from tidemill_runner.evaluate import distinct
from tidemill_runner.failures import Failure
from tidemill_runner.judgement.asked import Asked, Fairness
from tidemill_runner.judgement.scene import Scene
from tidemill_runner.judgement.slices import by_value, named
from tidemill_runner.profile.groups import MIN_ROWS

MOST_GROUPS = 50
SUCCESSFUL, FAILED, INCONCLUSIVE, ERROR = "Successful", "Failed", "Inconclusive", "Error"
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Rate:
    """The share of a group's rows that is predicted positive, among those that count."""

    group: str
    n: int
    rate: float


@dataclass(frozen=True)
class Judged:
    """The gap with its interval, against what was wanted. `rates` by what they are among."""

    sensitive: str
    metric: str
    positive: str
    max: str
    value: float | None
    low: float | None
    high: float | None
    verdict: str
    rates: dict[str, tuple[Rate, ...]]
    suppressed: int
    note: str = ""


@dataclass(frozen=True)
class _Found:
    gap: Gap | None
    rates: dict[str, tuple[Rate, ...]] = field(default_factory=dict)
    suppressed: int = 0
    note: str = ""


def check(asked: Asked, target: NDArray[Any]) -> None:
    """Raise Failure for what cannot be asked of these classes."""
    if not asked.fairness:
        return
    classes = sorted(named(label) for label in distinct(target))
    for place, wanted in enumerate(asked.fairness):
        where = f"spec.evaluation.fairness[{place}]"
        if len(classes) != 2:
            raise Failure(
                "MetricInvalid",
                f"{where}: {wanted.metric} needs two classes, the target has {len(classes)}: "
                "leave it out",
            )
        if wanted.positive is not None and wanted.positive not in classes:
            raise Failure(
                "MetricInvalid",
                f"{where}.positive: {wanted.positive!r} is no class of the target"
                f"{names.suggestion(wanted.positive, classes)}",
            )


def measure(scene: Scene) -> tuple[Judged, ...]:
    """All that was asked for."""
    rows = scene.evaluation.rows
    if not isinstance(rows, Classified):
        return ()
    return tuple(_one(scene, rows, one) for one in scene.asked.fairness)


def _one(scene: Scene, rows: Classified, wanted: Fairness) -> Judged:
    classes = [named(one) for one in scene.evaluation.classes]
    positive = classes.index(wanted.positive) if wanted.positive is not None else 1
    codes, values = by_value(scene.held(wanted.sensitive))
    if len(values) > MOST_GROUPS:
        note = f"{len(values):,} groups are more than the {MOST_GROUPS} that are compared"
        return _told(wanted, classes[positive], _Found(None, note=note))
    among = _among(wanted.metric, rows.truth == positive)
    groups = [named(value) for value in values.to_pylist()]
    said = rows.predicted == positive
    gaps: list[Gap] = []
    rates: dict[str, tuple[Rate, ...]] = {}
    suppressed = 0
    among = _among(wanted.metric, rows.truth == positive)
    for name, mask in among.items():
        totals = np.bincount(codes[mask], minlength=len(groups))
        hits = np.bincount(codes[mask & said], minlength=len(groups))
        kept = np.flatnonzero(totals >= MIN_ROWS)
        suppressed += int(((totals > 0) & (totals < MIN_ROWS)).sum())
        rates[name] = tuple(
            Rate(groups[g], int(totals[g]), float(hits[g] / totals[g])) for g in kept
        )
        if len(kept) >= 2:
            each = 1 - (1 - CONFIDENCE) / len(among)
            masks = [(codes == g) & mask for g in kept]
            gaps.append(
                disparity.gap(hits[kept], totals[kept], each)
                if scene.held_groups is None
                else _resampled(scene, scene.held_groups, said, masks, each)
            )
    found = disparity.worst(gaps) if len(gaps) == len(among) else None
    note = "" if found else f"fewer than two groups have the {MIN_ROWS} rows that count"
    return _told(wanted, classes[positive], _Found(found, rates, suppressed, note))


def _among(metric: str, true: Mask) -> dict[str, Mask]:
    """Among which rows rates are compared."""
    match metric:
        case "demographic_parity_difference":
            return {"all": np.ones(len(true), bool)}
        case "equal_opportunity_difference":
            return {"truly positive": true}
        case _:
            return {"truly positive": true, "truly negative": ~true}


def _share(said: Mask, among: Mask) -> Prepare:
    """The share predicted positive among some rows, as it is resampled."""
    hits, all_ = (said & among).astype(np.float64), among.astype(np.float64)

    def prepare(chosen: Rows) -> Statistic:
        parts, wholes = hits[chosen], all_[chosen]

        def share(counts: Floats) -> Floats:
            total = counts @ wholes
            found: Floats = np.full(len(counts), np.nan)
            np.divide(counts @ parts, total, out=found, where=total > 0)
            return found

        return share

    return prepare


def _resampled(
    scene: Scene, entities: Codes, said: Mask, masks: list[Mask], confidence: float
) -> Gap:
    found = scene.draws.resample([_share(said, mask) for mask in masks], scene.seed)
    units = np.array([len(np.unique(entities[mask])) for mask in masks])
    return disparity.resampled_gap(found.whole, found.deviations, units, confidence)


def _told(wanted: Fairness, positive: str, found: _Found) -> Judged:
    value, low, high = found.gap or (None, None, None)
    return Judged(
        sensitive=wanted.sensitive,
        metric=wanted.metric,
        positive=positive,
        max=wanted.max,
        value=value,
        low=low,
        high=high,
        verdict=_verdict(found.gap, float(wanted.max)),
        rates=found.rates,
        suppressed=found.suppressed,
        note=found.note,
    )


def _verdict(found: Gap | None, most: float) -> str:
    if found is None:
        return ERROR
    _, low, high = found
    if low > most:
        return FAILED
    return SUCCESSFUL if high <= most else INCONCLUSIVE
