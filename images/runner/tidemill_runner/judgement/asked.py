"""What a run asks of its judgement, and the columns that this needs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tidemill_runner import names
from tidemill_runner.failures import Failure
from tidemill_runner.judgement.moment import moment_of
from tidemill_runner.schema import Column, ColumnType, Schema
from tidemill_runner.train_input import Training


@dataclass(frozen=True)
class Slice:
    """Values of a column that are judged by themselves, from so many rows on."""

    column: str
    min_rows: int


@dataclass(frozen=True)
class Fairness:
    """The largest difference of a metric wanted between groups; `max` as it was written."""

    sensitive: str
    metric: str
    max: str
    positive: str | None


@dataclass(frozen=True)
class Asked:
    """What is asked for, defaults resolved."""

    baselines: tuple[str, ...]
    group_by: tuple[str, ...]
    slices: tuple[Slice, ...]
    fairness: tuple[Fairness, ...]
    importance: bool
    dependence: bool
    learning: bool
    shap: bool = False

    @classmethod
    def of(cls, training: Training) -> "Asked":
        """Read what the spec says of the evaluation."""
        said = training.evaluation
        explain = said.get("explain") or {}
        return cls(
            baselines=_baselines(said.get("baselines"), training.split.by),
            group_by=tuple(said.get("groupBy") or ()),
            slices=tuple(
                Slice(one["column"], int(one.get("minRows") or 100))
                for one in said.get("slices") or ()
            ),
            fairness=tuple(
                Fairness(one["sensitive"], one["metric"], one["max"], one.get("positive"))
                for one in said.get("fairness") or ()
            ),
            importance=explain.get("permutationImportance") is not False,
            dependence=explain.get("partialDependence") is True,
            learning=explain.get("learningCurve") is True,
            shap=explain.get("shap") is True,
        )

    def columns(self, schema: Schema) -> tuple[Column, ...]:
        """The columns named, and one that says when rows happened; raises Failure."""
        found: dict[str, Column] = {}
        for field, name in self._named():
            column = schema.column(name)
            if column is None:
                near = names.suggestion(name, schema.names())
                raise Failure(
                    "SpecInvalid",
                    f"spec.evaluation.{field}: the data set has no column {name!r}{near}",
                )
            if column.type is ColumnType.OTHER:
                raise Failure(
                    "SpecInvalid",
                    f"spec.evaluation.{field}: column {name!r} is {column.type}, whose values "
                    "cannot be told apart: name another one, or prepare it",
                )
            found[name] = column
        if moment := moment_of(schema.columns):
            found[moment.name] = moment
        return tuple(found.values())

    def _named(self) -> Iterator[tuple[str, str]]:
        yield from (("groupBy", name) for name in self.group_by)
        for place, one in enumerate(self.slices):
            yield f"slices[{place}].column", one.column
        for place, wanted in enumerate(self.fairness):
            yield f"fairness[{place}].sensitive", wanted.sensitive


def _baselines(said: Iterable[str] | None, by: str) -> tuple[str, ...]:
    if said is not None:
        return tuple(said)
    # Of rows in no order the one before is nobody's last value.
    return (
        ("Majority", "LastValue", "Linear") if by in ("Order", "Time") else ("Majority", "Linear")
    )
