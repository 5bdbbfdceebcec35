"""Ingest and training on a bucket in memory: the verbs themselves, without pods and network."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from tests.unit.runner.memory import MemoryStorage

from tidemill.store import layout, listing
from tidemill_runner import crew, halves, inputs, sources
from tidemill_runner import document as documents
from tidemill_runner.container import Container, Work
from tidemill_runner.crew import Leader
from tidemill_runner.database import Limits
from tidemill_runner.ingest import Ingest
from tidemill_runner.inputs import IngestInput, Prepare, S3Source
from tidemill_runner.intake import Intake
from tidemill_runner.online_input import MaterialiseInput
from tidemill_runner.progress import Progress, Subject
from tidemill_runner.sources import Origin
from tidemill_runner.sources.s3 import S3Origin
from tidemill_runner.storage import Storage
from tidemill_runner.train import Stopwatch, Train
from tidemill_runner.train_input import TrainInput
from tidemill_runner.workplace import Workplace

PREFIX = "raw/power/"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CONTAINER = {"image": "registry.example/clean@sha256:" + "c" * 64, "format": "Parquet"}
LOGISTIC = "sklearn.linear_model.LogisticRegression"
RIDGE = "sklearn.linear_model.Ridge"


@dataclass
class Workshop:
    """One data set and its store."""

    folder: Path
    source: MemoryStorage = field(default_factory=MemoryStorage)
    store: MemoryStorage = field(default_factory=MemoryStorage)
    format: str = "CSV"
    # What else the spec says of the bucket: csv, include, partitions.
    options: dict[str, Any] = field(default_factory=dict)

    def deliver(self, **files: bytes | str) -> None:
        """Put files under the prefix; `a_csv` becomes `a.csv`."""
        for name, data in files.items():
            content = data.encode() if isinstance(data, str) else data
            self.source.objects[PREFIX + name.replace("_", ".")] = content

    def fingerprint(self) -> str:
        include = self.options.get("include", ())
        found = listing.data_objects(self.source.list(PREFIX), PREFIX, include)
        return listing.fingerprint(found, PREFIX)

    def ingest(self, fingerprint: str | None = None, **asked: Any) -> dict[str, Any]:
        """Ingest what was delivered; `asked` are further fields of the input document."""
        return self.run(*self._asked(fingerprint, asked))

    def lend_a_hand(self, worker: int, fingerprint: str | None = None, **asked: Any) -> None:
        """Do what a worker that is not the first does."""
        document, origin = self._asked(fingerprint, asked)
        crew.lend_a_hand(self._place(document), origin, worker)

    def take_in(self, rows: Path, **asked: Any) -> tuple[Path, ...]:
        """Write the rows that were delivered into a folder, as they are checked."""
        document, origin = self._asked(None, asked)
        place = self._place(document)
        if document.workers > 1:
            return Leader(place, origin).run(rows).files
        return Intake(place, origin).run(rows, settles=document.prepare is None).files

    def ingest_around(
        self, user: Callable[[Path, Path], None], container: dict[str, Any], **asked: Any
    ) -> dict[str, Any]:
        """Ingest what was delivered with a container in between, which does as `user` does."""
        document, origin = self._asked(None, asked)
        inputs = document.prepare.inputs if document.prepare else {}
        prepare = Prepare(None, 60, inputs, Container.of({**CONTAINER, **container}))
        document = replace(document, prepare=prepare)
        work = self.work()
        halves.collect(self._place(document), origin, work)
        user(work.input, work.output)
        return halves.conclude(self._place(document), work)

    def work(self) -> Work:
        """The folders that the container's pod shares."""
        folders = [self.folder / name for name in ("in", "out", "state")]
        for folder in folders:
            folder.mkdir(exist_ok=True)
        return Work(*folders)

    def _asked(
        self, fingerprint: str | None, asked: dict[str, Any]
    ) -> tuple[IngestInput, S3Origin]:
        document = {
            **_common("ingest"),
            "source": {
                "endpoint": "http://source.example",
                "region": "",
                "bucket": "raw",
                "prefix": PREFIX,
                "format": self.format,
                "pathStyle": True,
                **self.options,
            },
            "fingerprint": fingerprint or self.fingerprint(),
            "manifests": layout.manifests_prefix("ns", "power"),
            "cas": layout.cas_prefix("ns"),
            **asked,
        }
        parsed = cast("IngestInput", self.load(document))
        bucket = cast("Storage", self.source)
        return parsed, S3Origin(bucket, cast("S3Source", parsed.source), parsed.fingerprint)

    def ingest_from(self, source: dict[str, Any], fingerprint: str, secret: Path) -> dict[str, Any]:
        """Ingest from a source that is no bucket, as the input document says it."""
        document = {
            **_common("ingest"),
            "source": source,
            "fingerprint": fingerprint,
            "manifests": layout.manifests_prefix("ns", "power"),
            "cas": layout.cas_prefix("ns"),
        }
        parsed = cast("IngestInput", self.load(document))
        with sources.opened(parsed, cast("Storage", self.store), secret) as origin:
            return self.run(parsed, origin)

    def run(self, document: IngestInput, origin: Origin) -> dict[str, Any]:
        return Ingest(self._place(document), origin).run()

    def _place(self, document: IngestInput) -> Workplace:
        store = cast("Storage", self.store)
        limits = Limits(memory=256 * 1024 * 1024, threads=1)
        return Workplace(document, store, self.folder, _progress(), limits, lambda: NOW)

    def train(
        self,
        ingested: dict[str, Any],
        spec: dict[str, Any],
        join: dict[str, Any] | None = None,
        **told: Any,
    ) -> dict[str, Any]:
        """Train on a version; `told` are further fields of the input document."""
        joined = {"join": join} if join else {}
        document = self.train_document(ingested, spec) | joined | told
        parsed = cast("TrainInput", self.load(document))
        scratch = self.folder / f"scratch-{len(list(self.folder.iterdir()))}"
        scratch.mkdir()
        store = cast("Storage", self.store)
        train = Train(parsed, store, scratch, _progress(), Stopwatch(), self._opened)
        return train.run()

    def _opened(self, *_: object) -> Any:
        """Give the bucket that models are imported from: the one that data is delivered to."""
        return nullcontext(self.source)

    def train_document(self, ingested: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
        """The input document of a training."""
        return {
            **_common("train"),
            "dataset": {
                "name": "power",
                "version": ingested["version"],
                "manifest": ingested["manifest"],
                "cas": layout.cas_prefix("ns"),
            },
            "spec": spec,
            "models": layout.model_prefix("ns", "power"),
            "image": "registry.example/runner@sha256:0",
        }

    def learn(self, csv: str, **spec: Any) -> dict[str, Any]:
        """Ingest one CSV file and train on it."""
        self.deliver(data_csv=csv)
        return self.train(self.ingest(), classification(**spec))

    def load(self, document: dict[str, Any]) -> IngestInput | TrainInput | MaterialiseInput:
        """An input document as its verb reads it."""
        path = self.folder / "input.json"
        path.write_text(json.dumps(document))
        return documents.load(path, document["verb"])


def classification(**changes: Any) -> dict[str, Any]:
    return {
        "task": "Classification",
        "target": "y",
        "split": {"holdout": "0.3", "by": "Random"},
        "seed": 3,
        "estimator": estimator(LOGISTIC),
        **changes,
    }


def regression(**changes: Any) -> dict[str, Any]:
    return classification(**{"task": "Regression", "estimator": estimator(RIDGE), **changes})


def estimator(*steps: str | tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """A pipeline by class paths, each alone or with parameters."""
    named = []
    for number, step in enumerate(steps):
        path, params = step if isinstance(step, tuple) else (step, {})
        named.append({"name": f"s{number}", "class": path, "params": params})
    return {"sklearn": {"steps": named}}


def rows(n: int = 60, *, header: str = "a,b,y", line: str = "{a},{b},{y}") -> str:
    """A CSV file of n rows that can be learnt: y is 1 where a is large."""
    lines = [header]
    for i in range(n):
        a = (i * 37) % n
        lines.append(line.format(i=i, a=a, b=(i * 7) % 10, y=int(a > n / 2)))
    return "\n".join(lines) + "\n"


def _common(verb: str) -> dict[str, Any]:
    return {
        "apiVersion": inputs.API_VERSION,
        "verb": verb,
        "namespace": "ns",
        "name": "power",
        "uid": "u-1",
        "output": "runs/ns/u-1/job/",
        "progress": None,
    }


def _progress() -> Progress:
    return Progress(Subject("Dataset", "ns", "power", "u-1"), None)
