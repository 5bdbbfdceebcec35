"""One at a time: an exclusive lock on a file, which the kernel frees however its holder ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .progress import say


@contextmanager
def exclusive(path: Path, doing: str) -> Iterator[None]:
    """Waits until no other process holds `path`. The holder may delete the file: see `_is_same`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            _lock(descriptor, doing)
            if _is_same(descriptor, path):
                yield
                return
        finally:
            os.close(descriptor)


def _lock(descriptor: int, doing: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"waiting: somebody else is {doing}")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_same(descriptor: int, path: Path) -> bool:
    """False when the file was deleted, and perhaps made anew, while we waited for the old one."""
    try:
        return os.stat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
