"""Pods of one ingest over Dask as processes, on a real store; some of them are killed."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.contract.test_parallel import TIMES
from tests.contract.workbench import NAMESPACE, Outcome, Workbench

from tidemill.store import layout
from tidemill_runner.exits import Exit

WORKERS = 3
FILES, ROWS = 12, 60_000
# Not the address at which a process talks to itself.
POD = "127.0.0.2"
# As /proc/net/tcp has them.
LISTENS, LOOPBACK = "0A", "0100007F"
WAITING = "waiting for a scheduler"
WORKING = "working for the scheduler"
CHECKS = [
    {"name": "once", "unique": {"columns": ["b"], "exact": True}, "severity": "Warn"},
    {"name": "grows", "monotonic": {"column": "a"}, "severity": "Warn"},
    {"name": "again", "duplicateRows": {}, "severity": "Warn"},
]


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
class Run:
    """One ingest in several pods."""

    bench: Workbench
    document: dict[str, Any]
    pods: list[Pod] = field(default_factory=list)

    def start(self, worker: int) -> Pod:
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
            [sys.executable, "-m", "tidemill_runner", "ingest"],
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


@pytest.fixture
def run(workbench: Workbench) -> Iterator[Run]:
    for number in range(FILES):
        lines = "".join(f"{(n * 37 + number) % 90},{n % 50}\n" for n in range(ROWS))
        workbench.deliver(f"{number}.csv", f"a,b\n{lines}".encode())
    uid = "uid-over-dask"
    output = f"{layout.run_prefix(NAMESPACE, uid)}job/"
    document = {
        **workbench.asked(checks=CHECKS),
        "uid": uid,
        "output": output,
        "workers": WORKERS,
        "engine": "Dask",
    }
    made = Run(workbench, document)
    yield made
    for pod in made.pods:
        pod.process.kill()
        pod.process.wait(30)


def same(run: Run, outcome: Outcome) -> None:
    assert outcome.exit is Exit.OK, outcome.message
    alone = run.bench.ingest(checks=CHECKS).result
    for fact in alone.keys() - TIMES:
        assert outcome.result[fact] == alone[fact], fact


@contextmanager
def stopped(pod: Pod) -> Iterator[None]:
    """Keep a process from doing anything."""
    pod.process.send_signal(signal.SIGSTOP)
    yield
    pod.process.send_signal(signal.SIGCONT)


def test_three_pods_make_the_version_of_one_and_end(run: Run) -> None:
    helpers = [run.waiting(1), run.waiting(2)]
    leader = run.start(0)
    same(run, run.outcome(leader))
    assert [pod.end() for pod in helpers] == [Exit.OK, Exit.OK]
    assert all(any(WORKING in line for line in pod.lines) for pod in helpers)
    left = [name for name in _left(run) if not name.endswith(("result.json", ".gz"))]
    assert left == []


def test_a_pod_that_is_lost_is_done_without(run: Run) -> None:
    lost, other, leader = run.waiting(1), run.waiting(2), run.start(0)
    lost.await_line(WORKING)
    lost.kill()
    same(run, run.outcome(leader))
    assert other.end() is Exit.OK


def test_who_is_left_works_for_the_next_first_pod(run: Run) -> None:
    other, leader = run.waiting(1), run.start(0)
    other.await_line(WORKING)
    leader.kill()
    other.await_line("is gone")
    same(run, run.outcome(run.start(0)))
    assert other.end() is Exit.OK
    assert sum(WORKING in line for line in other.lines) == 2


def test_nobody_without_the_runs_key_is_talked_to(run: Run) -> None:
    """What others reach of a pod answers to nobody who has not the certificate."""
    other, leader = run.waiting(1), run.start(0)
    other.await_line(WORKING)
    with stopped(other):
        reached = _listening({pod.process.pid for pod in run.pods})
        assert len(reached) >= 3  # the scheduler, and a worker in each pod
        leader_reached = _listening({leader.process.pid})
        assert [port for port in leader_reached if _answers(port)] == []
    same(run, run.outcome(leader))


def _listening(pids: set[int]) -> list[int]:
    """The ports on which processes listen that others reach."""
    inodes = set()
    for file in (file for pid in pids for file in Path(f"/proc/{pid}/fd").iterdir()):
        with suppress(OSError):
            inodes.add(str(file.readlink()).removeprefix("socket:[").removesuffix("]"))
    found = []
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, _, state, *_, inode = line.split()[:10]
        address, port = local.split(":")
        if state == LISTENS and inode in inodes and address != LOOPBACK:
            found.append(int(port, 16))
    return found


def _answers(port: int) -> bool:
    """Whether anything comes back for a request without a certificate, plain or over TLS."""
    request = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    unknown = ssl.create_default_context()
    unknown.check_hostname, unknown.verify_mode = False, ssl.CERT_NONE
    for secure in (False, True):
        with suppress(OSError), socket.create_connection((POD, port), timeout=10) as bare:
            wrapped = unknown.wrap_socket(bare) if secure else bare
            wrapped.sendall(request)
            if wrapped.recv(16):
                return True
    return False


def _left(run: Run) -> list[str]:
    client = run.bench.client
    bucket = run.bench.server.config.bucket
    prefix = layout.run_prefix(NAMESPACE, run.document["uid"])
    return [str(o.object_name) for o in client.list_objects(bucket, prefix, recursive=True)]
