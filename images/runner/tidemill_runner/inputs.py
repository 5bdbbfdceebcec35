"""The input document of a run, checked once and then typed.

The operator writes it from a spec that the API server has validated, so a document of the wrong
shape is a fault of ours; only values that no schema can judge are the user's.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tidemill_runner.failures import Failure

API_VERSION = "runner.tidemill.dev/v1"
TASKS = ("Classification", "Regression")


@dataclass(frozen=True)
class Identity:
    """Which object the run belongs to, and where its files go."""

    kind: str
    namespace: str
    name: str
    uid: str
    output: str
    progress_url: str | None


@dataclass(frozen=True)
class Source:
    """Where an ingest reads."""

    endpoint: str
    region: str
    bucket: str
    prefix: str
    format: str
    path_style: bool


@dataclass(frozen=True)
class IngestInput:
    identity: Identity
    source: Source
    fingerprint: str
    manifests: str
    cas: str


@dataclass(frozen=True)
class DatasetVersion:
    """The version trained on, and where it lies."""

    name: str
    version: str
    manifest: str
    cas: str


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


@dataclass(frozen=True)
class TrainInput:
    identity: Identity
    dataset: DatasetVersion
    training: Training
    models: str
    image: str


def load(path: Path, verb: str) -> IngestInput | TrainInput:
    """Read the document of a run; raises Failure."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["apiVersion"] != API_VERSION or document["verb"] != verb:
            raise Failure(
                "InternalError",
                f"the input is for {document['apiVersion']} {document['verb']}, "
                f"this is {API_VERSION} {verb}",
            )
        return _ingest(document) if verb == "ingest" else _train(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise Failure(
            "InternalError", f"the input document is malformed: {type(error).__name__}: {error}"
        ) from None


def _identity(document: Mapping[str, Any], kind: str) -> Identity:
    progress = document.get("progress") or {}
    return Identity(
        kind=kind,
        namespace=document["namespace"],
        name=document["name"],
        uid=document["uid"],
        output=_folder(document["output"]),
        progress_url=progress.get("url"),
    )


def _folder(prefix: str) -> str:
    return prefix if prefix.endswith("/") else f"{prefix}/"


def _ingest(document: Mapping[str, Any]) -> IngestInput:
    source = document["source"]
    return IngestInput(
        identity=_identity(document, "Dataset"),
        source=Source(
            endpoint=source["endpoint"],
            region=source.get("region") or "us-east-1",
            bucket=source["bucket"],
            prefix=source.get("prefix") or "",
            format=source["format"],
            path_style=source.get("pathStyle") is not False,
        ),
        fingerprint=document["fingerprint"],
        manifests=_folder(document["manifests"]),
        cas=_folder(document["cas"]),
    )


def _train(document: Mapping[str, Any]) -> TrainInput:
    dataset = document["dataset"]
    return TrainInput(
        identity=_identity(document, "TrainingRun"),
        dataset=DatasetVersion(
            dataset["name"], dataset["version"], dataset["manifest"], _folder(dataset["cas"])
        ),
        training=_training(document["spec"]),
        models=_folder(document["models"]),
        image=document.get("image") or "",
    )


def _training(spec: Mapping[str, Any]) -> Training:
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
            for step in spec["estimator"]["sklearn"]["steps"]
        ),
        metrics=tuple((spec.get("evaluation") or {}).get("metrics") or ()),
    )
