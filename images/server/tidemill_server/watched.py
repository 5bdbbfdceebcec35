"""What lies in mounted files and changes while the server runs.

Kubernetes brings a changed Secret or ConfigMap into the pod by moving one link, so that what is
read is of one moment. What cannot be read leaves what was read before.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
LOOK_SECONDS = 1.0

log = logging.getLogger(__name__)


class Watched(Generic[T]):
    """What `read` makes of the path, made anew when something there has changed.

    `read` raises ValueError or OSError where it cannot be used, in words that tell no secret.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[Path], T],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._read = read
        self._clock = clock
        self._state = _state(path)
        self._looked = clock()
        self._now = read(path)
        self._changes = 0

    @property
    def now(self) -> T:
        """What is there, as of a second ago at most."""
        moment = self._clock()
        if moment - self._looked >= LOOK_SECONDS:
            self._looked = moment
            self._look()
        return self._now

    @property
    def changes(self) -> int:
        """How often it has changed, as of a second ago at most."""
        _ = self.now
        return self._changes

    def _look(self) -> None:
        state = _state(self._path)
        if state == self._state:
            return
        self._state = state
        try:
            self._now = self._read(self._path)
        except (OSError, ValueError) as error:
            log.error(  # noqa: TRY400 - the words say it all
                "what has changed cannot be used: what was there before holds on",
                extra={"path": str(self._path), "detail": str(error)},
            )
            return
        self._changes += 1
        log.info("read anew", extra={"path": str(self._path)})


def _state(path: Path) -> list[tuple[str, int, int, int]]:
    """What tells that something has changed; of a folder, in any of its files."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        found = [(file.name, file.stat()) for file in files if not file.name.startswith("..")]
    except OSError:
        return []
    return [(name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in found]


def text_of(file: Path, most: int) -> str:
    """A file's text; raises ValueError where it is larger than `most` bytes, or no text."""
    with file.open("rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(f"{file.name} is larger than {most} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{file.name} is no text") from None


def files_of(folder: Path) -> list[Path]:
    """The files of a mounted Secret, without Kubernetes' own links."""
    if not os.access(folder, os.R_OK | os.X_OK):
        raise ValueError(f"the folder {folder} is not there")
    return sorted(file for file in folder.iterdir() if not file.name.startswith(".."))
