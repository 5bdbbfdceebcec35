"""A process is known by more than its pid, is started once, and nobody else's is ended."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.localcluster.failure import ClusterError
from tests.cluster.localcluster.processes import Identity, Program, Registry, end, identify
from tests.cluster.localcluster.waiting import wait_for

SLEEP = Program("sleeper", ("/bin/sleep", "60"))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    registry = Registry(tmp_path / "processes", tmp_path / "logs", "/nonexistent")
    yield registry
    registry.stop(SLEEP.name)


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        yield process
        process.kill()


def test_started_once(registry: Registry) -> None:
    assert registry.start(SLEEP)
    first = registry.alive(SLEEP.name)
    assert first is not None
    assert not registry.start(SLEEP)
    assert registry.alive(SLEEP.name) == first


def test_another_command_line_replaces_it(registry: Registry) -> None:
    registry.start(SLEEP)
    first = registry.alive(SLEEP.name)
    assert registry.start(Program("sleeper", ("/bin/sleep", "61")))
    assert registry.alive(SLEEP.name) not in (first, None)
    assert first is not None
    assert identify(first.pid) != first


def test_another_configuration_replaces_it(registry: Registry, tmp_path: Path) -> None:
    file = tmp_path / "config" / "sleeper.conf"
    registry.start(Program("sleeper", SLEEP.command, {file: "a"}))
    assert file.read_text() == "a"
    assert registry.start(Program("sleeper", SLEEP.command, {file: "b"}))
    assert file.read_text() == "b"


def test_killed_is_not_alive_and_is_started_again(registry: Registry) -> None:
    registry.start(SLEEP)
    first = registry.alive(SLEEP.name)
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    assert wait_for(lambda: registry.alive(SLEEP.name) is None, 5)
    assert registry.start(SLEEP)


def test_stop_ends_it_and_keeps_the_log(registry: Registry, tmp_path: Path) -> None:
    registry.start(Program("sleeper", ("/bin/sh", "-c", "echo said; exec sleep 60")))
    running = registry.alive(SLEEP.name)
    assert running is not None
    assert wait_for(lambda: registry.log(SLEEP.name).read_text() == "said\n", 5)
    registry.stop(SLEEP.name)
    assert identify(running.pid) is None
    assert registry.log(SLEEP.name).exists()
    assert not list((tmp_path / "processes").iterdir())


def test_reused_pid_is_a_stranger(
    registry: Registry, tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    registry.start(SLEEP)
    record = tmp_path / "processes" / "sleeper.pid"
    boot, _ = record.read_text().split("\n", 1)
    ours = registry.alive(SLEEP.name)
    record.write_text(f"{boot}\n{earlier_with_pid(stranger.pid)}")
    assert registry.alive(SLEEP.name) is None
    registry.stop(SLEEP.name)
    assert stranger.poll() is None
    assert ours is not None
    end(ours)


def earlier_with_pid(pid: int) -> str:
    """What /proc showed of a process that had the pid before the one that has it now."""
    head, _, tail = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    fields = tail.split()
    fields[19] = str(int(fields[19]) - 1)
    return f"{head}) {' '.join(fields)}"


@pytest.mark.parametrize("change", ["started", "boot"])
def test_only_the_same_process_is_ended(stranger: subprocess.Popen[bytes], change: str) -> None:
    real = identify(stranger.pid)
    assert real is not None
    other = {
        "started": Identity(real.pid, real.started + 1, real.boot),
        "boot": Identity(real.pid, real.started, "another boot"),
    }[change]
    end(other)
    assert stranger.poll() is None


def test_unknown_command_is_an_ended_process(registry: Registry) -> None:
    registry.start(Program("sleeper", ("/nonexistent/program",)))
    assert wait_for(lambda: registry.alive(SLEEP.name) is None, 5)
    assert "not found" in registry.log(SLEEP.name).read_text()


def test_a_record_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises((ClusterError, OSError)):
        Registry(blocked / "processes", tmp_path / "logs", "").start(SLEEP)
