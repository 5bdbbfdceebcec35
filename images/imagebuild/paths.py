"""Where builds keep what is costly to make again (the cache) and what they report (`build/`)."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .catalog import ROOT
from .progress import say

REPORTS = ROOT / "build"
LOGS = REPORTS / "logs"


def cache(environment: Mapping[str, str] = os.environ) -> Path:
    if chosen := environment.get("TIDEMILL_CACHE"):
        return Path(chosen).absolute() / "images"
    home = environment.get("XDG_CACHE_HOME") or str(
        Path(environment.get("HOME", "/root"), ".cache")
    )
    return Path(home, "tidemill", "images")


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Lets one build at a time work in the cache; it ends with the process, however that ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build of images is under way; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
