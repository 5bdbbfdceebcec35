"""Where the workers of one ingest leave their parts: a folder of the run in the store.

They share nothing else. A part's document is written after its files, so whoever sees it has all of
the part. A part may be done twice, by whoever: both leave the same. Nobody trusts what is not as it
was written: a document that cannot be read, or a file of another digest, is a part not done.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tidemill.store import digests, errors, layout
from tidemill_runner import portion
from tidemill_runner.portion import Portion
from tidemill_runner.storage import Storage

log = logging.getLogger(__name__)
DONE, STUMBLED = ".json", ".fault"


@dataclass(frozen=True)
class Seen:
    """Numbers of parts: those that are done, those that somebody could not read."""

    done: frozenset[int]
    stumbled: frozenset[int]


@dataclass(frozen=True)
class Pool:
    """`prefix` says which delivery it is, cut in which way."""

    store: Storage
    prefix: str

    def look(self) -> Seen:
        """What the workers have left so far."""
        names = [info.key.removeprefix(self.prefix) for info in self.store.list(self.prefix)]
        return Seen(_numbers(names, DONE), _numbers(names, STUMBLED))

    def leave(self, number: int, done: Portion, folder: Path) -> None:
        """Write a part, its document last."""
        for file in done.laid.files if done.laid else ():
            self.store.upload(folder / file.name, f"{self.prefix}{number:05d}-{file.name}")
        self.store.put(f"{self.prefix}{number:05d}{DONE}", done.to_bytes())

    def stumble(self, number: int) -> None:
        """Say that a part cannot be read: whoever tells of the delivery is to see for itself."""
        self.store.put(f"{self.prefix}{number:05d}{STUMBLED}", b"")

    def read(self, number: int) -> Portion | None:
        """The document of a part; None where there is none, or none that can be read."""
        try:
            found = self.store.get(f"{self.prefix}{number:05d}{DONE}", portion.MAX_BYTES)
            return portion.parse(found)
        except (errors.NotFound, errors.TooLarge, ValueError) as error:
            log.warning("part %d is read again: %s", number, error)
            return None

    def fetch(self, number: int, done: Portion, folder: Path) -> list[Path] | None:
        """Copy the files of a part into a folder; None where they are not those it tells of."""
        paths = []
        for file in done.laid.files if done.laid else ():
            path = folder / file.name
            try:
                found = self.store.download(f"{self.prefix}{number:05d}-{file.name}", path)
            except (errors.NotFound, errors.Changed):
                return None
            if found.digest != file.digest:
                return None
            paths.append(path)
        return paths


def clear(store: Storage, output: str) -> None:
    """Remove all parts of a run that has ended, and those of runs before it that were lost.

    One Dataset has one run at a time. What stays nevertheless does no harm, and goes the next time.
    """
    runs = output.rstrip("/").rpartition("/")[0] + "/"
    below = layout.parts_prefix("/")
    try:
        store.delete([info.key for info in store.list(runs) if below in info.key])
    except errors.StoreError as error:
        log.warning("parts could not be removed: %s", error)


def digest(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as data:
        return digests.PREFIX + hashlib.file_digest(data, "sha256").hexdigest()


def _numbers(names: Sequence[str], end: str) -> frozenset[int]:
    found = (name.removesuffix(end) for name in names if name.endswith(end))
    return frozenset(int(number) for number in found if number.isdecimal())
