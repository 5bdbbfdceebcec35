"""What a run's status says of its judgement: each baseline by one metric, and what is wrong."""

from collections.abc import Mapping
from typing import Any

from tidemill.api.v1alpha1.evaluation import MAX_FAIRNESS
from tidemill.api.v1alpha1.judgement import (
    MAX_WARNINGS,
    BaselineValue,
    FairnessValue,
    Judgement,
)

MOST_BASELINES = 3
_WARNING = 512
_NAME = 60


def summary(judged: Mapping[str, Any] | None) -> Judgement | None:
    """Cut what a result holds to what fits into a status; None where it holds nothing."""
    if not judged:
        return None
    baselines = [
        _baseline(one["name"], one["against"][0])
        for one in judged["baselines"][:MOST_BASELINES]
        if one["against"]
    ]
    fairness = [_fairness(one) for one in judged["fairness"][:MAX_FAIRNESS]]
    warnings = [str(one)[:_WARNING] for one in judged["warnings"][:MAX_WARNINGS]]
    if not (baselines or fairness or warnings):
        return None
    return Judgement(
        baselines=baselines or None, fairness=fairness or None, warnings=warnings or None
    )


def words(judgement: Judgement | None) -> str:
    """What speaks against the model, for its condition; empty where nothing does."""
    if judgement is None:
        return ""
    found = [_against(one) for one in judgement.baselines or () if one.verdict != "Better"]
    found += [
        f"{one.metric} of {_short(one.sensitive)} is {_rounded(one.value)}, more than {one.max}"
        for one in judgement.fairness or ()
        if one.verdict == "Failed" and one.value is not None
    ]
    if judgement.warnings:
        count = len(judgement.warnings)
        found.append(f"{count} warning{'s' if count > 1 else ''} in status.judgement.warnings")
    return "; ".join(found)


def _against(one: BaselineValue) -> str:
    how = "worse than" if one.verdict == "Worse" else "not told apart from"
    value = float(one.value) + float(one.difference)
    return f"{how} {one.name} ({one.metric} {value:.3g} against {_rounded(one.value)})"


def _baseline(name: str, found: Mapping[str, Any]) -> BaselineValue:
    difference = found["difference"]
    return BaselineValue(
        name=name,
        metric=found["metric"],
        value=_decimal(found["baseline"]["value"]),
        difference=_decimal(difference["value"]),
        low=_decimal(difference["low"]),
        high=_decimal(difference["high"]),
        verdict=found["verdict"],
    )


def _fairness(found: Mapping[str, Any]) -> FairnessValue:
    ends = {
        name: None if found[name] is None else _decimal(found[name])
        for name in ("value", "low", "high")
    }
    return FairnessValue(
        sensitive=found["sensitive"],
        metric=found["metric"],
        max=found["max"],
        verdict=found["verdict"],
        **ends,
    )


def _decimal(value: float) -> str:
    return f"{value:.6g}"


def _rounded(text: str | None) -> str:
    return f"{float(text or 'nan'):.3g}"


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
