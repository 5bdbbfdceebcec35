"""From a fitted model to its record: measured on the rows held out, judged, packed, uploaded.

Who has fitted it, and where, is not asked here.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

from tidemill.store import layout
from tidemill_runner import model_file, package, report
from tidemill_runner.evaluate import Evaluation, ask, evaluate
from tidemill_runner.fit import explained
from tidemill_runner.graph.beside import OFF, Bench, Outcome
from tidemill_runner.judgement import grouped, sketch
from tidemill_runner.judgement.asked import Asked
from tidemill_runner.judgement.judge import judge
from tidemill_runner.judgement.scene import Scene
from tidemill_runner.material import Material
from tidemill_runner.package import Artifact, Packed, Trained
from tidemill_runner.progress import Progress
from tidemill_runner.search.search import Found
from tidemill_runner.signer import Signer
from tidemill_runner.split import Parts
from tidemill_runner.storage import Storage
from tidemill_runner.train_input import TrainInput
from tidemill_runner.user_code import complaint
from tidemill_runner.user_code.kept_onnx import KeptOnnx

log = logging.getLogger(__name__)

REPORT = "report.html"


@dataclass
class Stopwatch:
    """How long each part of a run took; `begun` is told the name of each as it begins."""

    clock: Callable[[], float] = time.monotonic
    begun: Callable[[str], None] = field(default=lambda _: None)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        self.begun(part)
        start = self.clock()
        try:
            yield
        finally:
            self.seconds[part] = round(self.clock() - start, 3)


@dataclass(frozen=True)
class Fitted:
    """A model, what it was fitted on, and by what it is to be measured.

    `code` is what a user's code has said and is, where that has fitted it.
    """

    pipeline: Pipeline
    material: Material
    metrics: tuple[str, ...]
    found: Found | None = None
    code: Mapping[str, Any] = field(default_factory=dict)
    # Where the model is from, if it was not fitted here.
    imported: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Recording:
    """Into which store, with which scratch space; the document's training is what was fitted."""

    document: TrainInput
    store: Storage
    scratch: Path
    progress: Progress
    watch: Stopwatch
    signer: Signer | None = None

    def run(self, fitted: Fitted) -> dict[str, Any]:
        """Do it; the result without its times of day. Raises Failure."""
        training, material = self.document.training, fitted.material
        roles, data, parts = material.roles, material.data, material.parts
        pipeline = fitted.pipeline
        with self.watch.measure("evaluate"):
            evaluation = self._measured(fitted)
            scene = Scene(training, Asked.of(training), roles, pipeline, data, parts, evaluation)
            evaluation = grouped.regrouped(scene)
            for estimate in evaluation.metrics:
                log.info("%s = %.6g (%.6g to %.6g)", *list(asdict(estimate).values())[:4])
        with self.watch.measure("judge"):
            self.progress.report(80, "judging")
            judged = judge(replace(scene, evaluation=evaluation))
        with self.watch.measure("convert"):
            graph = self._graph(pipeline, material)
        trained = Trained(
            document=self.document,
            roles=roles,
            pipeline=pipeline,
            evaluation=evaluation,
            features=data.features[parts.holdout],
            target=data.target[parts.holdout],
            joined=material.joined,
            judged=judged,
            found=fitted.found,
            graph=graph,
            code=fitted.code,
            imported=fitted.imported,
        )
        with self.watch.measure("upload"):
            artifact = self._upload(trained, parts)
        drawn = sketch.sketch(data, parts, roles)
        told = {"sketch": asdict(drawn)} if drawn else {}
        return {**self._result(trained, parts, artifact), **told}

    def _measured(self, fitted: Fitted) -> Evaluation:
        """What the model does on features and target of the rows held out."""
        held = fitted.material.parts.holdout
        self.progress.report(75, f"measuring on {len(held):,} rows held out")
        evaluation = self._evaluated(fitted)
        for first in evaluation.metrics[:1]:
            self.progress.measured(first.name, first.value)
        return evaluation

    def _evaluated(self, fitted: Fitted) -> Evaluation:
        training, pipeline, data = self.document.training, fitted.pipeline, fitted.material.data
        held = fitted.material.parts.holdout
        features, target = data.features[held], data.target[held]
        if training.code is not None:
            with complaint.explained(training.code):
                answers = ask(pipeline, features)
                complaint.check(training.code, answers)
                return evaluate(pipeline, answers, target, fitted.metrics, training.seed)
        with explained(pipeline, fitted.material.roles):
            answers = ask(pipeline, features)
        return evaluate(pipeline, answers, target, fitted.metrics, training.seed)

    def _graph(self, pipeline: Pipeline, material: Material) -> Outcome:
        """The model in ONNX, where it is to be and agrees."""
        if isinstance(pipeline.steps[-1][1], KeptOnnx):
            return Outcome(alone=True)
        if not self.document.training.onnx:
            return Outcome(left_out=OFF)
        self.progress.report(82, "converting the model to ONNX and comparing")
        folder = self.scratch / "graph"
        folder.mkdir()
        features, parts = material.data.features, material.parts
        trained, held_out = features[parts.train], features[parts.holdout]
        return Bench(pipeline, material.roles, trained, held_out, folder).outcome()

    def _upload(self, trained: Trained, parts: Parts) -> Artifact:
        self.progress.report(85, "packing and proving the model")
        directory = self.scratch / "package"
        manifest, digest = package.write(trained, directory)
        packed = Packed(directory, manifest, digest)
        if self.signer:
            signature = self.signer.sign(manifest, digest, self.document.identity.name)
            packed = replace(packed, signature=signature, key_id=self.signer.key_id)
        self.progress.report(92, "uploading the model")
        artifact = package.upload(self.store, packed, self.document.models)
        text = report.render(trained, parts, artifact)
        self.store.put(f"{self.document.identity.output}{REPORT}", text.encode())
        return artifact

    def _result(self, trained: Trained, parts: Parts, artifact: Artifact) -> dict[str, Any]:
        bucket = self.store.config.bucket
        trees = model_file.library(trained.pipeline)
        evaluation: Evaluation = trained.evaluation
        joined = [
            {
                "name": one.table.dataset.name,
                "version": one.table.dataset.version,
                "key": list(one.table.key),
                "timestamp": one.table.timestamp,
            }
            for one in trained.joined
        ]
        return {
            "datasetVersion": self.document.dataset.version,
            "image": self.document.image,
            **({"join": joined} if joined else {}),
            "metrics": [asdict(estimate) for estimate in evaluation.metrics],
            "absentMetrics": list(evaluation.absent),
            **({"search": trained.found.content()} if trained.found else {}),
            **({"code": dict(trained.code)} if trained.code else {}),
            **({"import": dict(trained.imported)} if trained.imported else {}),
            "judgement": trained.judged.told() if trained.judged else None,
            "onnx": trained.graph.content(),
            "rows": {"train": len(parts.train), "holdout": len(parts.holdout)},
            "features": [column.name for column in trained.roles.features],
            "artifact": {
                "uri": layout.uri(bucket, artifact.prefix),
                "digest": artifact.digest,
                "bytes": artifact.bytes,
                **({"trees": trees} if trees else {}),
                **({"onnx": True} if trained.graph.there else {}),
                **({"signed": {"keyId": artifact.key_id}} if artifact.key_id else {}),
            },
            "report": layout.uri(bucket, f"{self.document.identity.output}{REPORT}"),
            "seconds": dict(self.watch.seconds),
        }
