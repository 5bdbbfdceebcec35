"""A bucket in memory, in which other work may come between any two requests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Protocol

from tidemill.store import digests, layout
from tidemill.store.errors import NotFound, StoreError, TooLarge
from tidemill.store.manifest import Entry, Manifest
from tidemill.store.objects import ObjectInfo

NAMESPACE = "swept"
Infos = list[ObjectInfo]
START = datetime(2026, 11, 1, tzinfo=UTC)


class Bucket(Protocol):
    """What an ingest needs of a bucket."""

    async def list(self, prefix: str = "") -> Infos: ...
    async def put(self, key: str, data: bytes) -> object: ...


@dataclass
class Memory:
    """Objects by their keys; `between` is how many turns others get before a request is done."""

    random: Random = field(default_factory=lambda: Random(0))
    between: int = 0
    now: datetime = START
    objects: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    async def get(self, key: str, *, max_bytes: int = 2**26) -> bytes:
        await self._turn()
        if key not in self.objects:
            raise NotFound(key)
        data = self.objects[key][0]
        if len(data) > max_bytes:
            raise TooLarge(key)
        return data

    async def list(self, prefix: str = "", *, limit: int = 10_000) -> Infos:
        await self._turn()
        found = [
            ObjectInfo(key, len(data), str(len(data)), time)
            for key, (data, time) in sorted(self.objects.items())
            if key.startswith(prefix)
        ]
        if len(found) > limit:
            raise TooLarge(prefix)
        return found

    async def folders(self, prefix: str) -> tuple[str, ...]:
        await self._turn()
        keys = (key.removeprefix(prefix) for key in self.objects if key.startswith(prefix))
        return tuple(sorted({key.split("/")[0] for key in keys if "/" in key}))

    async def delete(self, key: str) -> None:
        await self._turn()
        if key in self.refused:
            raise StoreError(f"{key}: refused")
        self.objects.pop(key, None)
        self.deleted.append(key)

    async def put(self, key: str, data: bytes) -> None:
        await self._turn()
        self.objects[key] = (data, self.now)

    async def _turn(self) -> None:
        for _ in range(self.random.randint(0, self.between)):
            await asyncio.sleep(0)

    async def ingest(self, dataset: str, contents: Sequence[bytes], **facts: object) -> Manifest:
        return await ingest(self, dataset, contents, **facts)

    def later(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now

    def content(self) -> set[str]:
        prefix = layout.cas_prefix(NAMESPACE)
        return {key.removeprefix(prefix) for key in self.objects if key.startswith(prefix)}


@dataclass
class Door:
    """What keeps ingests and deletions apart."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    running: int = 0

    @asynccontextmanager
    async def quiet(self) -> AsyncIterator[bool]:
        async with self.lock:
            yield self.running == 0

    @asynccontextmanager
    async def ingest(self) -> AsyncIterator[None]:
        async with self.lock:
            self.running += 1
        try:
            yield
        finally:
            self.running -= 1


@asynccontextmanager
async def always() -> AsyncIterator[bool]:
    """No door at all."""
    yield True


async def ingest(
    bucket: Bucket, dataset: str, contents: Sequence[bytes], **facts: object
) -> Manifest:
    """Do as the runner does: content that is there is not sent again, the manifest is last."""
    entries = []
    for place, data in enumerate(contents):
        digest = digests.sha256_digest(data)
        await _keep(bucket, layout.cas_key(layout.cas_prefix(NAMESPACE), digest), data)
        entries.append(Entry(str(place), digest, len(data)))
    schema = digests.sha256_digest(b"schema")
    await _keep(bucket, layout.cas_key(layout.cas_prefix(NAMESPACE), schema), b"schema")
    made = Manifest.of("CSV", schema, entries)
    record = {"v": 1, "version": made.digest, "bytes": made.total_bytes, **facts}
    for key, data in (
        (layout.profile_key, b"{}"),
        (layout.report_key, b"<p>"),
        (layout.record_key, digests.canonical_json(record)),
    ):
        await bucket.put(key(NAMESPACE, dataset, made.digest), data)
    await _keep(bucket, layout.manifest_key(NAMESPACE, dataset, made.digest), made.to_bytes())
    return made


async def _keep(bucket: Bucket, key: str, data: bytes) -> None:
    if not any(info.key == key for info in await bucket.list(key)):
        await bucket.put(key, data)
