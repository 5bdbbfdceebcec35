"""The objects of a version as files: each proved by its digest before it stands under its name.

What is there already and right is left as it is, so that a download which was cut off goes on where
it stopped. A key comes from somebody's bucket: none may lead out of the directory.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tidemill.cli.data import Broken, Data
from tidemill.cli.failure import Exit, Failure
from tidemill.cli.words import plain
from tidemill.store.digests import PREFIX, Hasher, hex_of
from tidemill.store.manifest import Entry, Manifest

ATTEMPTS = 4
PART = ".tidemill-part-"
MAX_NAME = 255


def places(entries: Sequence[Entry]) -> dict[str, Entry]:
    """Give each object's path below the directory; raises Failure before anything is written."""
    found: dict[str, Entry] = {}
    for entry in entries:
        path = _below(entry.key)
        if path in found:
            raise _refused(entry.key, "two objects would be one file")
        found[path] = entry
    folders = {str(parent) for path in found for parent in PurePosixPath(path).parents}
    if both := sorted(folders & found.keys()):
        raise _refused(both[0], "it would be a file and a folder")
    return found


def _below(key: str) -> str:
    """The key as a relative path of plain names; a slash before it is the end of a prefix."""
    path = key.lstrip("/")
    names = path.split("/")
    if any(name in ("", ".", "..") for name in names):
        raise _refused(key, "it would lead out of the directory, or names no file")
    seen = os.sep == "/" or not any(sign in path for sign in '\\:<>"|?*')
    if not seen or any(ord(sign) < 32 for sign in path):
        raise _refused(key, "it holds characters that no file's name should")
    if any(len(name.encode()) > MAX_NAME for name in names):
        raise _refused(key, "a part of it is longer than a file's name can be")
    if any(name.startswith(PART) for name in names):
        raise _refused(key, "it is named like a file that is not finished")
    return path


def _refused(key: str, why: str) -> Failure:
    return Failure(Exit.REFUSED, f"the object {plain(key, 120)!r} cannot be a file: {why}")


@dataclass(frozen=True)
class Fetched:
    """What a download came to; `others` are files of the directory that are not of the version."""

    written: int
    kept: int
    bytes: int
    others: int


@dataclass(frozen=True)
class Download:
    """One version into one directory; `seen` is told of bytes as they arrive or are there."""

    data: Data
    name: str
    directory: Path
    seen: Callable[[int], None] = lambda _: None

    def run(self, manifest: Manifest) -> Fetched:
        """Bring all objects; raises Failure."""
        wanted = places(manifest.entries)
        self.directory.mkdir(parents=True, exist_ok=True)
        root = self.directory.resolve()
        written = 0
        for path, entry in wanted.items():
            target = self._target(root, path)
            if _is(target, entry):
                self.seen(entry.size)
                continue
            self._fetch(manifest.digest, entry, target)
            written += 1
        there = {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()}
        others = len(there - {str(PurePosixPath(path)) for path in wanted})
        return Fetched(written, len(wanted) - written, manifest.total_bytes, others)

    def _target(self, root: Path, path: str) -> Path:
        """The file's place; a link in the directory must not lead out of it either."""
        target = root / path
        if not target.parent.resolve().is_relative_to(root):
            raise _refused(path, f"a link in {root} leads out of it")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() or target.is_dir():
            raise _refused(path, f"{target} is there and no plain file: move it away")
        return target

    def _fetch(self, version: str, entry: Entry, target: Path) -> None:
        tail = f"/{version}/objects/{hex_of(entry.digest)}"
        for _ in range(ATTEMPTS):
            handle, name = tempfile.mkstemp(prefix=PART, dir=target.parent)
            part = Path(name)
            try:
                with os.fdopen(handle, "wb") as file:
                    digest = self._stream(tail, file.write)
                if digest != entry.digest:
                    why = f"the object {plain(entry.key, 120)!r} arrived with other content than"
                    raise Failure(Exit.REFUSED, f"{why} its version has: nothing of it is kept")
                part.chmod(0o666 & ~_umask())
                part.replace(target)
            except Broken:
                continue
            else:
                return
            finally:
                with suppress(FileNotFoundError):
                    part.unlink()
        why = f"the connection broke {ATTEMPTS} times within {plain(entry.key, 120)!r}"
        raise Failure(Exit.UNREACHABLE, f"{why}: run the command again, it goes on from here")

    def _stream(self, tail: str, write: Callable[[bytes], object]) -> str:
        hasher = Hasher()
        try:
            with self.data.opened(self.name, tail) as pieces:
                for piece in pieces:
                    hasher.update(piece)
                    write(piece)
                    self.seen(len(piece))
        except Broken:
            self.seen(-hasher.size)
            raise
        return hasher.digest


def _is(path: Path, entry: Entry) -> bool:
    """Whether the file is there with that content."""
    if not path.is_file() or path.stat().st_size != entry.size:
        return False
    with path.open("rb") as file:
        return PREFIX + hashlib.file_digest(file, "sha256").hexdigest() == entry.digest


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
