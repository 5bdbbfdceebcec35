"""Parameters put into the steps of a spec by the names that scikit-learn gives them.

`model__estimator__max_depth` is `max_depth` in the params of what `estimator` is in the params of
the step `model`; in a list of named ones a name stands for itself. What is found so is written as
a spec would have it, so that the chosen model is that of a run with these parameters.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from tidemill.stats import catalog
from tidemill_runner import estimators, evaluate, names, weights
from tidemill_runner.failures import Failure
from tidemill_runner.search.sought import Dimension, Sought
from tidemill_runner.train_input import Step, Training

MAX_GRID = 1000
FIELD = "spec.search"
_LISTS = ("steps", "transformers", "estimators", "transformer_list")
_IN_STEPS = re.compile(r"^spec\.estimator\.sklearn\.steps\S*: ")

Params = Mapping[str, Any]


def begun(training: Training) -> Training:
    """With the first values of the search, if there is one, by which the rest is judged.

    Judges its names, values and metric before any data is read; raises Failure naming the field.
    """
    asked = Sought.of(training)
    if asked is None:
        return training
    if (
        asked.method == "Grid"
        and (size := math.prod(len(d.values) for d in asked.space)) > MAX_GRID
    ):
        raise Failure(
            "SpecInvalid",
            f"{FIELD}.space: the grid has {size:,} combinations, at most {MAX_GRID:,} are tried: "
            "list fewer values, or use method Random or TPE",
        )
    first = {dimension.name: dimension.probes[0] for dimension in asked.space}
    for dimension in asked.space:
        for value in dimension.probes:
            _judge(training, {**first, dimension.name: value}, dimension)
    candidate = applied(training, first)
    metric = metric_of(training, asked)
    try:
        evaluate.choose(replace(training, metrics=(metric,)), estimators.build(candidate))
    except Failure as failure:
        words = failure.message.replace("spec.evaluation.metrics", f"{FIELD}.metric")
        raise Failure(failure.reason, words) from None
    return candidate


def metric_of(training: Training, asked: Sought) -> str:
    """By which metric trials are judged."""
    defaults = catalog.DEFAULTS[training.task]
    return asked.metric or next(iter(training.metrics), defaults[0])


def _judge(training: Training, params: Params, dimension: Dimension) -> None:
    try:
        candidate = applied(training, params)
        weights.check(estimators.build(candidate), candidate)
    except Failure as failure:
        said = params[dimension.name]
        words = _IN_STEPS.sub("", failure.message)
        field = f"{FIELD}.space.{dimension.name}"
        told = words if words.startswith(field) else f"{field}: {said!r}: {words}"
        raise Failure(failure.reason, told) from None


def grid(asked: Sought) -> Iterator[dict[str, Any]]:
    """Every combination, the last parameter by name changing first."""
    for values in product(*(dimension.values for dimension in asked.space)):
        yield {d.name: value for d, value in zip(asked.space, values, strict=True)}


def applied(training: Training, params: Params) -> Training:
    """The training with these parameters in its steps; raises Failure for a name that is none."""
    steps = training.steps
    for name, value in params.items():
        steps = _placed(steps, name, value)
    return replace(training, steps=steps)


def _placed(steps: tuple[Step, ...], name: str, value: object) -> tuple[Step, ...]:
    first, *path = name.split("__")
    known = [step.name for step in steps]
    if first not in known:
        near = names.suggestion(first, known)
        raise _unknown(name, f"there is no step {first!r}{near}")
    return tuple(
        replace(step, params=_set(step.params, path, value, name)) if step.name == first else step
        for step in steps
    )


def _set(params: Params, path: Sequence[str], value: object, name: str) -> dict[str, Any]:
    head, *rest = path
    if not rest:
        return {**params, head: value}
    inner = params.get(head)
    if isinstance(inner, Mapping) and _is_estimator(inner):
        return {**params, head: _within(inner, rest, value, name)}
    for key in _LISTS:
        entries = params.get(key)
        if isinstance(entries, list) and head in _names(entries):
            return {**params, key: _in_list(entries, path, value, name)}
    inside = [key for key, one in params.items() if _is_estimator(one)]
    inside += [one for key in _LISTS for one in _names(params.get(key))]
    raise _unknown(name, f"params has no estimator {head!r}{names.suggestion(head, inside)}")


def _within(node: Params, path: Sequence[str], value: object, name: str) -> dict[str, Any]:
    """A value put into `{class, params}` or `{steps}`."""
    if "class" in node:
        return {**node, "params": _set(node.get("params") or {}, path, value, name)}
    if len(path) < 2 or path[0] not in _names(node["steps"]):
        near = names.suggestion(path[0], _names(node["steps"]))
        raise _unknown(name, f"no step of the pipeline and a parameter of it follow there{near}")
    return {**node, "steps": _in_list(node["steps"], path, value, name)}


def _in_list(
    entries: Sequence[Any], path: Sequence[str], value: object, name: str
) -> list[dict[str, Any]]:
    head, *rest = path
    return [_within(one, rest, value, name) if one.get("name") == head else one for one in entries]


def _names(entries: object) -> list[str]:
    if not isinstance(entries, list):
        return []
    return [one["name"] for one in entries if isinstance(one, dict) and _is_estimator(one)]


def _is_estimator(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return isinstance(value.get("class"), str) or isinstance(value.get("steps"), list)


def _unknown(name: str, detail: str) -> Failure:
    return Failure("ParameterInvalid", f"{FIELD}.space.{name}: {detail}")
