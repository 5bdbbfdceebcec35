"""Parameters as a spec writes them, made into what a constructor takes.

A value is a literal; or `{class, params}`, an estimator; or `{steps}`, a pipeline; or a list of
such with names, which becomes the list of tuples that ensembles and pipelines take.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from tidemill_runner import boosting, catalogue, literals, names
from tidemill_runner.failures import Failure
from tidemill_runner.selection import Selection

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*(_[A-Za-z0-9-]+)*")
_WORDS = ("passthrough", "drop")
# Classes that give the estimators in these parameters all columns of their own input.
_HANDED_ON = {
    **dict.fromkeys(
        (
            *("AdaBoostClassifier", "AdaBoostRegressor", "CalibratedClassifierCV"),
            *("FixedThresholdClassifier", "OneVsOneClassifier", "OneVsRestClassifier"),
            *("OutputCodeClassifier", "RANSACRegressor", "SelectFromModel"),
            *("SelfTrainingClassifier", "TunedThresholdClassifierCV"),
        ),
        "estimator",
    ),
    **dict.fromkeys(
        ("StackingClassifier", "StackingRegressor", "VotingClassifier", "VotingRegressor"),
        "estimators",
    ),
    "FeatureUnion": "transformer_list",
    "Pipeline": "steps",
    "ColumnTransformer": "transformers",
    "TransformedTargetRegressor": "regressor",
}
MAX_DEPTH = 16


@dataclass(frozen=True)
class Place:
    """Where in the spec a class stands, and whether the data set's own columns reach it."""

    field: str
    seed: int
    raw: bool = True
    depth: int = 0

    def inner(self, name: str, *, raw: bool) -> "Place":
        """A place within; raises Failure where that is too deep."""
        if self.depth == MAX_DEPTH:
            message = f"{self.field}: estimators lie within each other deeper than {MAX_DEPTH}"
            raise Failure("ParameterInvalid", message)
        return replace(self, field=f"{self.field}{name}", raw=raw, depth=self.depth + 1)


def make(path: str, params: Mapping[str, Any], place: Place) -> Any:  # noqa: ANN401
    """An unfitted estimator; raises Failure naming the field."""
    cls = catalogue.find(path, place.field, nested=place.depth > 0)
    given = _known(cls, params, place.field)
    values = {name: _value(cls, name, value, place) for name, value in given.items()}
    lacking = [name for name in catalogue.required(cls) if name not in values]
    if lacking:
        raise Failure(
            "EstimatorRefused",
            f"{place.field}.class: {cls.__name__} needs {', '.join(lacking)}: give it in params "
            "({class: …, params: …}, and a name where it is a list)",
        )
    if boosting.is_one(cls):
        values = {name: boosting.read(value) for name, value in values.items()}
        boosting.check(cls, values, place.field)
        values = {"random_state": place.seed, **boosting.defaults(cls), **values}
    # Folds take a seed only where they are shuffled.
    seeded = path in catalogue.estimators() or values.get("shuffle")
    if seeded and "random_state" in inspect.signature(cls).parameters:
        values.setdefault("random_state", place.seed)
    literals.check(cls, values, place.field)
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise Failure("ParameterInvalid", f"{place.field}.params: {error}") from None


def pipeline(steps: object, place: Place) -> Pipeline:
    """A pipeline of named steps, of which the first sees what the pipeline is given."""
    return Pipeline(_named(Pipeline, "steps", steps, place))


def _known(cls: type[Any], params: object, field: str) -> Mapping[str, Any]:
    if not isinstance(params, Mapping):
        raise Failure("ParameterInvalid", f"{field}.params is {params!r}: give names and values")
    valid = catalogue.parameters(cls)
    for name in params:
        if name not in valid:
            near = names.suggestion(name, valid, show=60)
            listed = "" if near.startswith("; there are") else f" (there are {', '.join(valid)})"
            raise Failure(
                "ParameterInvalid",
                f"{field}.params: {cls.__name__} has no parameter {name!r}{near}{listed}",
            )
    return params


def _value(cls: type[Any], name: str, value: object, place: Place) -> object:
    raw = place.raw and _HANDED_ON.get(cls.__name__) == name
    inner = f".params.{name}"
    if isinstance(value, dict) and _is_estimator(value):
        return _estimator(value, place.inner(inner, raw=raw))
    if name in ("steps", "transformers", "estimators", "transformer_list"):
        return _named(cls, name, value, place.inner(inner, raw=raw))
    if isinstance(value, list) and any(_is_estimator(entry) for entry in value):
        raise Failure(
            "ParameterInvalid",
            f"{place.field}.params.{name}: {cls.__name__} takes no list of estimators there",
        )
    return literals.read(cls, name, value, place.field)


def _is_estimator(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return isinstance(value.get("class"), str) or isinstance(value.get("steps"), list)


def _estimator(value: Mapping[str, Any], place: Place) -> Any:  # noqa: ANN401
    allowed = {"class", "params"} if "class" in value else {"steps"}
    for key in value.keys() - allowed - {"name", "columns"}:
        raise Failure(
            "ParameterInvalid",
            f"{place.field} has {key!r}: an estimator is class and params, or steps",
        )
    if "steps" in value and "class" not in value:
        return pipeline(value["steps"], place.inner(".steps", raw=place.raw))
    return make(value["class"], value.get("params") or {}, place)


def _named(cls: type[Any], kind: str, value: object, place: Place) -> list[tuple[Any, ...]]:
    if not isinstance(value, list) or not value:
        raise Failure("ParameterInvalid", f"{place.field} is {value!r}: give a list of named ones")
    found: list[tuple[Any, ...]] = []
    for position, entry in enumerate(value):
        raw = place.raw and cls is not ColumnTransformer and (kind != "steps" or position == 0)
        at = place.inner(f"[{position}]", raw=raw)
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Failure(
                "ParameterInvalid",
                f"{at.field} has the name {name!r}: give each a name of letters, digits and "
                "single underscores",
            )
        if name in [one[0] for one in found]:
            raise Failure("ParameterInvalid", f"{at.field}.name: {name!r} is there already")
        found.append((name, _entry(entry, at), *_columns(cls, entry, at, place)))
    return found


def _entry(entry: Mapping[str, Any], place: Place) -> Any:  # noqa: ANN401
    if entry.get("class") in _WORDS and not entry.get("params"):
        return entry["class"]
    if not _is_estimator(entry):
        raise Failure("ParameterInvalid", f"{place.field} has neither class nor steps: give one")
    return _estimator(entry, place)


def _columns(
    cls: type[Any], entry: Mapping[str, Any], at: Place, owner: Place
) -> tuple[Selection, ...]:
    field = f"{at.field}.columns"
    if cls is not ColumnTransformer:
        if "columns" in entry:
            raise Failure("ParameterInvalid", f"{field}: only a ColumnTransformer takes columns")
        return ()
    chosen = Selection.parse(entry.get("columns"), field)
    if not owner.raw:
        raise Failure(
            "ParameterInvalid",
            f"{field}: the columns of the data set do not reach here under their names: make the "
            "ColumnTransformer the first step",
        )
    return (chosen,)
