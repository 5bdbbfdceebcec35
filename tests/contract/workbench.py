"""A pod's surroundings without a pod: files as the operator mounts them, a runner inside."""

import io
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from minio import Minio
from tests.contract.s3_server import S3Server
from tests.support.buckets import make_bucket

from tidemill.store import layout, listing
from tidemill.store.config import StoreConfig
from tidemill_runner.exits import Exit
from tidemill_runner.paths import Paths
from tidemill_runner.run import Run
from tidemill_runner.storage import Storage

NAMESPACE = "power"
_numbers = itertools.count(1)


@dataclass
class Outcome:
    """How a run ended."""

    exit: Exit
    termination: dict[str, Any]
    result: dict[str, Any]
    output: str = ""

    @property
    def reason(self) -> str:
        return str(self.termination.get("reason"))

    @property
    def message(self) -> str:
        return str(self.termination.get("message"))


@dataclass
class Workbench:
    """Runs verbs against one store; every run has its own folder and its own prefix."""

    server: S3Server
    folder: Path
    name: str = "elec2"
    bucket: str = "raw"
    prefix: str = field(default_factory=lambda: f"source-{next(_numbers)}/")
    config: StoreConfig | None = None
    secret: Mapping[str, str] | None = None  # what opens the source; the bucket's keys without it

    @property
    def client(self) -> Minio:
        return self.server.client()

    def deliver(self, key: str, data: bytes, part_size: int = 0) -> None:
        """Put an object into the source, in parts where it is larger than one."""
        make_bucket(self.client, self.bucket)
        self.client.put_object(
            self.bucket,
            f"{self.prefix}{key}",
            io.BytesIO(data),
            len(data),
            part_size=part_size,
        )

    def fingerprint(self) -> str:
        config = StoreConfig(**{**vars(self.server.config), "bucket": self.bucket})
        with Storage(config) as storage:
            return listing.fingerprint(storage.list(self.prefix), self.prefix)

    def ingest(self, file_format: str = "CSV", **changes: Any) -> Outcome:
        return self.run("ingest", self.asked(file_format, **changes))

    def asked(self, file_format: str = "CSV", **changes: Any) -> dict[str, Any]:
        """The input document of an ingest."""
        return {
            **self._common("ingest"),
            "source": {
                "endpoint": self.server.config.endpoint,
                "region": "us-east-1",
                "bucket": self.bucket,
                "prefix": self.prefix,
                "format": file_format,
                "pathStyle": True,
            },
            "fingerprint": changes.pop("fingerprint", None) or self.fingerprint(),
            "manifests": layout.manifests_prefix(NAMESPACE, self.name),
            "cas": layout.cas_prefix(NAMESPACE),
            **changes,
        }

    def train(self, ingested: dict[str, Any], spec: dict[str, Any], **changes: Any) -> Outcome:
        return self.run("train", self.to_train(ingested, spec, **changes))

    def to_train(
        self, ingested: dict[str, Any], spec: dict[str, Any], **changes: Any
    ) -> dict[str, Any]:
        """The input document of a training."""
        return {
            **self._common("train"),
            "dataset": {
                "name": self.name,
                "version": ingested["version"],
                "manifest": ingested["manifest"],
                "cas": layout.cas_prefix(NAMESPACE),
            },
            "spec": spec,
            "models": layout.model_prefix(NAMESPACE, self.name),
            "image": "registry.example/runner@sha256:0",
            **changes,
        }

    def run(self, verb: str, document: dict[str, Any]) -> Outcome:
        paths = self.mount(document)
        code = Run(verb, paths, lambda: datetime.now(UTC))()
        return self.outcome(code, document, paths)

    def outcome(self, code: Exit, document: dict[str, Any], paths: Paths) -> Outcome:
        termination = json.loads(paths.termination.read_bytes())
        result = self.read(f"{document['output']}result.json") if code is Exit.OK else b"{}"
        return Outcome(code, termination, json.loads(result), document["output"])

    def read(self, key: str) -> bytes:
        with Storage(self.server.config) as storage:
            return storage.get(key, 1 << 30)

    def mount(self, document: dict[str, Any]) -> Paths:
        pod = self.folder / f"pod-{next(_numbers)}"
        for name in ("store", "source", "scratch", "in", "out", "state"):
            (pod / name).mkdir(parents=True)
        for name, value in (self.config or self.server.config).to_values().items():
            (pod / "store" / name).write_text(value)
        keys = {
            "AWS_ACCESS_KEY_ID": self.server.config.access_key,
            "AWS_SECRET_ACCESS_KEY": self.server.config.secret_key,
        }
        for name, value in (keys if self.secret is None else self.secret).items():
            (pod / "source" / name).write_text(value)
        (pod / "input.json").write_text(json.dumps(document))
        return Paths(
            input=pod / "input.json",
            store=pod / "store",
            source=pod / "source",
            scratch=pod / "scratch",
            token=pod / "token",
            termination=pod / "termination-log",
            work=pod,
            state=pod / "state",
        )

    def _common(self, verb: str) -> dict[str, Any]:
        uid = f"uid-{next(_numbers)}"
        return {
            "apiVersion": "runner.tidemill.dev/v1",
            "verb": verb,
            "namespace": NAMESPACE,
            "name": self.name,
            "uid": uid,
            "output": f"{layout.run_prefix(NAMESPACE, uid)}job-1/",
            "progress": None,
        }
