"""A child process that loads the model first, so that a model that kills only kills the child.

It is forked once, early: after the libraries are imported, so that nothing is imported twice, and
before any thread is started, so that the copy is sound. It waits for the folder's name, limits its
own memory and time, examines the package, answers with one JSON line and ends.
"""

import ctypes
import json
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tidemill.store import loading as bounds
from tidemill_server.exits import MODEL_UNLOADABLE, Refused
from tidemill_server.settings import MIB, Loading

MAX_ANSWER_BYTES = 64 * 1024
MAX_TEXT_CHARS = 1000
PR_SET_PDEATHSIG = 1  # of prctl(2)


@dataclass
class Prober:
    """The parent's end. Used once."""

    pid: int
    orders: int
    answers: int
    ended: bool = False

    @classmethod
    def start(cls, examine: Callable[[Path], None], closing: Sequence[int] = ()) -> "Prober":
        """Fork. The parent must have no thread yet; these files of its are not for the child."""
        orders_in, orders_out = os.pipe()
        answers_in, answers_out = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(orders_out)
            os.close(answers_in)
            end_with_parent()
            for file in closing:
                os.close(file)
            _child(orders_in, answers_out, examine)
        os.close(orders_in)
        os.close(answers_out)
        return cls(pid, orders_out, answers_in)

    def probe(self, folder: Path, loading: Loading) -> None:
        """Let the child examine the package; raises Refused. Blocks: call it in a thread."""
        memory = bounds.budget_bytes(loading.memory_bytes)
        order = {"folder": str(folder), "memory": memory, "seconds": loading.seconds}
        try:
            os.write(self.orders, json.dumps(order).encode() + b"\n")
        except BrokenPipeError:
            pass  # it died while it waited; how, is read from its status
        finally:
            os.close(self.orders)
        answer = self._read(loading.seconds)
        status = self._end()
        if answer is None:
            raise Refused(
                MODEL_UNLOADABLE, f"the model was not loaded within {loading.seconds:g} s"
            )
        _judge(answer, status, memory)

    def _read(self, seconds: float) -> bytes | None:
        """All that the child says before it closes its end; None after the time is over."""
        deadline = time.monotonic() + seconds
        answer = b""
        while len(answer) < MAX_ANSWER_BYTES:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.answers], [], [], left)[0]:
                return None
            piece = os.read(self.answers, MAX_ANSWER_BYTES)
            if not piece:
                break
            answer += piece
        return answer

    def cancel(self) -> None:
        """Nobody wants to know any more: whoever waits for its answer waits no longer."""
        self.stop()

    def stop(self) -> None:
        """End the child if it is still there: whoever waits for its answer waits no longer."""
        if not self.ended:  # not yet waited for, so the number is still its own
            os.kill(self.pid, signal.SIGKILL)

    def _end(self) -> int:
        self.stop()
        os.close(self.answers)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.ended = True
        return status


def end_with_parent() -> None:
    """Have the kernel end this process when the one that made it ends, however that does."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _judge(answer: bytes, status: int, memory: int) -> None:
    try:
        document = json.loads(answer)
    except ValueError:
        document = None
    if document == {}:
        return
    if isinstance(document, dict):
        reason, message = document.get("reason"), document.get("message")
        raise Refused(str(reason or MODEL_UNLOADABLE), str(message or "the model is refused"))
    cause = signal.Signals(-status).name if status < 0 else f"exit code {status}"
    raise Refused(
        MODEL_UNLOADABLE,
        f"the model ended the process that loaded it first ({cause}, memory limit "
        f"{memory // MIB} MiB): its file is malformed or needs more memory",
    )


def _child(orders: int, answers: int, examine: Callable[[Path], None]) -> NoReturn:
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        line = b""
        while not line.endswith(b"\n"):
            piece = os.read(orders, 65536)
            if not piece:
                os._exit(0)  # the parent ended without a model
            line += piece
        order = json.loads(line)
        bounds.limit(order["memory"], order["seconds"])
        os.write(answers, json.dumps(_answer(Path(order["folder"]), examine)).encode())
    finally:
        os._exit(0)


def _answer(folder: Path, examine: Callable[[Path], None]) -> dict[str, str]:
    """Nothing, where all is well; whatever it raises is a sentence for the user."""
    try:
        examine(folder)
    except Refused as refused:
        return {"reason": refused.reason, "message": refused.message[:MAX_TEXT_CHARS]}
    except MemoryError:
        return {"message": "the model needs more memory than the container has left for it"}
    except Exception as error:  # any library may raise anything about a hostile file
        text = f"the model cannot be loaded: {type(error).__name__}: {error}"
        return {"message": text[:MAX_TEXT_CHARS]}
    return {}
