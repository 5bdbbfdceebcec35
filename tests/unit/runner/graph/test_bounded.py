"""Work in a child ends within its bounds, however it ends, and the parent goes on."""

import errno
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from tidemill_runner.graph import bounded
from tidemill_runner.graph.bounded import Bounds, NotDone

WIDE = Bounds(20.0, 1 << 40)


def hang() -> dict[str, Any]:
    threading.Event().wait()
    return {}


def eat() -> dict[str, Any]:
    return {"size": len(bytearray(1 << 31))}


def crash() -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}


def complain() -> dict[str, Any]:
    raise LookupError("what it says\nand more")


def test_what_the_work_gives_is_given() -> None:
    assert bounded.done(lambda: {"a": [1, "x" * 200_000]}, WIDE) == {"a": [1, "x" * 200_000]}


@pytest.mark.parametrize(
    ("work", "bounds", "said"),
    [
        (hang, Bounds(0.2, 1 << 40), "takes more than 0.2 s"),
        (eat, Bounds(20.0, 1 << 28), "more memory than the run has left"),
        (crash, WIDE, "SIGSEGV"),
        (complain, WIDE, "LookupError: what it says$"),
    ],
    ids=["hangs", "eats", "crashes", "complains"],
)
def test_what_does_not_come_to_an_end_is_told(work: Any, bounds: Bounds, said: str) -> None:
    with pytest.raises(NotDone, match=said):
        bounded.done(work, bounds)


def test_no_child_is_left() -> None:
    with pytest.raises(NotDone):
        bounded.done(hang, Bounds(0.1, 1 << 40))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({"memory.max": "1073741824\n", "memory.current": "536870912\n"}, 448 << 20),
        ({"memory.max": "104857600\n", "memory.current": "104857600\n"}, 64 << 20),
        (
            {
                "memory.max": "1073741824\n",
                "memory.current": "1073741824\n",
                "memory.stat": "inactive_file 536870912\n",
            },
            448 << 20,
        ),
        ({"memory.max": "max\n", "memory.current": "5\n"}, 4 << 30),
        ({}, 4 << 30),
    ],
    ids=["half", "none", "files", "unlimited", "no-cgroup"],
)
def test_memory_is_what_the_container_leaves(
    tmp_path: Path, files: dict[str, str], left: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert Bounds.left(1.0, tmp_path).memory_bytes == left


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (ValueError("Unable to allocate 3 GiB for an array"), True),
        (RuntimeError("[ONNXRuntimeError] : 6 : std::bad_alloc"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (ValueError("no such operator"), False),
    ],
)
def test_memory_is_told_from_what_else_goes_wrong(error: Exception, is_one: bool) -> None:
    assert bounded.is_memory(error) is is_one
