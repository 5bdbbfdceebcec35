"""A small table in the Dataset's spec: its bytes are in the input document."""

from dataclasses import dataclass
from pathlib import Path

from tidemill.store import digests
from tidemill.store.objects import ObjectInfo
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.inputs import InlineSource
from tidemill_runner.sources.origin import changed
from tidemill_runner.storage import Seen

PREFIX = "spec.source.inline."
FIELD = f"{PREFIX}data"


@dataclass(frozen=True)
class InlineOrigin:
    """One object, named after the field so that messages lead there."""

    source: InlineSource
    fingerprint: str
    where: str = FIELD

    @property
    def delivery(self) -> Delivery:
        return Delivery(self.source.format, PREFIX, self.source.csv)

    def objects(self) -> list[ObjectInfo]:
        if digests.sha256_digest(self.source.data) != self.fingerprint:
            raise changed(f"{FIELD} is not what was seen before")
        return [ObjectInfo(FIELD, len(self.source.data), etag="")]

    def fetch(self, info: ObjectInfo, path: Path, seen: Seen) -> str:
        path.write_bytes(self.source.data)
        seen(info.size)
        return digests.sha256_digest(self.source.data)
