"""The files of a mounted volume, which others write to while it is read.

Every part of a path is opened by itself, below the folder opened before, and no link is followed:
whatever is put or moved there meanwhile, nothing outside of the volume is read. Nothing but regular
files is read, and opening waits for nobody.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tidemill.store.objects import MAX_LISTED
from tidemill_runner.failures import Failure
from tidemill_runner.sources.origin import changed

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# To pass through a folder, its names need not be readable.
PASSED = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
LOST = "lost+found"  # of the file system's own, at the top, and closed
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE)
_CLOSED = (errno.EACCES, errno.EPERM)
_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "device",
    stat.S_IFCHR: "device",
}


@dataclass(frozen=True)
class Stamp:
    """What tells one state of a file from another without its bytes."""

    kind: str
    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Stamp":
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "file of an unknown kind")
        return cls(kind, found.st_size, found.st_mtime_ns, found.st_ino)


@dataclass(frozen=True)
class Volume:
    """What is mounted at `root`, of the claim named; paths are relative to it."""

    root: Path
    claim: str
    limit: int = MAX_LISTED

    def check(self, folder: str) -> None:
        """Raise FileNotFoundError or NotADirectoryError where there is no such folder; Failure."""
        try:
            os.close(self._open(folder, FOLDER))
        except (FileNotFoundError, NotADirectoryError):
            raise
        except OSError as error:
            raise self._failure(error, folder) from None

    def walk(self, folder: str) -> dict[str, Stamp]:
        """All that lies below a folder and is no folder itself, but for hidden names."""
        found: dict[str, Stamp] = {}
        pending, seen = [folder], 0
        while pending:
            here = pending.pop()
            for name, stamp in self._entries(here):
                path = f"{here}/{name}" if here else name
                seen += 1
                if seen > self.limit:
                    raise Failure(
                        "SpecInvalid",
                        f"more than {self.limit} files and folders lie under "
                        f"{self.named(folder)}: narrow spec.source.pvc.path",
                    )
                if stamp.kind == "folder":
                    pending.append(path)
                else:
                    found[path] = stamp
        return found

    @contextmanager
    def opened(self, path: str) -> Iterator[tuple[BinaryIO, Stamp]]:
        """A file for reading, and what it is now; raises Failure."""
        with self._faults(path):
            number = self._open(path, FILE)
        with os.fdopen(number, "rb", buffering=0) as file:
            stamp = Stamp.of(os.fstat(number))
            if stamp.kind != "file":
                raise changed(f"{shown(path)} has become a {stamp.kind}")
            os.set_blocking(number, True)
            yield file, stamp

    def read(self, file: BinaryIO, path: str, size: int) -> bytes:
        """The next bytes of an open file."""
        with self._faults(path):
            return file.read(size)

    def named(self, path: str) -> str:
        """A place on it, for a message."""
        volume = f"the volume of claim {self.claim}"
        return f"{shown(path)} on {volume}" if path else volume

    def _entries(self, folder: str) -> list[tuple[str, Stamp]]:
        with self._faults(folder):
            number = self._open(folder, FOLDER)
            try:
                with os.scandir(number) as entries:
                    return [
                        (entry.name, Stamp.of(entry.stat(follow_symlinks=False)))
                        for entry in entries
                        if not entry.name.startswith((".", "_")) and (folder or entry.name != LOST)
                    ]
            finally:
                os.close(number)

    def _open(self, path: str, flags: int) -> int:
        """Open what a path names, part by part; raises OSError."""
        parts = path.split("/") if path else []
        if not {".", ".."}.isdisjoint(parts):
            raise NotADirectoryError(errno.ENOTDIR, "it does not lead down")
        *folders, last = [".", *parts]
        number = os.open(self.root, os.O_PATH | os.O_DIRECTORY)
        for part in folders:
            number = _within(number, part, PASSED)
        return _within(number, last, flags)

    @contextmanager
    def _faults(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._failure(error, path) from None

    def _failure(self, error: OSError, path: str) -> Failure:
        where = self.named(path)
        if error.errno in _GONE:
            return changed(f"{where} was moved or removed while it was read")
        if error.errno in _CLOSED:
            return Failure(
                "AccessDenied",
                f"{where} may not be read by user {os.geteuid()} or group {os.getegid()}, as which "
                "the pod runs: let them (chmod -R o+rX), or have it written with fsGroup "
                f"{os.getegid()}; the pod's own fsGroup changes nothing on a mount that is "
                "read-only",
            )
        return Failure("SourceUnavailable", f"{where} cannot be read: {error.strerror}")


def _within(folder: int, name: str, flags: int) -> int:
    """Open a name in a folder, which is closed."""
    try:
        return os.open(name, flags, dir_fd=folder)
    finally:
        os.close(folder)


def shown(path: str) -> str:
    """A path for a message, also where it is no text."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
