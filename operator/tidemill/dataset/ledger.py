"""What is remembered of a namespace's retention between two sweeps, as a document in the store.

It says since when each condemned version has been condemned, how many versions of each Dataset
were removed so far, and whether content of these may still lie there. Nothing is deleted for what
it says: a lost or broken one only makes the grace begin anew.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tidemill.store.digests import canonical_json
from tidemill.store.stored import Name

MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ledger:
    """The document, read."""

    condemned: Mapping[Name, datetime] = field(default_factory=dict)
    removed: Mapping[str, int] = field(default_factory=dict)
    content: bool = False

    @classmethod
    def parse(cls, data: bytes) -> "Ledger":
        """Read one; what cannot be read is as none."""
        try:
            document = json.loads(data)
            condemned = {
                Name(dataset, version): _time(since)
                for dataset, versions in document["condemned"].items()
                for version, since in versions.items()
            }
            removed = {dataset: int(count) for dataset, count in document["removed"].items()}
            content = bool(document["content"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()
        return cls(condemned, removed, content)

    def to_bytes(self) -> bytes:
        """Write it."""
        condemned: dict[str, dict[str, str]] = {}
        for name, since in sorted(self.condemned.items()):
            condemned.setdefault(name.dataset, {})[name.version] = since.isoformat()
        return canonical_json(
            {"condemned": condemned, "removed": dict(self.removed), "content": self.content}
        )

    def without(self, gone: frozenset[Name]) -> "Ledger":
        """Count what is gone."""
        removed = dict(self.removed)
        for name in gone:
            removed[name.dataset] = removed.get(name.dataset, 0) + 1
        left = {name: since for name, since in self.condemned.items() if name not in gone}
        return Ledger(left, removed, self.content or bool(gone))


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
