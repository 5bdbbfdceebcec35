"""Pods that share a search: a store that processes share, and a pod as a process of its own.

Run as `python -m tests.unit.runner.search.teams FOLDER WORKER`, it is one of the pods: the first
leads and prints what it came to, any other lends a hand. What is asked for lies in the folder.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.runner.memory import MemoryStorage
from tests.unit.runner.search.benches import searching, told

from tidemill.store import errors
from tidemill.store.objects import ObjectInfo
from tidemill_runner.cluster.board import POD_IP, Board
from tidemill_runner.search import pods
from tidemill_runner.search.pods import Team
from tidemill_runner.search.search import Search
from tidemill_runner.storage import Storage

PREFIX = "runs/ns/u-1/job/parts/"
ASKED = "asked.json"
REPOSITORY = Path(__file__).parents[4]


class FolderStorage(MemoryStorage):
    """A bucket in a folder: each object is a file that is renamed when it is whole."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: str, max_bytes: int) -> bytes:  # noqa: ARG002 - as a bucket has it
        return self._read(key)

    def sizes_of(self, keys: Any) -> dict[str, int | None]:
        there = {one.key for one in self.list("")}
        return {key: len(self._read(key)) if key in there else None for key in keys}

    def _read(self, key: str) -> bytes:
        try:
            return (self.folder / key.replace("/", "~")).read_bytes()
        except FileNotFoundError:
            raise errors.NotFound(key) from None

    def put(self, key: str, data: bytes) -> None:
        path = self.folder / key.replace("/", "~")
        part = path.with_name(f".{os.getpid()}-{threading.get_ident()}")
        part.write_bytes(data)
        part.rename(path)

    def list(self, prefix: str) -> list[ObjectInfo]:
        names = sorted(path.name.replace("~", "/") for path in self.folder.glob("[!.]*"))
        return [ObjectInfo(name, 0, "e") for name in names if name.startswith(prefix)]

    def delete(self, keys: Any) -> None:
        for key in keys:
            (self.folder / key.replace("/", "~")).unlink(missing_ok=True)


def led(folder: Path, store: MemoryStorage, workers: int, search: dict[str, Any]) -> Search:
    """The search of the first pod."""
    found = searching(folder, search, store)
    found.team = team(folder / "pod-0", store, workers)
    return found


def team(folder: Path, store: MemoryStorage, workers: int) -> Team:
    folder.mkdir(parents=True, exist_ok=True)
    return Team(Board(cast("Storage", store), PREFIX), workers, folder)


def helped(
    folder: Path, store: MemoryStorage, worker: int, workers: int, search: dict[str, Any]
) -> None:
    """What another pod does, to its end."""
    bench = searching(folder, search).bench
    own = team(folder / f"pod-{worker}", store, workers)
    pods.join(bench, search.get("parallelism", 1), own, worker, lambda _: time.sleep(0.1))


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pods that reach each other on the loopback."""
    monkeypatch.setenv(POD_IP, "127.0.0.1")


@contextmanager
def helper(work: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Another pod as a thread, as long as the context lasts; what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield raised
    thread.join(timeout=120)
    assert not thread.is_alive()


def ask(folder: Path, search: dict[str, Any], workers: int) -> None:
    """Lay out what pods that are processes are asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ASKED).write_text(json.dumps({"search": search, "workers": workers}))


def start(folder: Path, worker: int, program: str = __name__) -> subprocess.Popen[str]:
    """A pod as a process, of such a module; what it says is in a file beside its name."""
    command = [sys.executable, "-m", program, str(folder), str(worker)]
    sources = [REPOSITORY / "operator", REPOSITORY / "images/runner", REPOSITORY]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sources))}
    with (folder / f"{worker}.log").open("a") as log:
        return subprocess.Popen(
            command, cwd=REPOSITORY, env=environ, stdout=subprocess.PIPE, stderr=log, text=True
        )


def main() -> None:
    import logging

    logging.basicConfig(level=logging.INFO)
    folder, worker = Path(sys.argv[1]), int(sys.argv[2])
    asked = json.loads((folder / ASKED).read_text())
    store = FolderStorage(folder / "bucket")
    own = folder / f"process-{os.getpid()}"
    if worker:
        helped(own, store, worker, asked["workers"], asked["search"])
    else:
        result = told(led(own, store, asked["workers"], asked["search"]).run())
        sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
