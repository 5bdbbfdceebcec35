"""The verb `train`: a version and a spec become a measured, proved, uploaded model package.

What can be judged without data is judged first, so that a wrong name fails in seconds.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.pipeline import Pipeline

from tidemill.store import boosted, digests, layout
from tidemill_runner import estimators, selection, weights
from tidemill_runner.evaluate import choose
from tidemill_runner.fit import fit, name_of
from tidemill_runner.imported import fetch
from tidemill_runner.imported.asked import Import
from tidemill_runner.imported.imported import Imported
from tidemill_runner.joint import steps
from tidemill_runner.judgement import contributed
from tidemill_runner.judgement.asked import Asked
from tidemill_runner.material import Material, Supply
from tidemill_runner.progress import Progress
from tidemill_runner.recording import Fitted, Recording, Stopwatch
from tidemill_runner.search import space, workers
from tidemill_runner.search.journal import Trials
from tidemill_runner.search.search import SPAN, Found, Search, bench_of
from tidemill_runner.search.sought import Sought
from tidemill_runner.signer import Signer
from tidemill_runner.storage import Storage
from tidemill_runner.train_input import Training, TrainInput

if TYPE_CHECKING:
    from tidemill_runner.search.pods import Team

__all__ = ["Stopwatch", "Train"]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Ready:
    """What is known and read before the first fit; of a search with its first values."""

    training: Training
    pipeline: Pipeline
    metrics: tuple[str, ...]
    material: Material
    imported: Imported | None = None


@dataclass(frozen=True)
class Train:
    """One training: of what, from and into which store, with which scratch space."""

    document: TrainInput
    store: Storage
    scratch: Path
    progress: Progress
    watch: Stopwatch
    # How the bucket of an imported model is opened, told where our own store's authorities are.
    opened: Callable[[Import, str | None], Storage] = fetch.opened

    def run(self) -> dict[str, Any]:
        """Do it; the result without its times of day. Raises Failure."""
        signer = Signer.read(self.document.signing)
        ready = self._ready()
        training, pipeline, material = ready.training, ready.pipeline, ready.material
        found = self._search(material)
        if found:
            training, pipeline = found.training, found.pipeline(material.roles)
        told = None
        if ready.imported:
            pipeline = ready.imported.suited(material.roles, material.data.target)
            told = ready.imported.told()
        else:
            with self.watch.measure("fit"):
                self._fit(pipeline, material)
        document = replace(self.document, training=training)
        place = self.store, self.scratch, self.progress, self.watch
        fitted = Fitted(pipeline, material, ready.metrics, found, imported=told)
        return Recording(document, *place, signer).run(fitted)

    def lend_a_hand(self, worker: int) -> None:
        """Work for the first of several pods. Raises Failure for what it would fail with."""
        asked, team = Sought.of(self.document.training), self._team()
        if team is not None and asked is None:
            self._grow_with_others(worker, team)
        elif team is not None and asked is not None:
            from tidemill_runner.search import pods  # noqa: PLC0415 - who needs Dask pays for it

            material = self._ready().material
            rows = material.roles, material.data, material.parts
            bench = bench_of(self.document.training, asked, *rows)
            with self.watch.measure("search"):
                pods.join(bench, asked.parallelism, team, worker)

    def _grow_with_others(self, worker: int, team: "Team") -> None:
        from tidemill_runner.joint import joining  # noqa: PLC0415
        from tidemill_runner.joint.share import Share  # noqa: PLC0415

        ready = self._ready()
        share = Share.of(ready.pipeline, ready.material, worker, team.workers)
        del ready  # of all rows that were read, only the share is kept
        with self.watch.measure("fit"):
            joining.join(share, team)

    def _ready(self) -> "_Ready":
        """Judge the spec, then read the data and cut it. Raises Failure."""
        imported = self._import()
        training, pipeline = self._model(imported)
        metrics = choose(training, pipeline)
        contributed.check(Asked.of(training), pipeline)
        sought = Sought.of(self.document.training)
        if sought is not None:
            workers.warm(sought.parallelism)
        with self.watch.measure("load"):
            supply = Supply.of(self.document, self.store, self.scratch)
            if imported:
                imported.check(supply.roles)
            else:
                selection.resolve(pipeline, supply.roles)
            material = supply.material(supply.read(self.scratch, self.progress))
        return _Ready(training, pipeline, metrics, material, imported)

    def _import(self) -> Imported | None:
        """Bring the model that is not fitted here, if there is one."""
        asked = self.document.imported
        if asked is None:
            return None
        with self.watch.measure("import"):
            self.progress.report(1, "fetching the model")
            folder = self.scratch / "imported"
            with self.opened(asked, self.store.config.ca_file) as bucket:
                return Imported.bring(asked, self.document.training.task, folder, bucket)

    def _model(self, imported: Imported | None) -> tuple[Training, Pipeline]:
        """What is to be measured, before anything is fitted; raises Failure."""
        training = space.begun(self.document.training)
        if imported:
            return replace(training, steps=imported.steps), imported.pipeline
        pipeline = estimators.build(training)
        weights.check(pipeline, training)
        if self.document.workers > 1 and not training.search:
            steps.check(pipeline)
            from tidemill_runner.joint import pod  # noqa: PLC0415 - who needs Dask pays for it

            pod.warm(boosted.library_of(type(pipeline[-1])) or "")
        return training, pipeline

    def _search(self, material: Material) -> Found | None:
        training = self.document.training
        asked = Sought.of(training)
        if asked is None:
            return None
        with self.watch.measure("search"):
            bench = bench_of(training, asked, material.roles, material.data, material.parts)
            trials, scratch = Trials.of(self.store, self.document), self.scratch / "search"
            return Search(asked, bench, trials, self.progress, scratch, self._team()).run()

    def _team(self) -> "Team | None":
        """The pods that share the work; None where there is one."""
        if self.document.workers == 1:
            return None
        from tidemill_runner.cluster.board import Board  # noqa: PLC0415
        from tidemill_runner.search.pods import Team  # noqa: PLC0415

        folder = self.scratch / "team"
        folder.mkdir(exist_ok=True)
        prefix = layout.parts_prefix(self.document.identity.output)
        document, joined = self.document, self.document.join
        tables = [table.dataset.version for table in joined.tables] if joined else []
        matter = [document.image, document.dataset.version, *tables]
        digest = digests.sha256_digest(digests.canonical_json(matter))
        return Team(Board(self.store, prefix), document.workers, folder, digest)

    def _fit(self, pipeline: Pipeline, material: Material) -> None:
        data, train = material.data, material.parts.train
        target = data.target[train]
        begun = SPAN[1] if self.document.training.search else SPAN[0]
        self.progress.report(begun, f"fitting {name_of(pipeline)} on {len(target):,} rows")
        log.info("fitting %s on %d rows", name_of(pipeline), len(target))
        team = None if self.document.training.search else self._team()
        if team is not None:
            from tidemill_runner.joint import leading  # noqa: PLC0415 - who needs Dask pays for it

            name = name_of(pipeline)
            leading.lead(
                *(pipeline, material, team),
                lambda words: self.progress.report(begun, f"fitting {name}: {words}"),
            )
            return
        weights.set_class_weights(pipeline, target)
        counted = None if data.weights is None else data.weights[train]
        given = weights.params(pipeline, counted)
        fit(pipeline, data.features[train], target, material.roles, given)
