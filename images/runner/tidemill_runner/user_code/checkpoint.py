"""The folder that a user's code puts aside how far it is in, kept in the store for a next attempt.

Files are kept by their content and named by an index that is written last, so that a pod that dies
while it writes leaves the checkpoint of before. What is named with a dot in front, or ends with
`.tmp`, is being written and is left out.
"""

import json
import logging
import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tidemill.store import digests, errors
from tidemill_runner.storage import Storage
from tidemill_runner.user_code import plain

INDEX = "index.json"
FORMAT = "tidemill.dev/checkpoint/v1"
MAX_FILES, MAX_BYTES, MAX_INDEX = 1000, 5 * 1024**3, 1024 * 1024
BLOCK = 1024 * 1024
log = logging.getLogger(__name__)
Stamps = Mapping[str, tuple[int, int]]


@dataclass
class Checkpoint:
    """Below `prefix` of the store, by way of scratch space."""

    store: Storage
    prefix: str
    scratch: Path
    _kept: dict[str, str] = field(default_factory=dict)
    _stamps: Stamps = field(default_factory=dict)

    def restore(self, folder: Path) -> int:
        """Put back what was kept; the number of files. A broken one is as if it were not there."""
        files = self.known()
        for name, digest in files.items():
            if not self._restore(folder / name, digest):
                log.warning("the checkpoint is not taken up: %s is not what was kept", name)
                _empty(folder)
                return 0
        return len(files)

    def known(self) -> dict[str, str]:
        """The digests of what is kept, by their paths; what it replaces is removed from then on."""
        try:
            self._kept = _parse(json.loads(self.store.get(f"{self.prefix}{INDEX}", MAX_INDEX)))
        except errors.NotFound:
            self._kept = {}
        except (ValueError, errors.TooLarge) as error:
            log.warning("the checkpoint is not taken up: %s", error)
            self._kept = {}
        return dict(self._kept)

    def keep(self, folder: Path) -> bool:
        """Keep what has changed since; whether there was anything."""
        stamps = _stamps(folder)
        if stamps is None or stamps == self._stamps or not stamps:
            return False
        kept = dict(self._kept)
        for name, stamp in stamps.items():
            if self._stamps.get(name) != stamp or name not in kept:
                digest = self._upload(folder, name)
                if digest is None:
                    return False  # it is being written anew: the next look takes it
                kept[name] = digest
        kept = {name: kept[name] for name in stamps}
        index = {"format": FORMAT, "files": kept}
        self.store.put(f"{self.prefix}{INDEX}", digests.canonical_json(index))
        self.store.delete(map(self._key, set(self._kept.values()) - set(kept.values())))
        self._kept, self._stamps = kept, stamps
        return True

    def _restore(self, path: Path, digest: str) -> bool:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            found = self.store.download(self._key(digest), path)
        except errors.NotFound:
            return False
        return found.digest == digest

    def _upload(self, folder: Path, name: str) -> str | None:
        """Copy a file, then send the copy: the code may go on writing."""
        copy, hasher = self.scratch / "checkpoint-file", digests.Hasher()
        try:
            with plain.opened(folder, name) as file, copy.open("wb") as target:
                while block := file.read(BLOCK):
                    hasher.update(block)
                    target.write(block)
                    if hasher.size > MAX_BYTES:
                        return None
            self.store.upload(copy, self._key(hasher.digest))
        except OSError:
            return None
        finally:
            copy.unlink(missing_ok=True)
        return hasher.digest

    def _key(self, digest: str) -> str:
        return f"{self.prefix}{digests.hex_of(digest)}"


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _stamps(folder: Path) -> Stamps | None:
    """Size and time of each file by its path; None where there is more than is kept."""
    found: dict[str, tuple[int, int]] = {}
    pending = [""]
    while pending:
        here = pending.pop()
        try:
            entries = sorted(os.scandir(folder / here), key=lambda entry: entry.name)
        except OSError:
            continue  # it was removed or closed meanwhile
        for entry in entries:
            if entry.name.startswith(".") or entry.name.endswith(".tmp"):
                continue
            name = f"{here}/{entry.name}" if here else entry.name
            try:
                state = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(state.st_mode):
                pending.append(name)
            elif stat.S_ISREG(state.st_mode) and name.isprintable():
                found[name] = (state.st_size, state.st_mtime_ns)
            if len(found) + len(pending) > MAX_FILES:
                log.warning("the checkpoint has more than %d files and is not kept", MAX_FILES)
                return None
    if sum(size for size, _ in found.values()) > MAX_BYTES:
        log.warning("the checkpoint has more than %d GiB and is not kept", MAX_BYTES // 1024**3)
        return None
    return found


def _parse(index: Any) -> dict[str, str]:  # noqa: ANN401 - JSON of the store
    try:
        if index["format"] != FORMAT:
            raise ValueError(f"it has the format {index['format']!r}")
        files = {str(name): str(digest) for name, digest in index["files"].items()}
    except (KeyError, TypeError, AttributeError):
        raise ValueError("its index is malformed") from None
    for name, digest in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not digests.is_digest(digest):
            raise ValueError(f"its index names {name!r}")
    return files
