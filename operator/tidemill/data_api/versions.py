"""The versions of a data set, read from the bucket: the list of them, and which one is meant.

A version is there when its record and its manifest are: an ingest that was killed in between has
left none. Keys are built from names that were validated; nothing of a caller becomes a prefix.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tidemill.data_api.refusal import Refusal
from tidemill.store import digests, layout
from tidemill.store.objects import NotFound, ObjectInfo, TooLarge

MAX_VERSIONS = 20_000
MAX_PAGE = 100
MAX_RECORD = 2 * 1024 * 1024
RECORDS_AT_ONCE = 4
_PART = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})")
_KEPT = (
    "rows",
    "bytes",
    "objects",
    "why",
    "schema",
    "rejected",
    "change",
    "checkCounts",
    "from",
    "inputs",
    "place",
)


class Store(Protocol):
    """The part of the object store that is read."""

    async def get(self, key: str, *, max_bytes: int = ...) -> bytes:
        """Read a whole object that is not larger."""
        ...

    async def head(self, key: str) -> ObjectInfo:
        """Tell of an object."""
        ...

    async def list(self, prefix: str = ..., *, limit: int = ...) -> list[ObjectInfo]:
        """List what begins with the prefix."""
        ...

    def stream(self, key: str, *, chunk: int = ...) -> AsyncIterator[bytes]:
        """Read in pieces."""
        ...


@dataclass(frozen=True, slots=True)
class DatasetName:
    """Which data set is spoken of."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Read as `power/prices`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Versions:
    """What there is of each data set."""

    store: Store

    async def page(self, dataset: DatasetName, after: str, limit: int) -> dict[str, Any]:
        """Give the versions that follow `after`, newest first, and where to go on."""
        found = await self._all(dataset)
        start = next((place + 1 for place, one in enumerate(found) if one[0] == after), 0)
        if after and not start:
            raise Refusal(400, f"continue={after} names no version of {dataset}: start anew")
        part = found[start : start + limit]
        at_once = asyncio.Semaphore(RECORDS_AT_ONCE)

        async def item(version: str, info: ObjectInfo) -> dict[str, Any]:
            async with at_once:
                return await self._item(version, info)

        items = await asyncio.gather(*(item(*one) for one in part))
        more = len(found) - start - len(part)
        following = {"continue": part[-1][0]} if part and more else {}
        return {"items": items, "remaining": more, **following}

    async def resolve(self, dataset: DatasetName, text: str) -> str:
        """Give the version that a digest or its first digits name; raises Refusal."""
        match = _PART.fullmatch(text)
        if match is None:
            why = "is no version: give its digest or at least the first 6 of its digits"
            raise Refusal(400, f"{text[:80]!r} {why}")
        if len(match[1]) == 64:
            return digests.PREFIX + match[1]
        names = [version for version, _ in await self._all(dataset)]
        fitting = [one for one in names if digests.hex_of(one).startswith(match[1])]
        if not fitting:
            raise Refusal(404, f"data set {dataset} has no version {match[1]}")
        if len(fitting) > 1:
            several = ", ".join(digests.hex_of(one)[:16] for one in fitting[:4])
            raise Refusal(409, f"{match[1]} may be any of {several}: give more digits")
        return fitting[0]

    async def _all(self, dataset: DatasetName) -> list[tuple[str, ObjectInfo]]:
        """All versions with their records, newest first."""
        place = dataset.namespace, dataset.name
        folder = layout.dataset_prefix(*place)
        records = await self._listed(dataset, f"{folder}versions/", ".json")
        manifests = await self._listed(dataset, layout.manifests_prefix(*place), ".jsonl")
        whole = [(version, info) for version, info in records.items() if version in manifests]
        return sorted(whole, key=lambda one: (_age(one[1]), one[0]), reverse=True)

    async def _listed(
        self, dataset: DatasetName, prefix: str, ending: str
    ) -> dict[str, ObjectInfo]:
        try:
            listed = await self.store.list(prefix, limit=MAX_VERSIONS)
        except TooLarge as error:
            why = f"data set {dataset} has more than {MAX_VERSIONS} versions: name one by its"
            raise Refusal(413, f"{why} whole digest") from error
        names = {
            digests.PREFIX + info.key.removeprefix(prefix).removesuffix(ending): info
            for info in listed
            if info.key.endswith(ending)
        }
        return {name: info for name, info in names.items() if digests.is_digest(name)}

    async def _item(self, version: str, info: ObjectInfo) -> dict[str, Any]:
        recorded = info.modified.isoformat().replace("+00:00", "Z") if info.modified else None
        known: Mapping[str, Any] = {}
        try:
            read = json.loads(await self.store.get(info.key, max_bytes=MAX_RECORD))
            known = read if isinstance(read, dict) else {}
        except (NotFound, TooLarge, ValueError):
            pass  # The version is there all the same; its record tells more, whole.
        kept = {name: known[name] for name in _KEPT if name in known}
        return {"version": version, "recordedAt": recorded, **kept}


def _age(info: ObjectInfo) -> float:
    return info.modified.timestamp() if info.modified else 0.0
