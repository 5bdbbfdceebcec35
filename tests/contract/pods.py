"""A verb in several pods, each a process of its own: what it says is heard, it may be killed."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.contract.workbench import NAMESPACE, Outcome, Workbench

from tidemill.store import layout
from tidemill_runner.exits import Exit

# Not the address at which a process talks to itself.
POD = "127.0.0.2"
WAITING = "waiting for a scheduler"
UID = "uid-of-pods"


@dataclass
class Pod:
    """The process of one pod, and what it says."""

    process: subprocess.Popen[str]
    termination: Path
    lines: list[str] = field(default_factory=list)
    heard: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            with self.heard:
                self.lines.append(line)
                self.heard.notify_all()

    def await_line(self, text: str, times: int = 1) -> None:
        with self.heard:
            there = self.heard.wait_for(
                lambda: sum(text in line for line in self.lines) >= times, timeout=90
            )
        assert there, "".join(self.lines)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def end(self) -> Exit:
        return Exit(self.process.wait(120))


@dataclass
class Pods:
    """One ingest, or one training, in several pods."""

    bench: Workbench
    document: dict[str, Any]
    pods: list[Pod] = field(default_factory=list)

    @classmethod
    def of(cls, bench: Workbench, workers: int, **asked: Any) -> "Pods":
        output = f"{layout.run_prefix(NAMESPACE, UID)}job/"
        run = {"uid": UID, "output": output, "workers": workers}
        return cls(bench, {**bench.asked(**asked), **run})

    def close(self) -> None:
        """End whoever is left."""
        for pod in self.pods:
            pod.process.kill()
            pod.process.wait(30)

    def start(self, worker: int, within: Sequence[str] = ()) -> Pod:
        """Start a pod, by a command that starts others where one is given."""
        paths = self.bench.mount(self.document)
        said = {
            f"TIDEMILL_{name.upper()}": str(path)
            for name, path in vars(paths).items()
            if name not in ("work", "state", "token")
        }
        environ = {
            **os.environ,
            **said,
            "JOB_COMPLETION_INDEX": str(worker),
            "TIDEMILL_POD_IP": POD,
        }
        process = subprocess.Popen(
            [*within, sys.executable, "-m", "tidemill_runner", self.document["verb"]],
            env=environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        pod = Pod(process, paths.termination)
        self.pods.append(pod)
        return pod

    def waiting(self, worker: int) -> Pod:
        """A pod that has read its share."""
        pod = self.start(worker)
        pod.await_line(WAITING)
        return pod

    def outcome(self, leader: Pod) -> Outcome:
        code = leader.end()
        termination = json.loads(leader.termination.read_bytes())
        output = self.document["output"]
        result = self.bench.read(f"{output}result.json") if code is Exit.OK else b"{}"
        return Outcome(code, termination, json.loads(result), output)


@contextmanager
def stopped(pod: Pod) -> Iterator[None]:
    """Keep a process from doing anything."""
    pod.process.send_signal(signal.SIGSTOP)
    yield
    pod.process.send_signal(signal.SIGCONT)
