"""The process that has models tried first: one after the other, whatever befalls one of them."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tidemill_server.exits import Exit, Refused
from tidemill_server.probe import nursery
from tidemill_server.probe.nursery import Nursery
from tidemill_server.settings import Loading

LOADING = Loading(seconds=30, memory_bytes=64 << 20)


def act(folder: Path, **_: object) -> None:
    """In the child: what the folder is called is what is done."""
    (folder / "tried").write_text(str(os.getpid()))
    if folder.name == "hang":
        threading.Event().wait()
    if folder.name == "refuse":
        raise Refused("PickleRefused", "x" * 100_000, Exit.USER_ERROR)
    if folder.name == "die":
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nursery]:
    monkeypatch.setattr(nursery, "examine", act)
    monkeypatch.setattr(nursery, "prepare", lambda _: None)
    found = Nursery.start("Auto", explained=False)
    yield found
    found.stop()


def room(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    return folder


def until(condition: Callable[[], object]) -> None:
    for _ in range(3000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("the condition did not come true")


def test_one_after_the_other_is_tried_in_a_process_of_its_own(
    running: Nursery, tmp_path: Path
) -> None:
    tried = set()
    for name in ("fine", "also"):
        running.probe(room(tmp_path, name), LOADING)
        tried.add((tmp_path / name / "tried").read_text())
    assert len(tried) == 2


@pytest.mark.parametrize(
    ("name", "reason"), [("refuse", "PickleRefused"), ("die", "ModelUnloadable")]
)
def test_what_befalls_one_is_told_and_the_next_is_tried(
    running: Nursery, tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(Refused) as refused:
        running.probe(room(tmp_path, name), LOADING)
    assert refused.value.reason == reason
    assert len(refused.value.message) < 2000
    running.probe(room(tmp_path, "fine"), LOADING)


@contextmanager
def hanging(running: Nursery, tmp_path: Path) -> Iterator[list[str]]:
    """A probe that goes on for ever, and how it ended when it has."""
    ended: list[str] = []

    def probe() -> None:
        try:
            running.probe(room(tmp_path, "hang"), LOADING)
        except (Refused, RuntimeError) as error:
            ended.append(str(error))

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    until((tmp_path / "hang" / "tried").exists)
    yield ended
    thread.join(20)
    assert not thread.is_alive()


def test_one_that_nobody_waits_for_any_more_is_ended(running: Nursery, tmp_path: Path) -> None:
    with hanging(running, tmp_path) as ended:
        running.cancel()
    assert "SIGKILL" in ended[0]
    running.probe(room(tmp_path, "fine"), LOADING)


def test_its_end_is_noticed_and_its_child_ends_with_it(running: Nursery, tmp_path: Path) -> None:
    with hanging(running, tmp_path) as ended:
        child = int((tmp_path / "hang" / "tried").read_text())
        os.kill(running.pid, signal.SIGKILL)
        until(lambda: running.ended)
    assert ended == ["the process that has models tried first has ended"]
    until(lambda: not Path(f"/proc/{child}").exists() or zombie(child))
    running.cancel()  # of what is gone nothing is wanted


def zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
