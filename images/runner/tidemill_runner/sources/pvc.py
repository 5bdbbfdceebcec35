"""The files below a folder of a volume, as they were when the ingest began.

The operator has seen nothing of them, so the first walk says what is read. Every file must be what
it was then when it is opened, when it has been read, and once more at the end. A file that was
written a moment ago may be half written: the newest must have been left alone for the settle
period, for which the pod waits where that is short.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tidemill.store import digests, listing
from tidemill.store.objects import ObjectInfo
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.inputs import PvcSource
from tidemill_runner.sources.origin import changed
from tidemill_runner.sources.volume import Stamp, Volume, shown
from tidemill_runner.storage import Seen

BLOCK = 1024 * 1024
LONGEST_WAIT = 60.0
FIELD = "spec.source.pvc"
ANEW = "then annotate the Dataset with tidemill.dev/reconcile-requested-at"
log = logging.getLogger(__name__)
Files = dict[str, Stamp]


@dataclass(frozen=True)
class Time:
    """As tests give it, in seconds."""

    clock: Callable[[], float] = time.time
    pause: Callable[[float], None] = time.sleep


@dataclass
class PvcOrigin:
    """The files under a path of a claim."""

    source: PvcSource
    time: Time = field(default_factory=Time)
    _files: Files | None = None

    @property
    def where(self) -> str:
        return f"the files under {self._volume.named(self.source.path)}"

    @property
    def delivery(self) -> Delivery:
        return self.source.delivery

    def objects(self) -> list[ObjectInfo]:
        if self._files is None:
            self._files = self._settled()
        elif difference := _difference(self._files, self._walk()):
            raise changed(difference)
        return [ObjectInfo(path, stamp.size, etag="") for path, stamp in self._files.items()]

    def fetch(self, info: ObjectInfo, path: Path, seen: Seen) -> str:
        expected = (self._files or {})[info.key]
        hasher = digests.Hasher()
        with self._volume.opened(info.key) as (file, stamp), path.open("wb") as copy:
            _same(info.key, expected, stamp)
            while block := self._volume.read(file, info.key, BLOCK):
                hasher.update(block)
                if hasher.size > expected.size:
                    raise _written(info.key)
                copy.write(block)
                seen(len(block))
        # Opened anew: a file server tells then whether it has changed, and not always before.
        with self._volume.opened(info.key) as (_, stamp):
            _same(info.key, expected, stamp)
        if hasher.size != expected.size:
            raise _written(info.key)
        return hasher.digest

    @property
    def _volume(self) -> Volume:
        return Volume(self.source.root, self.source.claim)

    def _settled(self) -> Files:
        """The files to read; raises Failure while one of them is just written."""
        self._check()
        found = self._walk()
        youngest, left = self._youngest(found)
        if 0 < left <= LONGEST_WAIT:
            log.info("%s was just written: waiting %.0f s", shown(youngest), left)
            self.time.pause(left)
            found = self._walk()
            youngest, left = self._youngest(found)
        if not found:
            raise self._empty(f"no file lies under {self._volume.named(self.source.path)}")
        if left > 0:
            raise changed(
                f"{shown(youngest)} was written less than {self.source.settle_seconds:g} s ago "
                "(spec.refresh.settlePeriod)"
            )
        return found

    def _check(self) -> None:
        path = self.source.path
        try:
            self._volume.check(path)
        except FileNotFoundError:
            raise self._empty(f"there is no folder {self._volume.named(path)}") from None
        except NotADirectoryError:
            raise Failure(
                "SpecInvalid",
                f"{FIELD}.path: {self._volume.named(path)} is no folder, or a link leads there, "
                "which is not followed: name the folder, and a single file in include",
            ) from None

    def _empty(self, what: str) -> Failure:
        globs = f" that matches {FIELD}.include" if self.source.include else ""
        return Failure(
            "PrefixEmpty",
            f"{what}{globs} (names that start with a dot or an underscore are left out): deliver "
            f"data there, or correct {FIELD}; {ANEW}",
        )

    def _walk(self) -> Files:
        """All that is data, in the order of the manifest; raises Failure where it is no file."""
        stamps = self._volume.walk(self.source.path)
        infos = [ObjectInfo(path, stamp.size, etag="") for path, stamp in stamps.items()]
        found: Files = {}
        for info in self._data(infos):
            found[info.key] = stamps[info.key]
            if stamps[info.key].kind != "file":
                raise Failure(
                    "MalformedFile",
                    f"{self._volume.named(info.key)} is a {stamps[info.key].kind}, which is not "
                    f"read: deliver the file itself, or name what is data in {FIELD}.include; "
                    f"{ANEW}",
                )
        return found

    def _data(self, infos: list[ObjectInfo]) -> list[ObjectInfo]:
        try:
            return listing.data_objects(infos, self.delivery.prefix, self.source.include)
        except UnicodeEncodeError as error:
            raise Failure(
                "WrongEncoding",
                f"the name of {self._volume.named(error.object)} is not UTF-8: rename it; {ANEW}",
            ) from None

    def _youngest(self, found: Files) -> tuple[str, float]:
        """The file written last, and the seconds after which it counts as settled."""
        settle, now = self.source.settle_seconds, self.time.clock()
        youngest, longest = "", 0.0
        for path, stamp in found.items():
            age = now - stamp.mtime_ns / 1e9
            # A clock may be a little ahead; a date far in the future tells nothing.
            if abs(age) < settle and settle - age > longest:
                youngest, longest = path, settle - age
        return youngest, longest


def _same(path: str, expected: Stamp, stamp: Stamp) -> None:
    if stamp != expected:
        raise _written(path)


def _written(path: str) -> Failure:
    return changed(f"{path} was written or replaced while it was read")


def _difference(before: Files, now: Files) -> str:
    """What is no longer as it was, in words; empty where all is."""
    for path in [*before, *(path for path in now if path not in before)]:
        if path not in now:
            return f"{path} was removed while the source was read"
        if path not in before:
            return f"{path} came while the source was read"
        if before[path] != now[path]:
            return f"{path} was written or replaced while the source was read"
    return ""
