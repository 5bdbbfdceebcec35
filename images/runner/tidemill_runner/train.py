"""The verb `train`: a version and a spec become a measured, proved, uploaded model package.

What can be judged without data is judged first, so that a wrong name fails in seconds.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tidemill.store import layout
from tidemill_runner import (
    columns,
    estimators,
    matrix,
    model_file,
    package,
    report,
    selection,
    split,
    weights,
)
from tidemill_runner.columns import Roles
from tidemill_runner.dataset import Version
from tidemill_runner.evaluate import Evaluation, ask, choose, evaluate
from tidemill_runner.failures import Failure
from tidemill_runner.fit import explained, fit, name_of
from tidemill_runner.inputs import TrainInput
from tidemill_runner.joined import Joined
from tidemill_runner.judgement import fairness, grouped
from tidemill_runner.judgement.asked import Asked
from tidemill_runner.judgement.judge import judge
from tidemill_runner.judgement.scene import Scene
from tidemill_runner.matrix import Data
from tidemill_runner.package import Artifact, Trained
from tidemill_runner.progress import Progress
from tidemill_runner.referenced import Referenced
from tidemill_runner.search import space
from tidemill_runner.search.journal import Trials
from tidemill_runner.search.search import SPAN, Found, Search, bench_of
from tidemill_runner.search.sought import Sought
from tidemill_runner.split import Parts
from tidemill_runner.storage import Storage

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
class Train:
    """One training: of what, from and into which store, with which scratch space."""

    document: TrainInput
    store: Storage
    scratch: Path
    progress: Progress
    watch: Stopwatch

    def run(self) -> dict[str, Any]:
        """Do it; the result without its times of day. Raises Failure."""
        training = space.begun(self.document.training)
        pipeline = estimators.build(training)
        weights.check(pipeline, training)
        metrics = choose(training, pipeline)
        asked = Asked.of(training)
        with self.watch.measure("load"):
            version = Version(self.store, self.document.dataset)
            joined = self._joined(version)
            schema = joined.schema if joined else version.schema
            roles = replace(columns.assign(training, schema), beside=asked.columns(schema))
            selection.resolve(pipeline, roles)
            data = self._load(version, roles, joined)
            parts = split.divide(data.n, training.split, data.time, training.seed)
            fairness.check(asked, data.target)
            grouped.check(training, data, parts)
            self._check_classes(data.target[parts.train])
        found = self._search(data, parts, roles)
        if found:
            training, pipeline = found.training, found.pipeline(roles)
        with self.watch.measure("fit"):
            self._fit(pipeline, data, parts, roles)
        with self.watch.measure("evaluate"):
            held = data.features[parts.holdout], data.target[parts.holdout]
            evaluation = self._measured(pipeline, held, metrics, roles)
            scene = Scene(training, asked, roles, pipeline, data, parts, evaluation)
            evaluation = grouped.regrouped(scene)
            for estimate in evaluation.metrics:
                log.info("%s = %.6g (%.6g to %.6g)", *list(asdict(estimate).values())[:4])
        with self.watch.measure("judge"):
            self.progress.report(80, "judging")
            judged = judge(replace(scene, evaluation=evaluation))
        tables = joined.chosen if joined else ()
        document = replace(self.document, training=training)
        trained = Trained(document, roles, pipeline, evaluation, *held, tables, judged, found)
        with self.watch.measure("upload"):
            artifact = self._upload(trained, parts)
        return self._result(trained, parts, artifact)

    def _joined(self, version: Version) -> Joined | None:
        join = self.document.join
        if join is None:
            return None
        return Joined.of(join, version.schema, Referenced(self.store, self.scratch / "joined"))

    def _load(self, version: Version, roles: Roles, joined: Joined | None) -> Data:
        seen = self._seen(version.manifest.total_bytes)
        needed = joined.to_read(roles.needed) if joined else roles.needed
        rows = version.read(needed, self.scratch, seen)
        if joined:
            self.progress.report(20, f"joining {len(joined.chosen)} feature tables")
            rows = joined.extend(rows, roles.needed)
        return matrix.build(rows, roles, self.document.training)

    def _seen(self, total: int) -> Callable[[int], None]:
        report_share = self.progress.share((0, 20), "reading and verifying the data", total)
        done = 0

        def seen(amount: int) -> None:
            nonlocal done
            done += amount
            report_share(done)

        return seen

    def _search(self, data: Data, parts: Parts, roles: Roles) -> Found | None:
        training = self.document.training
        asked = Sought.of(training)
        if asked is None:
            return None
        with self.watch.measure("search"):
            bench = bench_of(training, asked, roles, data, parts)
            trials = Trials.of(self.store, self.document)
            return Search(asked, bench, trials, self.progress, self.scratch / "search").run()

    def _measured(
        self,
        pipeline: Pipeline,
        held: tuple[NDArray[Any], NDArray[Any]],
        metrics: tuple[str, ...],
        roles: Roles,
    ) -> Evaluation:
        """What the model does on features and target of the rows held out."""
        features, target = held
        self.progress.report(75, f"measuring on {len(target):,} rows held out")
        with explained(pipeline, roles):
            answers = ask(pipeline, features)
        evaluation = evaluate(pipeline, answers, target, metrics, self.document.training.seed)
        for first in evaluation.metrics[:1]:
            self.progress.measured(first.name, first.value)
        return evaluation

    def _check_classes(self, target: NDArray[Any]) -> None:
        if self.document.training.task == "Classification" and len(set(target.tolist())) < 2:
            raise Failure(
                "TargetInvalid",
                f"spec.target: the {len(target)} rows that spec.split leaves to train on have "
                f"one class only, {target.tolist()[0]!r}: use by: Random or hold out less",
            )

    def _fit(self, pipeline: Pipeline, data: Data, parts: Parts, roles: Roles) -> None:
        target = data.target[parts.train]
        begun = SPAN[1] if self.document.training.search else SPAN[0]
        self.progress.report(begun, f"fitting {name_of(pipeline)} on {len(target):,} rows")
        log.info("fitting %s on %d rows", name_of(pipeline), len(target))
        weights.set_class_weights(pipeline, target)
        counted = None if data.weights is None else data.weights[parts.train]
        given = weights.params(pipeline, counted)
        fit(pipeline, data.features[parts.train], target, roles, given)

    def _upload(self, trained: Trained, parts: Parts) -> Artifact:
        self.progress.report(85, "packing and proving the model")
        directory = self.scratch / "package"
        manifest, digest = package.write(trained, directory)
        self.progress.report(92, "uploading the model")
        artifact = package.upload(self.store, directory, self.document.models, manifest, digest)
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
            "judgement": trained.judged.told() if trained.judged else None,
            "rows": {"train": len(parts.train), "holdout": len(parts.holdout)},
            "features": [column.name for column in trained.roles.features],
            "artifact": {
                "uri": layout.uri(bucket, artifact.prefix),
                "digest": artifact.digest,
                "bytes": artifact.bytes,
                **({"trees": trees} if trees else {}),
            },
            "report": layout.uri(bucket, f"{self.document.identity.output}{REPORT}"),
            "seconds": dict(self.watch.seconds),
        }
