"""The model package: written, loaded back as the server will, compared, and only then uploaded.

Its digest follows from model, data and environment alone: no time, no name of a run is in it. The
manifest goes last and only once, so a package is either whole or not there.
"""

import json
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tidemill.store import boosted, digests, package
from tidemill_runner import card, model_file, reference
from tidemill_runner.columns import Roles
from tidemill_runner.evaluate import Evaluation
from tidemill_runner.graph import questions
from tidemill_runner.graph.beside import Outcome
from tidemill_runner.joined import Chosen
from tidemill_runner.judgement.judge import Judged
from tidemill_runner.schema import Column, ColumnType
from tidemill_runner.search.search import Found
from tidemill_runner.storage import Storage
from tidemill_runner.train_input import TrainInput
from tidemill_runner.user_code.kept_onnx import KeptOnnx

SIGNATURE_FORMAT = "tidemill.dev/signature/v1"
PACKAGES = ("scikit-learn", "numpy", "scipy", "skops", "joblib", "threadpoolctl")
ONNX_PACKAGES = ("onnx", "onnxruntime", "skl2onnx")
SAMPLE_ROWS = 1000
EXAMPLES = 3
BACKGROUND = 16
MAX_EXAMPLE_CHARS = 256 * 1024
SAMPLE_CELLS = 2_000_000
NOT_TRIED = Outcome(left_out="it was not tried")
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
    graph: Outcome = NOT_TRIED
    # Of the user's code that has fitted it: what it is, and what it has logged.
    code: Mapping[str, Any] = field(default_factory=dict)
    # Where the model is from, if it was not fitted here.
    imported: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Artifact:
    """What was uploaded, and whose key signed it."""

    prefix: str
    digest: str
    bytes: int
    key_id: str | None = None


def write(trained: Trained, directory: Path) -> tuple[bytes, str]:
    """Fill the folder and prove the model in it; the manifest and its digest. Raises Failure."""
    directory.mkdir()
    model_file.write(trained.pipeline, directory)
    rows = min(SAMPLE_ROWS, max(1, SAMPLE_CELLS // len(trained.roles.features)))
    sample = np.linspace(0, len(trained.target) - 1, min(rows, len(trained.target))).astype(int)
    model_file.prove(trained.pipeline, directory, trained.features[sample])
    if trained.graph.file:
        shutil.copyfile(trained.graph.file, directory / package.ONNX)
    _write_sample(trained, directory / "holdout.parquet", sample)
    for name, content in {
        "signature.json": signature(trained, sample),
        "environment.json": _environment(trained),
        "metrics.json": _metrics(trained),
        "profile.json": reference.content(trained.roles, trained.features, trained.evaluation),
        "lineage.json": _lineage(trained),
    }.items():
        (directory / name).write_bytes(digests.canonical_json(content))
    told = card.content(trained)
    (directory / "card.json").write_bytes(digests.canonical_json(told))
    (directory / "card.md").write_text(card.markdown(told), encoding="utf-8")
    return package.build_manifest(directory)


@dataclass(frozen=True)
class Packed:
    """A package in a folder: its manifest, the digest of that, and its signature if it has one."""

    directory: Path
    manifest: bytes
    digest: str
    signature: bytes | None = None
    key_id: str | None = None


def upload(storage: Storage, packed: Packed, models: str) -> Artifact:
    """Put the files, the signature, then the manifest, under the digest's prefix."""
    manifest, digest = packed.manifest, packed.digest
    prefix = f"{models}{digests.hex_of(digest)}/"
    parsed = package.parse_manifest(manifest, digest)
    for file in parsed.files:
        storage.upload(packed.directory / file.path, f"{prefix}{file.path}")
    if packed.signature is not None:
        storage.put(f"{prefix}{package.SIGNATURE}", packed.signature)
    storage.create(f"{prefix}{package.MANIFEST}", manifest)
    return Artifact(prefix, digest, parsed.total_bytes, packed.key_id)


def signature(trained: Trained, sample: NDArray[np.intp]) -> dict[str, Any]:
    """What goes in and what comes out, for servers and their clients; and some rows of the sample,
    to try it with and for explanations to compare with."""
    examples = sample[:EXAMPLES]
    spread = sample[np.unique(np.linspace(0, len(sample) - 1, BACKGROUND).astype(int))]
    classes = trained.pipeline.classes_ if hasattr(trained.pipeline, "classes_") else None
    outputs: list[dict[str, Any]] = [
        {"name": "predict", "datatype": _output_type(classes), "shape": [-1]}
    ]
    if classes is not None and hasattr(trained.pipeline, "predict_proba"):
        shape = [-1, len(classes)]
        outputs.append({"name": "predict_proba", "datatype": "FP64", "shape": shape})
    library, last = model_file.library(trained.pipeline), trained.pipeline.steps[-1][1]
    rows = trained.features[examples]
    told = _few([_plain(row) for row in rows.tolist()])
    return {
        "format": SIGNATURE_FORMAT,
        **({"trees": boosted.FILES[library]} if library else {}),
        **({"onnx": last.content(rows[: len(told)])} if isinstance(last, KeptOnnx) else {}),
        "task": trained.document.training.task,
        "matrix": "object-nan" if trained.roles.has_text else "float64",
        "inputs": [_input(column) for column in trained.roles.features],
        "outputs": outputs,
        # A model may refuse rows that nobody would send: those it has answered it answers again.
        "examples": told,
        "background": _few([_plain(row) for row in trained.features[spread].tolist()]),
        "classes": None if classes is None else classes.tolist(),
        **_graph(trained, examples),
    }


def _graph(trained: Trained, examples: NDArray[np.intp]) -> dict[str, Any]:
    """How the graph is asked, and what the pipeline says to the examples."""
    terms = trained.graph.terms
    if terms is None:
        return {}
    said = questions.ask(trained.pipeline, trained.features[examples])
    answers = {"predict": said.predicted.tolist()}
    if said.probabilities is not None:
        answers["predict_proba"] = said.probabilities.tolist()
    return {"onnx": replace(terms, answers=answers).content()}


def _plain(row: list[Any]) -> list[Any]:
    """A row of the matrix as JSON has it: null where a value is missing."""
    return [None if value != value else value for value in row]  # noqa: PLR0124 - NaN


def _few(rows: list[list[Any]]) -> list[list[Any]]:
    """The rows, or none where their texts are long: a signature is small."""
    return rows if len(json.dumps(rows)) <= MAX_EXAMPLE_CHARS else []


def environment(image: str, library: str | None = None, *, onnx: bool = False) -> dict[str, Any]:
    """What the model was made with; `library` is that of its trees, where they have one."""
    trees = [boosted.DISTRIBUTIONS[library]] if library else []
    packages = (*PACKAGES, *trees, *(ONNX_PACKAGES if onnx else ()))
    return {
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in packages},
        "image": image,
    }


def _environment(trained: Trained) -> dict[str, Any]:
    found = environment(
        trained.document.image,
        model_file.library(trained.pipeline),
        onnx=trained.graph.file is not None,
    )
    if trained.graph.alone:
        found["packages"]["onnxruntime"] = metadata.version("onnxruntime")
    return found


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
    return {"i": "INT64", "u": "INT64", "f": "FP64", "b": "BOOL"}.get(classes.dtype.kind, "BYTES")


def _metrics(trained: Trained) -> dict[str, Any]:
    evaluation, judged = trained.evaluation, trained.judged
    return {
        "metrics": [asdict(estimate) for estimate in evaluation.metrics],
        "absent": list(evaluation.absent),
        "judgement": judged.kept() if judged else None,
        "onnx": trained.graph.kept(),
    }


def _lineage(trained: Trained) -> dict[str, Any]:
    document, training = trained.document, trained.document.training
    join = [one.lineage() for one in trained.joined]
    code = training.code.lineage(trained.code.get("digest")) if training.code else {}
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
        **({"code": code} if code else {}),
        **({"import": dict(trained.imported)} if trained.imported else {}),
        "image": document.image,
    }
