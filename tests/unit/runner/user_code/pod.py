"""A pod whose middle is a user's code, as folders and processes: without cluster and network."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from tests.unit.runner.workshop import Workshop

from tidemill.store import layout
from tidemill_runner.progress import Progress, Subject
from tidemill_runner.recording import Stopwatch
from tidemill_runner.storage import Storage
from tidemill_runner.train_input import TrainInput
from tidemill_runner.user_code.halves import Halves
from tidemill_runner.user_code.laid import SHIM
from tidemill_runner.user_code.rooms import Rooms

SKLEARN = """
from sklearn.linear_model import LogisticRegression

def train(data, params, context):
    return LogisticRegression(**params).fit(data.features, data.target)
"""
RUN = layout.run_prefix("ns", "u-1")
CHECKPOINT = layout.checkpoint_prefix(RUN)
IMAGE = "registry.example/code@sha256:" + "c" * 64


@dataclass(frozen=True)
class Ended:
    """How the user's container ended."""

    code: int
    words: str


@dataclass
class Pod:
    """One pod of one run: its folders, and what is told of it."""

    workshop: Workshop
    ingested: dict[str, Any]
    spec: dict[str, Any]
    folder: Path
    beside: Mapping[str, Any] = field(default_factory=dict)
    rank: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.told: list[Mapping[str, Any]] = []
        self.rooms = Rooms.of(*(self.folder / n for n in ("work", "state", "code", "secret")))
        for room in vars(self.rooms).values():
            room.mkdir(parents=True, exist_ok=True)

    def mount(self, script: str) -> None:
        """Put a script where the kubelet puts that of a ConfigMap."""
        (self.rooms.code / "script").write_text(script)

    def provide(self) -> None:
        self._halves("first").provide()

    def judge(self) -> dict[str, Any]:
        return self._halves("last").judge()

    def run(self, environ: Mapping[str, str] | None = None, seconds: float = 300) -> Ended:
        """Run the script as its container does: from its folder, with nothing of ours around."""
        command = [sys.executable, "-u", str(self.rooms.input / SHIM)]
        given = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.rooms.environment()}
        done = subprocess.run(
            command,
            env={**given, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", **(environ or {})},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Ended(done.returncode, done.stdout + done.stderr)

    def train(self, script: str) -> dict[str, Any]:
        """All three in their order, where each ends well."""
        self.mount(script)
        self.provide()
        ended = self.run()
        assert ended.code == 0, ended.words
        return self.judge()

    def again(self, name: str) -> "Pod":
        """The next pod of the same run, after this one has gone."""
        return replace(self, folder=self.folder.parent / name)

    @property
    def document(self) -> TrainInput:
        asked = {
            **self.workshop.train_document(self.ingested, self.spec),
            "checkpoint": CHECKPOINT,
            **({"code": self.beside} if self.beside else {}),
        }
        return cast("TrainInput", self.workshop.load(asked))

    def progress(self, send: Callable[[Mapping[str, Any]], None] | None = None) -> Progress:
        return Progress(Subject("TrainingRun", "ns", "power", "u-1"), send)

    def _halves(self, name: str) -> Halves:
        scratch = self.folder / f"scratch-{name}"
        scratch.mkdir(exist_ok=True)
        store = cast("Storage", self.workshop.store)
        place = store, scratch, self.progress(), self.rooms, Stopwatch()
        return Halves(self.document, *place, rank=self.rank)


def script(**changes: Any) -> dict[str, Any]:
    """An estimator that is a script in a ConfigMap."""
    mounted = {"configMap": {"name": "code", "key": "train.py", **changes.pop("configMap", {})}}
    return {"script": {**mounted, "function": "train", **changes}}


def container(**changes: Any) -> dict[str, Any]:
    return {"container": {"image": IMAGE, **changes}}
