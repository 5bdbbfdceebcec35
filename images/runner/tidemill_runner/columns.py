"""Which columns a run uses and for what, judged by the schema before any data is read."""

from dataclasses import dataclass

from tidemill_runner import names
from tidemill_runner.failures import Failure
from tidemill_runner.schema import Column, ColumnType, Schema
from tidemill_runner.train_input import Training

NUMERIC = (ColumnType.INTEGER, ColumnType.FLOAT, ColumnType.BOOLEAN)
_LEARNABLE = {
    "Classification": (*NUMERIC, ColumnType.STRING),
    "Regression": (ColumnType.INTEGER, ColumnType.FLOAT),
}
_ORDERED = (ColumnType.INTEGER, ColumnType.FLOAT, ColumnType.DATE, ColumnType.TIMESTAMP)


@dataclass(frozen=True)
class Roles:
    """The target, the features in the order of the files, and columns that say when or how much.

    `beside` are the columns that only the judgement looks at.
    """

    target: Column
    features: tuple[Column, ...]
    time: Column | None
    beside: tuple[Column, ...] = ()
    weight: Column | None = None

    @property
    def needed(self) -> list[str]:
        """The columns to read, each once."""
        extra = [column for column in (self.time, self.weight) if column]
        columns = (*self.features, self.target, *extra, *self.beside)
        return list(dict.fromkeys(c.name for c in columns))

    @property
    def has_text(self) -> bool:
        return any(column.type is ColumnType.STRING for column in self.features)


def assign(training: Training, schema: Schema) -> Roles:
    """Give every column its role; raises Failure."""
    target = _target(training, schema)
    weight = _weight(training, schema)
    return Roles(target, _features(training, schema), _time(training, schema), weight=weight)


def _target(training: Training, schema: Schema) -> Column:
    column = schema.column(training.target)
    if column is None:
        near = names.suggestion(training.target, schema.names())
        raise Failure(
            "TargetMissing", f"spec.target: the data set has no column {training.target!r}{near}"
        )
    if column.type in _LEARNABLE[training.task]:
        return column
    way_out = (
        "use spec.task Classification or another target"
        if training.task == "Regression" and column.type in (ColumnType.STRING, ColumnType.BOOLEAN)
        else "choose another target"
    )
    raise Failure(
        "TargetInvalid",
        f"spec.target: column {column.name!r} is {column.type}, "
        f"{training.task} learns {_or(_LEARNABLE[training.task])}: {way_out}",
    )


def _features(training: Training, schema: Schema) -> tuple[Column, ...]:
    for name in training.exclude:
        if schema.column(name) is None:
            raise Failure(
                "FeaturesInvalid",
                f"spec.features.exclude: the data set has no column {name!r}"
                f"{names.suggestion(name, schema.names())}",
            )
    left_out = {training.target, training.weights, *training.exclude}
    features = tuple(column for column in schema.columns if column.name not in left_out)
    if not features:
        raise Failure(
            "FeaturesInvalid", "spec.features.exclude leaves no feature beside the target"
        )
    refused = [c for c in features if c.type not in (*NUMERIC, ColumnType.STRING)]
    if refused:
        found = ", ".join(f"{column.name!r} ({column.type})" for column in refused[:8])
        raise Failure(
            "FeaturesInvalid",
            f"no estimator takes the columns {found}: add them to spec.features.exclude, "
            "or deliver them as numbers",
        )
    return features


def _weight(training: Training, schema: Schema) -> Column | None:
    name = training.weights
    if name is None:
        return None
    column = schema.column(name)
    if column is None:
        near = names.suggestion(name, schema.names())
        raise Failure(
            "WeightsInvalid", f"spec.weights.column: the data set has no column {name!r}{near}"
        )
    if name == training.target or column.type not in (ColumnType.INTEGER, ColumnType.FLOAT):
        what = "spec.target" if name == training.target else str(column.type)
        raise Failure(
            "WeightsInvalid",
            f"spec.weights.column: column {name!r} is {what}, a weight is "
            f"{ColumnType.INTEGER} or {ColumnType.FLOAT}: choose another column",
        )
    return column


def _time(training: Training, schema: Schema) -> Column | None:
    if training.split.by != "Time":
        return None
    name = training.split.column
    column = schema.column(name) if name else None
    if column is None:
        near = names.suggestion(name or "", schema.names())
        raise Failure(
            "SplitInvalid", f"spec.split.column: the data set has no column {name!r}{near}"
        )
    if column.type not in _ORDERED:
        raise Failure(
            "SplitInvalid",
            f"spec.split.column: column {name!r} is {column.type}, "
            f"a time is {_or(_ORDERED)}: choose another column, or spec.split.by Order or Random",
        )
    return column


def _or(kinds: tuple[ColumnType, ...]) -> str:
    return " or ".join(str(kind) for kind in kinds)
