"""Files on a volume of the namespace, read while nobody may be writing them."""

import logging
import os
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
from tidemill_runner.sources.volume import FIELD, Gone, Volume, identity
from tidemill_runner.storage import Seen

BLOCK = 1024 * 1024
# How many times in a row files may change while they are waited for.
MAX_WAITS = 30
log = logging.getLogger(__name__)


@dataclass
class PvcOrigin:
    """The files below a folder of the volume at `root`."""

    source: PvcSource
    root: Path
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    _first: list[ObjectInfo] | None = field(default=None, init=False)

    @property
    def where(self) -> str:
        return f"the files under {self._volume.where}"

    @property
    def delivery(self) -> Delivery:
        return self.source.delivery

    def objects(self) -> list[ObjectInfo]:
        if self._first is None:
            self._first = self._settled()
        elif self._listed() != self._first:
            raise changed(f"{self.where} are not those that were listed before")
        return self._first

    def fetch(self, info: ObjectInfo, path: Path, seen: Seen) -> str:
        try:
            with self._volume.opened(info.key) as file, path.open("wb") as copy:
                self._unchanged(file, info)
                hasher = digests.Hasher()
                while block := os.read(file, BLOCK):
                    copy.write(block)
                    hasher.update(block)
                    seen(len(block))
                    if hasher.size > info.size:
                        break
                self._unchanged(file, info)
        except Gone:
            raise changed(f"{info.key} was replaced or removed while it was read") from None
        return hasher.digest

    @property
    def _volume(self) -> Volume:
        return Volume(self.root, self.source.claim, self.source.path)

    def _unchanged(self, file: int, info: ObjectInfo) -> None:
        if identity(os.fstat(file)) != info.etag:
            raise changed(f"{info.key} was written to while it was read")

    def _settled(self) -> list[ObjectInfo]:
        """List the files; where one is young, until two listings a while apart are equal.

        The clock of who wrote a file may be another: only what is older by both is not waited for.
        """
        wait, found = self.source.settle_seconds, self._listed()
        for _ in range(MAX_WAITS):
            if not wait or all(self._age(info) >= wait for info in found):
                return found
            log.info("a file is younger than spec.refresh.settlePeriod: waiting for %g s", wait)
            self.sleep(wait)
            again = self._listed()
            if again == found:
                return found
            found = again
        raise changed(f"{self.where} do not come to rest for {wait:g} s, as settlePeriod asks for")

    def _age(self, info: ObjectInfo) -> float:
        written = int(info.etag.split("-")[1]) / 1e9
        return self.now() - written

    def _listed(self) -> list[ObjectInfo]:
        every, prefix = self._volume.files(), self.source.prefix
        found = listing.data_objects(every, prefix, self.source.include)
        if not found:
            place = self._volume.where
            raise Failure("PrefixEmpty", listing.nothing_left(place, every, prefix, FIELD))
        return found
