"""A process that has children, each of which loads one model first: for servers with several.

Models come at any time, and by then the server has threads, so that a copy of it would be unsound.
This process is forked early, as a single model's child is; it starts no thread, and forks itself
for each model. One at a time: what they need of memory does not add up.
"""

import functools
import json
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

from tidemill_server.exits import MODEL_UNLOADABLE, Exit, Refused
from tidemill_server.formats.choice import is_onnx, prepare
from tidemill_server.probe.child import MAX_TEXT_CHARS, Prober, end_with_parent
from tidemill_server.probe.examine import examine
from tidemill_server.settings import Loading, Runtime

CANCEL = signal.SIGUSR1
_children: list[Prober] = []  # of the nursery's own process: the one that there is


@dataclass
class Nursery:
    """The server's end."""

    pid: int
    orders: IO[bytes]
    answers: IO[bytes]
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _ended: bool = False

    @classmethod
    def start(cls, runtime: Runtime, *, explained: bool) -> "Nursery":
        """Fork. The server must have no thread yet."""
        orders_in, orders_out = os.pipe()
        answers_in, answers_out = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(orders_out)
            os.close(answers_in)
            end_with_parent()
            _live(orders_in, answers_out, runtime, explained)
        os.close(orders_in)
        os.close(answers_out)
        return cls(pid, os.fdopen(orders_out, "wb", 0), os.fdopen(answers_in, "rb"))

    def probe(self, folder: Path, loading: Loading) -> None:
        """Have a child examine the package; raises Refused. Blocks: call it in a thread."""
        order = {"folder": str(folder), **vars(loading)}
        with self._turn:
            try:
                self.orders.write(json.dumps(order).encode() + b"\n")
                line = self.answers.readline()
            except BrokenPipeError:
                line = b""
        if not line:
            raise RuntimeError("the process that has models tried first has ended")
        if answer := json.loads(line):
            raise Refused(answer["reason"], answer["message"], Exit(answer["code"]))

    def cancel(self) -> None:
        """Nobody wants to know any more: the child that is there is ended."""
        if not self.ended:
            os.kill(self.pid, CANCEL)

    @property
    def ended(self) -> bool:
        """Whether it is gone: then no model can be tried any more."""
        if not self._ended:
            self._ended = os.waitpid(self.pid, os.WNOHANG)[0] != 0
        return self._ended

    def stop(self) -> None:
        """End it, and its child with it: whoever waits for its answer waits no longer."""
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)


def _live(orders: int, answers: int, runtime: Runtime, explained: bool) -> NoReturn:
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(CANCEL, _cancel)
        with os.fdopen(orders, "rb") as stream:
            for line in stream:
                trial = functools.partial(examine, runtime=runtime, explained=explained)
                answer = _answer(json.loads(line), runtime, trial, (orders, answers))
                os.write(answers, json.dumps(answer).encode() + b"\n")
    finally:
        os._exit(0)


def _cancel(*_: object) -> None:
    if _children:
        _children[-1].stop()


def _answer(
    order: dict[str, Any],
    runtime: Runtime,
    trial: Callable[[Path], None],
    files: Sequence[int],
) -> dict[str, Any]:
    folder, loading = Path(order["folder"]), Loading(order["seconds"], order["memory_bytes"])
    try:
        # Here, so that no child has to import it again.
        prepare("Onnx" if is_onnx(folder, runtime) else runtime)
        _children.append(Prober.start(trial, closing=files))
        _children[-1].probe(folder, loading)
    except Refused as refused:
        return _told(refused)
    except Exception as error:
        why = f"the model cannot be tried: {type(error).__name__}: {error}"
        return _told(Refused(MODEL_UNLOADABLE, why))
    finally:
        _children.clear()
    return {}


def _told(refused: Refused) -> dict[str, Any]:
    return {
        "reason": refused.reason,
        "message": refused.message[:MAX_TEXT_CHARS],
        "code": refused.code,
    }
