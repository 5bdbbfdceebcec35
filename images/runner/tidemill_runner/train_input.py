"""What the verb `train` is given, read from its document and judged in shape."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tidemill_runner.failures import Failure
from tidemill_runner.imported.asked import Import
from tidemill_runner.inputs import DatasetVersion, Identity, folder, identity, version
from tidemill_runner.signing_key import SigningKey
from tidemill_runner.user_code.code import Code, read

TASKS = ("Classification", "Regression")


@dataclass(frozen=True)
class Step:
    """One step of the pipeline, as in the spec."""

    name: str
    class_path: str
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Split:
    by: str
    holdout: Decimal
    column: str | None


@dataclass(frozen=True)
class Training:
    """What of the TrainingRun's spec the runner needs, defaults resolved."""

    task: str
    target: str
    exclude: tuple[str, ...]
    split: Split
    seed: int
    steps: tuple[Step, ...]
    metrics: tuple[str, ...]
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    # The column of the rows' weights.
    weights: str | None = None
    search: Mapping[str, Any] = field(default_factory=dict)
    # Whether the model is kept as a graph in ONNX as well, where that agrees.
    onnx: bool = True
    # What fits the model where no steps are given.
    code: Code | None = None


@dataclass(frozen=True)
class FeatureTable:
    """A version of a feature table: its key and time, and the run's columns for its key.

    `columns` are those joined, all but key and time where None.
    """

    dataset: DatasetVersion
    key: tuple[str, ...]
    timestamp: str
    own_key: tuple[str, ...]
    columns: tuple[str, ...] | None = None
    max_age: str | None = None
    prefix: str = ""


@dataclass(frozen=True)
class Join:
    """What is joined to the run's rows, and the column of theirs that says when."""

    timestamp: str
    tables: tuple[FeatureTable, ...]


@dataclass(frozen=True)
class TrainInput:
    identity: Identity
    dataset: DatasetVersion
    training: Training
    models: str
    image: str
    join: Join | None = None
    # Where the code's checkpoint is kept.
    checkpoint: str = ""
    # Pods that share a search, or else the fit.
    workers: int = 1
    # The names of the pods that run the code together, by their ranks; none where one does alone.
    hosts: tuple[str, ...] = ()
    # Instead of what is fitted by the steps.
    imported: Import | None = None
    signing: SigningKey | None = None


def train(document: Mapping[str, Any]) -> TrainInput:
    dataset = document["dataset"]
    return TrainInput(
        identity=identity(document, "TrainingRun"),
        dataset=version(dataset, folder(dataset["cas"])),
        training=_training(document["spec"], document.get("code") or {}),
        models=folder(document["models"]),
        image=document.get("image") or "",
        join=_join(document.get("join"), folder(dataset["cas"])),
        checkpoint=document.get("checkpoint") or "",
        workers=int(document.get("workers") or 1),
        hosts=tuple((document.get("ranks") or {}).get("hosts") or ()),
        imported=Import.of(document.get("import")),
        signing=SigningKey.of(document.get("signing")),
    )


def _join(join: Mapping[str, Any] | None, cas: str) -> Join | None:
    if not join:
        return None
    tables = tuple(
        FeatureTable(
            dataset=version(table["dataset"], cas),
            key=tuple(table["entity"]["key"]),
            timestamp=table["entity"]["timestamp"],
            own_key=tuple(table["key"]),
            columns=tuple(table["columns"]) if table.get("columns") else None,
            max_age=table.get("maxAge"),
            prefix=table.get("prefix") or "",
        )
        for table in join["tables"]
    )
    return Join(join["timestamp"], tables)


def _training(spec: Mapping[str, Any], code: Mapping[str, Any]) -> Training:
    if spec["task"] not in TASKS:
        raise Failure("SpecInvalid", f"spec.task is {spec['task']!r}: use {' or '.join(TASKS)}")
    split = spec.get("split") or {}
    return Training(
        task=spec["task"],
        target=spec["target"],
        exclude=tuple((spec.get("features") or {}).get("exclude") or ()),
        split=Split(
            by=split.get("by") or "Random",
            holdout=Decimal(split.get("holdout") or "0.2"),
            column=split.get("column"),
        ),
        seed=int(spec.get("seed") or 0),
        steps=tuple(
            Step(step["name"], step["class"], step.get("params") or {})
            for step in (spec["estimator"].get("sklearn") or {}).get("steps") or ()
        ),
        metrics=tuple((spec.get("evaluation") or {}).get("metrics") or ()),
        evaluation=spec.get("evaluation") or {},
        weights=(spec.get("weights") or {}).get("column"),
        search=spec.get("search") or {},
        onnx=(spec.get("onnx") or "Auto") != "Never",
        code=read(spec["estimator"], code),
    )
