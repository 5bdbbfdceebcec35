"""Packages that trainings leave: fetched, proved, and asked as the server asks them."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from sklearn.pipeline import Pipeline
from tests.unit.runner.workshop import Workshop

from tidemill.store import package, trusted
from tidemill.store.trees import Boosted
from tidemill_server.formats import sklearn_model
from tidemill_server.formats.boosted_model import load_trees
from tidemill_server.formats.choice import Model, open_model
from tidemill_server.package.signature import Signature, read_signature
from tidemill_server.probe.examine import examine
from tidemill_server.protocol.rows import read_rows


def unpack(workshop: Workshop, result: dict[str, Any]) -> Path:
    """Fetch and prove the package."""
    prefix = result["artifact"]["uri"].removeprefix("s3://tidemill/")
    folder = workshop.folder / f"package-{len(list(workshop.folder.iterdir()))}"
    folder.mkdir()
    for key, data in workshop.store.objects.items():
        if key.startswith(prefix):
            (folder / key.removeprefix(prefix)).write_bytes(data)
    data = (folder / package.MANIFEST).read_bytes()
    package.verify_dir(folder, package.parse_manifest(data, result["artifact"]["digest"]))
    return folder


@dataclass(frozen=True)
class WithTrees:
    """Steps, and trees that are asked after them."""

    steps: Pipeline
    trees: Boosted

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.trees.predict(self.steps.transform(rows))

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        return self.trees.predict_proba(self.steps.transform(rows))


@dataclass(frozen=True)
class Served:
    """A package as runner and server load it."""

    folder: Path
    signature: Signature
    model: Any
    server: Model

    def answers(self, rows: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        """Predictions for rows by column: the model's own, and those of a request to the server.

        The model is given what scikit-learn users give: objects where there is text, NaN for
        what is missing.
        """
        inputs = self.signature.inputs
        text = any(column.datatype == "BYTES" for column in inputs)
        matrix = np.empty((len(rows), len(inputs)), dtype=object if text else np.float64)
        for place, column in enumerate(inputs):
            for number, row in enumerate(rows):
                value = row[column.name]
                value = math.nan if value is None else value
                matrix[number, place] = value if isinstance(value, str) else float(value)
        request = [
            {
                "name": column.name,
                "datatype": column.datatype,
                "shape": [len(rows)],
                "data": [row[column.name] for row in rows],
            }
            for column in inputs
        ]
        asked = read_rows(json.loads(json.dumps(request)), self.signature, len(rows))
        outputs = self.server.predict(asked, self.signature.output_names)
        name = self.signature.output_names[-1]
        return np.asarray(getattr(self.model, name)(matrix)), outputs[name]

    def assert_the_same(self) -> None:
        """On the sample of rows held out that the package has."""
        model, server = self.of_sample()
        assert model.tolist() == server.tolist()

    def of_sample(self) -> tuple[np.ndarray, np.ndarray]:
        """Both answers to the sample of rows held out that the package has."""
        rows = pq.read_table(self.folder / "holdout.parquet").to_pylist()
        names = {column.name: column.datatype for column in self.signature.inputs}
        kept = [{name: typed(row[name], names[name]) for name in names} for row in rows]
        return self.answers(kept)


def assert_onnx_agrees(folder: Path) -> None:
    """Ask the graph, where there is one, as the server does: it says what the pipeline says."""
    told = json.loads((folder / "metrics.json").read_bytes())["onnx"]
    if not (folder / package.ONNX).exists():
        assert told["leftOut"]
        return
    assert told["agreement"]["flips"] == 0
    examine(folder, "Onnx")
    both = served(folder)
    both = replace(both, server=open_model(folder, both.signature, "Onnx"))
    found = both.of_sample()
    assert both.signature.onnx is not None
    for native, graph in zip(*(one.ravel().tolist() for one in found), strict=True):
        near = isinstance(native, float) and abs(native - graph) <= both.signature.onnx.tolerance
        assert near or native == graph


def typed(value: Any, datatype: str) -> Any:
    """A value of the sample as a client sends it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return {"INT64": int, "BOOL": bool}.get(datatype, lambda same: same)(value)


def served(folder: Path) -> Served:
    """Probe the package as the server does before it serves it, and load it twice."""
    examine(folder, "Native")
    path = folder / "model.skops"
    signature = read_signature(folder / "signature.json")
    model: Any = trusted.load(path)
    trees = load_trees(folder, signature)
    if trees is not None:
        model = WithTrees(model, trees)
    return Served(folder, signature, model, sklearn_model.load(path, trees))
