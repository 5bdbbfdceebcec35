"""A pod of a joint fit: its share of the rows, and the process in which it grows trees with others.

Only one process is there at a time: what a try that has failed had asked for ends before the next.
"""

import logging
import multiprocessing
import os
import shutil
import socket
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing import connection, forkserver
from pathlib import Path
from threading import Lock
from typing import Any, cast

from distributed import Worker, get_worker
from sklearn.pipeline import Pipeline

from tidemill_runner import threads
from tidemill_runner.cluster.board import own_address
from tidemill_runner.cluster.member import Member
from tidemill_runner.joint import growing, steps
from tidemill_runner.joint.growing import Answer, Meeting, Recipe, Task
from tidemill_runner.joint.share import Share

log = logging.getLogger(__name__)
# A task that waits for its process, the next one that ends it, and the questions in between.
PLACES = 4


def warm(library: str) -> None:
    """Begin to start what processes are forked from; it imports while the rows are read."""
    multiprocessing.get_context("forkserver").set_forkserver_preload([growing.__name__, library])
    forkserver.ensure_running()


@dataclass
class Hands:
    """What a pod works with."""

    share: Share
    folder: Path
    _lock: Lock = field(default_factory=Lock)
    _process: Any = None
    _turn: int = 0

    def grow(self, preparation: Pipeline | None, recipe: Recipe, meeting: Meeting) -> Answer:
        """Grow trees with the others of a meeting; from any thread. The last to come counts."""
        with self._lock:
            self._turn += 1
            turn = self._turn
        share = self.share
        folder = Path(tempfile.mkdtemp(prefix="try-", dir=self.folder))
        try:
            rows = steps.prepared(preparation, share.features)
            growing.lay_out(folder, rows, share.target, share.weights)
            del rows
            cpus = min(threads.cpu_limit(), len(os.sched_getaffinity(0)))
            return self._run(turn, Task(folder, recipe, meeting, cpus))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def stop(self) -> None:
        """End what is under way, and what has not come to its process yet."""
        with self._lock:
            self._turn += 1
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def _run(self, turn: int, task: Task) -> Answer:
        with self._lock:
            if turn != self._turn:
                return Answer(text="it was ended before it began")
            self._end()
            process, answers = begin(growing.work, task)
            self._process = process
        with closing(answers):
            try:
                found: Answer = answers.recv()
            except EOFError:
                process.join()
                with self._lock:
                    ours = self._process is process
                # Whom we have ended ourselves nobody is to take for killed.
                found = Answer(ended=process.exitcode) if ours else Answer(text="it was ended")
        process.join(5)
        process.kill()
        return found


class PodWorker(Worker):
    """Dask's worker, with what its pod works with."""

    hands: Hands | None = None

    async def close(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as Dask has it
        """End the process first, for whose answer a thread waits."""
        if self.hands is not None:
            self.hands.stop()
        return await super().close(*args, **options)


def begin(target: Any, *given: Any) -> tuple[Any, connection.Connection]:  # noqa: ANN401
    """A process of `target`, and where it answers."""
    context = multiprocessing.get_context("forkserver")
    answers, told = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(told, *given), daemon=True)
    process.start()
    told.close()
    return process, answers


def member(hands: Hands) -> Member[PodWorker]:
    """The pod in the cluster, by the number of its share."""

    def equip(worker: PodWorker) -> None:
        worker.hands = hands

    own = hands.share.number
    return Member(PodWorker, equip, str(hands.folder), memory=0, threads=PLACES, number=own)


def place() -> str:
    """Where the process of the pod that is asked can listen."""
    host = own_address()
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as free:
        free.bind((host.strip("[]"), 0))
        return f"{host}:{free.getsockname()[1]}"


def grow(preparation: Pipeline | None, recipe: Recipe, meeting: Meeting) -> Answer:
    """Of the pod that is asked."""
    hands = cast("Hands", cast("PodWorker", get_worker()).hands)
    return hands.grow(preparation, recipe, meeting)
