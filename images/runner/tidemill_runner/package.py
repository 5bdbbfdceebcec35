"""The model package: written, loaded back as the server will, compared, and only then uploaded.

Its digest follows from model, data and environment alone: no time, no name of a run is in it. The
manifest goes last and only once, so a package is either whole or not there.
"""

import json
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tidemill.store import boosted, digests, package
from tidemill_runner import card, model_file
from tidemill_runner.columns import Roles
from tidemill_runner.evaluate import Evaluation
from tidemill_runner.inputs import TrainInput
from tidemill_runner.joined import Chosen
from tidemill_runner.judgement.judge import Judged
from tidemill_runner.schema import Column, ColumnType
from tidemill_runner.search.search import Found
from tidemill_runner.storage import Storage

SIGNATURE_FORMAT = "tidemill.dev/signature/v1"
PACKAGES = ("scikit-learn", "numpy", "scipy", "skops", "joblib", "threadpoolctl")
SAMPLE_ROWS = 1000
EXAMPLES = 3
MAX_EXAMPLE_CHARS = 256 * 1024
SAMPLE_CELLS = 2_000_000
_DATATYPES = {
    ColumnType.INTEGER: "INT64",
    ColumnType.FLOAT: "FP64",
    ColumnType.BOOLEAN: "BOOL",
    ColumnType.STRING: "BYTES",
}


@dataclass(frozen=True)
class Trained:
    """Everything a package tells."""

    document: TrainInput
    roles: Roles
    pipeline: Pipeline
    evaluation: Evaluation
    features: NDArray[Any]
    target: NDArray[Any]
    joined: tuple[Chosen, ...] = ()
    judged: Judged | None = None
    # Told in report and result alone: the package is that of a run with the parameters found.
    found: Found | None = None


@dataclass(frozen=True)
class Artifact:
    prefix: str
    digest: str
    bytes: int


def write(trained: Trained, directory: Path) -> tuple[bytes, str]:
    """Fill the folder and prove the model in it; the manifest and its digest. Raises Failure."""
    directory.mkdir()
    model_file.write(trained.pipeline, directory)
    rows = min(SAMPLE_ROWS, max(1, SAMPLE_CELLS // len(trained.roles.features)))
    sample = np.linspace(0, len(trained.target) - 1, min(rows, len(trained.target))).astype(int)
    model_file.prove(trained.pipeline, directory, trained.features[sample])
    _write_sample(trained, directory / "holdout.parquet", sample)
    for name, content in {
        "signature.json": signature(trained, sample[:EXAMPLES]),
        "environment.json": environment(
            trained.document.image, model_file.library(trained.pipeline)
        ),
        "metrics.json": _metrics(trained),
        "lineage.json": _lineage(trained),
    }.items():
        (directory / name).write_bytes(digests.canonical_json(content))
    told = card.content(trained)
    (directory / "card.json").write_bytes(digests.canonical_json(told))
    (directory / "card.md").write_text(card.markdown(told), encoding="utf-8")
    return package.build_manifest(directory)


def upload(
    storage: Storage, directory: Path, models: str, manifest: bytes, digest: str
) -> Artifact:
    """Put the files, then the manifest, under the digest's prefix."""
    prefix = f"{models}{digests.hex_of(digest)}/"
    parsed = package.parse_manifest(manifest, digest)
    for file in parsed.files:
        storage.upload(directory / file.path, f"{prefix}{file.path}")
    storage.create(f"{prefix}{package.MANIFEST}", manifest)
    return Artifact(prefix, digest, parsed.total_bytes)


def signature(trained: Trained, examples: NDArray[np.intp]) -> dict[str, Any]:
    """What goes in and what comes out, for servers and their clients; and rows to try it with."""
    classes = trained.pipeline.classes_ if hasattr(trained.pipeline, "classes_") else None
    outputs: list[dict[str, Any]] = [
        {"name": "predict", "datatype": _output_type(classes), "shape": [-1]}
    ]
    if classes is not None and hasattr(trained.pipeline, "predict_proba"):
        shape = [-1, len(classes)]
        outputs.append({"name": "predict_proba", "datatype": "FP64", "shape": shape})
    library = model_file.library(trained.pipeline)
    return {
        "format": SIGNATURE_FORMAT,
        **({"trees": boosted.FILES[library]} if library else {}),
        "task": trained.document.training.task,
        "matrix": "object-nan" if trained.roles.has_text else "float64",
        "inputs": [_input(column) for column in trained.roles.features],
        "outputs": outputs,
        # A model may refuse rows that nobody would send: those it has answered it answers again.
        "examples": _few([_plain(row) for row in trained.features[examples].tolist()]),
        "classes": None if classes is None else classes.tolist(),
    }


def _plain(row: list[Any]) -> list[Any]:
    """A row of the matrix as JSON has it: null where a value is missing."""
    return [None if value != value else value for value in row]  # noqa: PLR0124 - NaN


def _few(rows: list[list[Any]]) -> list[list[Any]]:
    """The rows, or none where their texts are long: a signature is small."""
    return rows if len(json.dumps(rows)) <= MAX_EXAMPLE_CHARS else []


def environment(image: str, library: str | None = None) -> dict[str, Any]:
    """What the model was made with; `library` is that of its trees, where they have one."""
    packages = (*PACKAGES, *([boosted.DISTRIBUTIONS[library]] if library else []))
    return {
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in packages},
        "image": image,
    }


def _write_sample(trained: Trained, path: Path, sample: NDArray[np.intp]) -> None:
    columns = [
        # A missing text is NaN in the matrix, and null in the file.
        pa.array(trained.features[sample, place], from_pandas=column.type is ColumnType.STRING)
        for place, column in enumerate(trained.roles.features)
    ]
    names = [column.name for column in trained.roles.features]
    table = pa.Table.from_arrays(
        [*columns, pa.array(trained.target[sample])], names=[*names, trained.roles.target.name]
    )
    pq.write_table(table, path, compression="zstd")


def _input(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "datatype": _DATATYPES[column.type],
        "nullable": column.nullable,
    }


def _output_type(classes: NDArray[Any] | None) -> str:
    if classes is None:
        return "FP64"
    return {"i": "INT64", "b": "BOOL"}.get(classes.dtype.kind, "BYTES")


def _metrics(trained: Trained) -> dict[str, Any]:
    evaluation, judged = trained.evaluation, trained.judged
    return {
        "metrics": [asdict(estimate) for estimate in evaluation.metrics],
        "absent": list(evaluation.absent),
        "judgement": judged.kept() if judged else None,
    }


def _lineage(trained: Trained) -> dict[str, Any]:
    document, training = trained.document, trained.document.training
    join = [one.lineage() for one in trained.joined]
    return {
        "dataset": {"name": document.dataset.name, "version": document.dataset.version},
        **({"join": join} if join else {}),
        "target": training.target,
        "task": training.task,
        "exclude": list(training.exclude),
        **({"weights": training.weights} if training.weights else {}),
        "split": {
            "by": training.split.by,
            "holdout": str(training.split.holdout),
            "column": training.split.column,
        },
        "seed": training.seed,
        "steps": [
            {"name": step.name, "class": step.class_path, "params": dict(step.params)}
            for step in training.steps
        ],
        "image": document.image,
    }
