"""What the operator has asked the API server for, read from the audit log."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CLIENT = "tidemill/"  # how the operator's own client names itself; its watches are Kopf's
WRITES = {"create", "update", "patch", "delete"}


@dataclass(frozen=True)
class Call:
    """One request: `create jobs`, and when it came."""

    what: str
    when: str

    @property
    def is_write(self) -> bool:
        """Tell whether it changes anything."""
        return self.what.split()[0] in WRITES


def calls(log: Path, namespace: str) -> Iterator[Call]:
    """Give the operator's requests about a namespace; a name used once makes them all ours."""
    rotated = sorted(log.parent.glob(f"{log.stem}-*{log.suffix}"))
    for path in (*rotated, log):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if namespace in line and f'"userAgent":"{CLIENT}' in line:
                    yield from _call(json.loads(line), namespace)


def _call(entry: dict[str, object], namespace: str) -> Iterator[Call]:
    thing = entry.get("objectRef")
    if isinstance(thing, dict) and thing.get("namespace") == namespace:
        names = (thing.get("resource"), thing.get("subresource"))
        what = "/".join(str(name) for name in names if name)
        yield Call(f"{entry['verb']} {what}", str(entry["requestReceivedTimestamp"]))


def by_sort(found: list[Call]) -> dict[str, int]:
    """Count them, the most frequent first."""
    return dict(Counter(call.what for call in found).most_common())
