"""Pods of one ingest over Dask as processes, on a real store; some of them are killed."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.contract.pods import POD, Pods, stopped
from tests.contract.test_parallel import TIMES
from tests.contract.workbench import NAMESPACE, Outcome, Workbench

from tidemill.store import layout
from tidemill_runner.exits import Exit

WORKERS = 3
FILES, ROWS = 12, 20_000
# As /proc/net/tcp has them.
LISTENS, LOOPBACK = "0A", "0100007F"
WORKING = "working for the scheduler"
alike = pytest.mark.only_minio("what becomes of pods is the same with any store")
CHECKS = [
    {"name": "once", "unique": {"columns": ["b"], "exact": True}, "severity": "Warn"},
    {"name": "grows", "monotonic": {"column": "a"}, "severity": "Warn"},
    {"name": "again", "duplicateRows": {}, "severity": "Warn"},
]


@pytest.fixture
def run(workbench: Workbench) -> Iterator[Pods]:
    for number in range(FILES):
        lines = "".join(f"{(n * 37 + number) % 90},{n % 50}\n" for n in range(ROWS))
        workbench.deliver(f"{number}.csv", f"a,b\n{lines}".encode())
    pods = Pods.of(workbench, WORKERS, checks=CHECKS, engine="Dask")
    yield pods
    pods.close()


def same(run: Pods, outcome: Outcome) -> None:
    assert outcome.exit is Exit.OK, outcome.message
    alone = run.bench.ingest(checks=CHECKS).result
    for fact in alone.keys() - TIMES:
        assert outcome.result[fact] == alone[fact], fact


def test_three_pods_make_the_version_of_one_and_end(run: Pods) -> None:
    helpers = [run.waiting(1), run.waiting(2)]
    leader = run.start(0)
    same(run, run.outcome(leader))
    assert [pod.end() for pod in helpers] == [Exit.OK, Exit.OK]
    assert all(any(WORKING in line for line in pod.lines) for pod in helpers)
    assert any(f"parts with {WORKERS} workers" in line for line in leader.lines)
    left = [name for name in _left(run) if not name.endswith(("result.json", ".gz"))]
    assert left == []


@alike
def test_a_pod_that_is_lost_is_done_without(run: Pods) -> None:
    lost, other, leader = run.waiting(1), run.waiting(2), run.start(0)
    lost.await_line(WORKING)
    lost.kill()
    same(run, run.outcome(leader))
    assert other.end() is Exit.OK


@alike
def test_who_is_left_works_for_the_next_first_pod(run: Pods) -> None:
    other, leader = run.waiting(1), run.start(0)
    other.await_line(WORKING)
    leader.kill()
    other.await_line("is gone")
    same(run, run.outcome(run.start(0)))
    assert other.end() is Exit.OK
    assert sum(WORKING in line for line in other.lines) == 2


@alike
def test_nobody_without_the_runs_key_is_talked_to(run: Pods) -> None:
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


def _left(run: Pods) -> list[str]:
    client = run.bench.client
    bucket = run.bench.server.config.bucket
    prefix = layout.run_prefix(NAMESPACE, run.document["uid"])
    return [str(o.object_name) for o in client.list_objects(bucket, prefix, recursive=True)]
