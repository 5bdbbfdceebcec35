"""Detached processes that are known by pid *and* start time, so that no stranger is ever ended.

A process writes its own record before it becomes the wanted program: there is no moment in which an
interrupted `up` could leave a process that nobody knows of.
"""

import hashlib
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .failure import ClusterError
from .waiting import wait_for

BOOT = Path("/proc/sys/kernel/random/boot_id")
LAUNCH = (
    'cat /proc/sys/kernel/random/boot_id /proc/$$/stat > "$0.new" && mv "$0.new" "$0" && exec "$@"'
)
START_SECONDS = 10.0
TERM_SECONDS = 20.0
KILL_SECONDS = 10.0


@dataclass(frozen=True)
class Program:
    """What to run: its command line, and the files that it reads, which belong to its identity."""

    name: str
    command: tuple[str, ...]
    files: Mapping[Path, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        parts = [*self.command, *(f"{path}\n{text}" for path, text in sorted(self.files.items()))]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Identity:
    """One process, for all time: pids are used again, a pid with its start time and boot is not."""

    pid: int
    started: int
    boot: str


class Registry:
    """The processes of one cluster: a record and a log file for each."""

    def __init__(self, records: Path, logs: Path, path: str) -> None:
        self.records = records
        self.logs = logs
        self.path = path

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def alive(self, name: str) -> Identity | None:
        identity = self._recorded(name)
        return identity if identity is not None and _is_running(identity) else None

    def runs(self, program: Program) -> bool:
        """Whether exactly this program runs: not an older one under the same name."""
        try:
            fingerprint = self._fingerprint_file(program.name).read_text()
        except FileNotFoundError:
            return False
        return fingerprint == program.fingerprint and self.alive(program.name) is not None

    def start(self, program: Program) -> bool:
        """Makes the program run; False when it already did."""
        if self.runs(program):
            return False
        self.stop(program.name)
        for path, text in program.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.records.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        self._fingerprint_file(program.name).write_text(program.fingerprint)
        record = self._record_file(program.name)
        with self.log(program.name).open("ab") as log:
            child = subprocess.Popen(
                ["/bin/sh", "-c", LAUNCH, str(record), *program.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
                env=_environment(self.path),
            )
        if not wait_for(lambda: record.exists() or child.poll() is not None, START_SECONDS):
            raise ClusterError(f"{program.name} could not be started")
        return True

    def stop(self, name: str) -> None:
        """Ends the process politely, then not politely; its log stays."""
        identity = self._recorded(name)
        if identity is not None:
            end(identity)
        self._record_file(name).unlink(missing_ok=True)
        self._fingerprint_file(name).unlink(missing_ok=True)

    def _record_file(self, name: str) -> Path:
        return self.records / f"{name}.pid"

    def _fingerprint_file(self, name: str) -> Path:
        return self.records / f"{name}.fingerprint"

    def _recorded(self, name: str) -> Identity | None:
        try:
            boot, stat = self._record_file(name).read_text().split("\n", 1)
        except (FileNotFoundError, ValueError):
            return None
        return _identity(stat, boot)


def end(identity: Identity) -> None:
    for number, seconds in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        if not _is_running(identity):
            return
        try:
            os.kill(identity.pid, number)
        except ProcessLookupError:
            return
        if wait_for(lambda: not _is_running(identity), seconds):
            return
    raise ClusterError(f"process {identity.pid} does not end, not even by SIGKILL")


def identify(pid: int) -> Identity | None:
    """The process that has this pid now."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if _fields(stat)[0] == "Z":
        return None
    return _identity(stat, BOOT.read_text().strip())


def _is_running(identity: Identity) -> bool:
    return identify(identity.pid) == identity


def _identity(stat: str, boot: str) -> Identity:
    return Identity(int(stat.split(" ", 1)[0]), int(_fields(stat)[19]), boot)


def _fields(stat: str) -> list[str]:
    """The fields after the program's name, which may itself hold spaces and parentheses."""
    return stat.rpartition(")")[2].split()


def _environment(path: str) -> dict[str, str]:
    """Little, so that a cluster is the same whoever starts it; a proxy is needed to pull images."""
    kept = {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
    return kept | {"PATH": f"{path}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
