"""Whether an imported model suits a run's data: its features, their order, its classes."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tidemill_runner.columns import Roles
from tidemill_runner.evaluate import distinct
from tidemill_runner.failures import Failure
from tidemill_runner.imported import graph, model
from tidemill_runner.imported.asked import FIELD, Import
from tidemill_runner.imported.kinds import ModelFile
from tidemill_runner.schema import Column, ColumnType
from tidemill_runner.user_code.kept_onnx import KeptOnnx

MAX_SHOWN = 8


def check_features(pipeline: Pipeline, file: ModelFile, roles: Roles) -> None:
    """Raise Failure where the model was fitted on other features than the run has."""
    own = tuple(column.name for column in roles.features)
    texts = [column.name for column in roles.features if column.type is ColumnType.STRING]
    if texts and model.has_trees(pipeline):
        raise Failure(
            "FeaturesInvalid",
            f"{file.called} takes numbers, and the columns {_some(texts)} hold text: exclude them "
            "in spec.features.exclude, or encode them in the Dataset's spec.prepare",
        )
    wanted = model.named_features(pipeline, file)
    if wanted is not None:
        _check_names(wanted, own, file.called)
    count = model.width(pipeline)
    if count is not None and count != len(own):
        raise Failure(
            "FeaturesInvalid",
            f"{file.called} takes {count} features, which it does not name, and the run has "
            f"{len(own)} ({_some(own)}): see spec.features.exclude",
        )


def _check_names(wanted: Sequence[str], own: Sequence[str], called: str) -> None:
    missing = [name for name in wanted if name not in own]
    more = [name for name in own if name not in wanted]
    if missing:
        raise Failure(
            "FeaturesInvalid",
            f"{called} was fitted on {_some(missing)}, which the run's features lack: it has "
            f"{_some(own)}; deliver them, or name them so in the Dataset's spec.prepare",
        )
    if more:
        raise Failure(
            "FeaturesInvalid",
            f"{called} was not fitted on {_some(more)}: add them to spec.features.exclude",
        )
    if tuple(wanted) != tuple(own):
        place = next(i for i, pair in enumerate(zip(wanted, own, strict=True)) if len({*pair}) > 1)
        raise Failure(
            "FeaturesInvalid",
            f"{called} was fitted on the run's features in another order: its feature {place + 1} "
            f"is {wanted[place]!r}, the run's is {own[place]!r}: bring the columns into the order "
            f"{_some(wanted)} in the Dataset's spec.prepare",
        )


def with_classes(pipeline: Pipeline, asked: Import, roles: Roles, target: NDArray[Any]) -> Pipeline:
    """The model with the classes that the data has; raises Failure where they are not its own."""
    if not hasattr(pipeline, "classes_"):
        if asked.classes:
            raise Failure("TargetInvalid", f"{FIELD}.classes: a model of numbers has no classes")
        return pipeline
    there = distinct(target)
    own = isinstance(pipeline.steps[-1][1], KeptOnnx)
    if asked.classes or own:
        labels = _labels(pipeline, asked.classes, roles.target) if asked.classes else sorted(there)
        if own:
            _check_count(pipeline, labels)
            columns = [column.name for column in roles.features]
            pipeline = graph.relabelled(pipeline, columns, labels)
        else:
            pipeline = model.relabelled(pipeline, labels)
    known = set(pipeline.classes_.tolist())
    # What it does not know it can only get wrong: the run has other classes than the model.
    if set(there) - known:
        named = f"name them in {FIELD}.classes" if model.has_trees(pipeline) else "see spec.target"
        raise Failure(
            "TargetInvalid",
            f"the model tells the classes {_some(sorted(map(repr, known)))}, and the column "
            f"{roles.target.name!r} has {_some(sorted(map(repr, there)))}: {named}",
        )
    return pipeline


def _check_count(pipeline: Pipeline, labels: Sequence[Any]) -> None:
    if len(labels) != len(pipeline.classes_):
        raise Failure(
            "TargetInvalid",
            f"the model tells {len(pipeline.classes_)} classes, and the target has {len(labels)} "
            f"({_some(sorted(map(repr, labels)))}): name the model's in {FIELD}.classes, in its "
            "order",
        )


def _labels(pipeline: Pipeline, classes: Sequence[str], target: Column) -> list[Any]:
    field = f"{FIELD}.classes"
    last = pipeline.steps[-1][1]
    if not model.has_trees(pipeline) and not isinstance(last, KeptOnnx):
        raise Failure("TargetInvalid", f"{field}: a skops file has its own classes: remove it")
    if len(set(classes)) < len(classes) or len(classes) != len(pipeline.classes_):
        raise Failure(
            "TargetInvalid",
            f"{field} names {len(set(classes))} classes, and the model tells "
            f"{len(pipeline.classes_)}: name each once, in the model's order",
        )
    try:
        return [_label(text, target.type) for text in classes]
    except ValueError:
        raise Failure(
            "TargetInvalid", f"{field}: the column {target.name!r} holds {target.type}: {classes}"
        ) from None


def _label(text: str, kind: ColumnType) -> object:
    if kind is ColumnType.BOOLEAN:
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    if kind is ColumnType.STRING:
        return text
    number = float(text)
    # As the target is read: classes in a column of floats are whole.
    whole = kind is ColumnType.FLOAT and number.is_integer()
    return int(number) if whole else int(text) if kind is ColumnType.INTEGER else number


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MAX_SHOWN])
    return shown if len(names) <= MAX_SHOWN else f"{shown} and {len(names) - MAX_SHOWN} more"
