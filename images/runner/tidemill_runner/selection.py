"""Which columns each part of a ColumnTransformer takes: by their names, or by what they hold.

As in scikit-learn, a list gives a matrix, and one name alone the column itself, as those that turn
texts into numbers want it.

Names and kinds are those of the data set, so they can be used where its columns arrive as they are:
in the first step, and in what hands its own input on. They become positions once the columns of
the version are known, since an estimator is given a matrix.
"""

from dataclasses import dataclass

from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer

from tidemill_runner import names
from tidemill_runner.columns import NUMERIC, Roles
from tidemill_runner.failures import Failure
from tidemill_runner.schema import ColumnType

KINDS: dict[str, tuple[ColumnType, ...]] = {
    "numeric": NUMERIC,
    "categorical": (ColumnType.STRING,),
}


@dataclass(frozen=True)
class Selection:
    """What a spec says under `columns`: one of the kinds, or names; `field` is where it says so."""

    field: str
    kind: str | None = None
    names: tuple[str, ...] = ()
    alone: bool = False

    @classmethod
    def parse(cls, value: object, field: str) -> "Selection":
        """Raises Failure."""
        if isinstance(value, str) and value in KINDS:
            return cls(field, kind=value)
        if isinstance(value, str) and value:
            return cls(field, names=(value,), alone=True)
        if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
            if len(set(value)) < len(value):
                raise Failure("ParameterInvalid", f"{field} names a column twice: {value}")
            return cls(field, names=tuple(value))
        raise Failure(
            "ParameterInvalid",
            f"{field} is {value!r}: give {' or '.join(KINDS)}, a list of names of columns, or "
            "one name alone",
        )

    def positions(self, roles: Roles) -> list[int] | int:
        """Where the columns meant stand among the features; raises Failure for one that is none."""
        if self.kind is not None:
            kinds = KINDS[self.kind]
            return [i for i, column in enumerate(roles.features) if column.type in kinds]
        places = {column.name: place for place, column in enumerate(roles.features)}
        for name in self.names:
            if name not in places:
                or_kind = f"; the kinds are {', '.join(KINDS)}" if self.alone else ""
                raise Failure(
                    "FeaturesInvalid", f"{self.field}: {_no_feature(name, roles)}{or_kind}"
                )
        found = [places[name] for name in self.names]
        return found[0] if self.alone else found


def resolve(pipeline: BaseEstimator, roles: Roles) -> None:
    """Put positions in place of names and kinds, in every ColumnTransformer of the pipeline."""
    for part in pipeline.get_params(deep=True).values():
        if isinstance(part, ColumnTransformer):
            part.transformers = [
                (name, each, chosen.positions(roles) if isinstance(chosen, Selection) else chosen)
                for name, each, chosen in part.transformers
            ]
            if part.remainder == "drop" and not any(
                chosen != [] for *_, chosen in part.transformers
            ):
                raise Failure(
                    "FeaturesInvalid",
                    "spec.estimator.sklearn.steps: the data set has none of the columns that the "
                    "ColumnTransformer takes: name others, or set remainder: passthrough",
                )


def _no_feature(name: str, roles: Roles) -> str:
    if name == roles.target.name:
        return f"{name!r} is spec.target, which a model cannot see: take it out"
    if roles.weight is not None and name == roles.weight.name:
        return f"{name!r} is spec.weights.column, which a model does not see: take it out"
    near = names.suggestion(name, [column.name for column in roles.features])
    return f"{name!r} is no feature{near} (spec.features.exclude may leave it out)"
