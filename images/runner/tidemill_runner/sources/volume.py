"""A folder of someone's volume: what lies in it, and no way out of it.

Every step goes by a descriptor of the folder before, never by a path that might have become another
one meanwhile, and none follows a link: whatever a volume holds, no file of the pod's own is read.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tidemill.store.objects import MAX_LISTED, ObjectInfo
from tidemill_runner.failures import Failure

FIELD = "spec.source.pvc"
READABLE = "let the user or group 65532 read it, or everybody"
HIDDEN = "._"  # what begins so is no data, as in `store.listing`
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not to wait for whoever would write into a pipe.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Gone(Exception):  # noqa: N818 - what happened to it
    """Something that was listed is not there any more, or is something else."""


@dataclass(frozen=True)
class Volume:
    """A mounted volume, seen from a folder of it; keys are paths from its root."""

    root: Path
    claim: str
    path: str = ""

    @property
    def where(self) -> str:
        """What is read, for a message."""
        return f"{self.path or '/'} on the volume of the claim {self.claim}"

    def files(self) -> list[ObjectInfo]:
        """All regular files below the folder; the etag tells time and identity of each.

        Hidden folders and what is neither file nor folder are left out. Raises Failure.
        """
        try:
            with self._folder() as folder:
                found = []
                for info in self._below(folder, self.path):
                    found.append(info)
                    if len(found) > MAX_LISTED:
                        message = f"more than {MAX_LISTED} files lie under {self.where}"
                        raise Failure("SpecInvalid", f"{message}: narrow {FIELD}.path")
        except (FileNotFoundError, NotADirectoryError):
            message = f"{self.where} is no folder: create it, or correct {FIELD}.path"
            raise Failure("PrefixEmpty", message) from None
        except PermissionError as error:
            raise _denied(error.filename or self.where) from None
        return found

    @contextmanager
    def opened(self, key: str) -> Iterator[int]:
        """A file by its key, as a descriptor; raises Gone, and Failure where it may not be read."""
        folders, _, name = key.rpartition("/")
        try:
            with closing_descriptor(self._descend(folders)) as folder:
                file = os.open(name, _FILE, dir_fd=folder)
        except PermissionError:
            raise _denied(key) from None
        except OSError:
            raise Gone(key) from None
        with closing_descriptor(file):
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise Gone(key)
            yield file

    @contextmanager
    def _folder(self) -> Iterator[int]:
        with closing_descriptor(self._descend(self.path)) as folder:
            yield folder

    def _descend(self, path: str) -> int:
        """Open a folder from the root on, name by name."""
        folder = os.open(self.root, _FOLDER)
        for name in filter(None, path.split("/")):
            with closing_descriptor(folder):
                folder = os.open(name, _FOLDER, dir_fd=folder)
        return folder

    def _below(self, folder: int, path: str) -> Iterator[ObjectInfo]:
        with closing(os.scandir(folder)) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            key = f"{path}/{name}" if path else name
            # What is removed in between is as if it had not been there.
            with suppress(FileNotFoundError):
                yield from self._one(folder, name, key)

    def _one(self, folder: int, name: str, key: str) -> Iterator[ObjectInfo]:
        seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(seen.st_mode):
            yield ObjectInfo(_text(key), seen.st_size, identity(seen))
        elif stat.S_ISDIR(seen.st_mode) and name[0] not in HIDDEN:
            try:
                inner = os.open(name, _FOLDER, dir_fd=folder)
            except PermissionError:
                raise _denied(key) from None
            with closing_descriptor(inner):
                yield from self._below(inner, key)


@contextmanager
def closing_descriptor(descriptor: int) -> Iterator[int]:
    """Close it at the end."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def identity(seen: os.stat_result) -> str:
    """What differs when a file was written to or replaced."""
    return f"{seen.st_ino}-{seen.st_mtime_ns}-{seen.st_size}"


def _text(key: str) -> str:
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        shown = key.encode("utf-8", "backslashreplace").decode("ascii", "replace")
        message = f"the name of the file {shown} is not written in UTF-8: rename it"
        raise Failure("MalformedFile", message) from None
    return key


def _denied(what: str) -> Failure:
    return Failure("AccessDenied", f"{what} on the volume may not be read: {READABLE}")
