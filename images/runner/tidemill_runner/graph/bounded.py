"""Work that may take too long or too much memory, done in a child process that is ended then.

The child is forked, so that it has the fitted pipeline without a copy. It works with one thread:
the pools of the numeric libraries do not survive a fork.
"""

import errno
import faulthandler
import json
import logging
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import threadpoolctl

from tidemill.store import loading

MAX_ANSWER_BYTES = 16 * 1024 * 1024
MIB = 1024 * 1024
_NO_MEMORY = ("bad_alloc", "bad allocation", "allocate memory", "Unable to allocate")


class NotDone(Exception):  # noqa: N818 - says what became of the work
    """It did not come to an end within its bounds, or failed; says why."""


class OutOfBounds(NotDone):
    """It did not come to an end: another time, on another machine, it may."""


@dataclass(frozen=True)
class Bounds:
    """How long the child may take, and how much memory beside what it shares."""

    seconds: float
    memory_bytes: int

    @classmethod
    def left(cls, seconds: float, cgroup: Path = Path("/sys/fs/cgroup")) -> "Bounds":
        """As much memory as the container has left."""
        return cls(seconds, loading.budget_bytes(0, cgroup))


def done(work: Callable[[], dict[str, Any]], bounds: Bounds) -> dict[str, Any]:
    """What the work gives, through JSON; raises NotDone."""
    answers_in, answers_out = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(answers_in)
        _child(answers_out, work, bounds)
    os.close(answers_out)
    try:
        answer = _read(answers_in, bounds.seconds)
    finally:
        os.close(answers_in)
        os.kill(pid, signal.SIGKILL)  # not yet waited for, so the number is still its own
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if answer is None:
        raise OutOfBounds(f"it takes more than {bounds.seconds:g} s")
    try:
        found: dict[str, Any] = json.loads(answer)
    except ValueError:
        how = signal.Signals(-status).name if status < 0 else f"exit code {status}"
        raise OutOfBounds(f"it ended the process that tried ({how}): memory, or a fault") from None
    if "memory" in found:
        raise OutOfBounds(str(found["memory"]))
    if "failed" in found:
        raise NotDone(str(found["failed"]))
    return found


def is_memory(error: Exception) -> bool:
    """Whether it is the memory's bound that an error is about; libraries say so each in its way."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    return any(words in str(error) for words in _NO_MEMORY)


def _read(answers: int, seconds: float) -> bytes | None:
    deadline = time.monotonic() + seconds
    answer = b""
    while len(answer) < MAX_ANSWER_BYTES:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([answers], [], [], left)[0]:
            return None
        piece = os.read(answers, MAX_ANSWER_BYTES)
        if not piece:
            break
        answer += piece
    return answer


def _child(answers: int, work: Callable[[], dict[str, Any]], bounds: Bounds) -> NoReturn:
    try:
        # What libraries have to say of a conversion is no part of the run's log.
        logging.disable(logging.CRITICAL)
        faulthandler.disable()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        _limit(bounds)
        with threadpoolctl.threadpool_limits(1):
            answer = json.dumps(_answer(work)).encode()
        while answer:
            answer = answer[os.write(answers, answer) :]
    finally:
        os._exit(0)


def _answer(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return work()
    except Exception as error:  # any library may raise anything
        if is_memory(error):
            return {"memory": "it needs more memory than the run has left"}
        line = (str(error).strip().splitlines() or [""])[0]
        return {"failed": f"{type(error).__name__}: {line}"[:500]}


def _limit(bounds: Bounds) -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    space = pages * os.sysconf("SC_PAGE_SIZE") + bounds.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
