"""Mark and sweep: versions leave the store, and content that no manifest names any more.

Content is shared by all data sets of a namespace, and an ingest that finds it in the store relies
on it without uploading it again, long before its manifest names it. So two things may not overlap:
an ingest, from its first look at content until its manifest is written, and a sweep's deletions.
The caller gives `quiet`: while it is held and gave True, no ingest of the namespace is running,
and none can begin. Then:

- A manifest never names content that is gone. All manifests are listed while it is quiet, so each
  that an ingest has written is among them, and marks what it names; what is deleted is marked by
  none. An ingest that begins later looks after the deletions and uploads again what it misses.
- A version is deleted manifest before content: content goes only while no manifest lists it, and
  what no manifest names nobody can find.
- An ingest that gave a version again has written its record again, so a version goes only as it
  was when it was condemned: there is time until the outcome stands in a status.
- A sweep may die anywhere. It leaves versions partly deleted or content unmarked; the next begins
  anew from what lies there and needs to know nothing of the one before.
- A pod that outlives its Job (a node that is cut off) breaks the rule of quiet for as long as its
  keys last. Nothing that was written since `older_than` is deleted; let that be longer ago than an
  ingest may last.

Let `content` come before `remove`: then what a run was still reading when its version went stays
until the next sweep. A deletion that was cut off or not answered may still be carried out by the
store a little later: after an error, the caller keeps ingests waiting for longer than a request
may take.

A manifest or a record that cannot be read marks nothing that could be known: nothing is deleted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from tidemill.store import digests, layout, manifest
from tidemill.store.errors import NotFound, TooLarge
from tidemill.store.objects import DEFAULT_MAX_BYTES, MAX_LISTED, ObjectInfo
from tidemill.store.stored import Name, Shelf, Stored, Unreadable, made_from, named_by, read_record

AT_ONCE = 8
MOST_PER_SWEEP = 2000
MOST_MARKED = 5_000_000
NEVER = datetime.max.replace(tzinfo=UTC)
Quiet = Callable[[], AbstractAsyncContextManager[bool]]
MayGo = Callable[[], Awaitable[Container[Name]]]


class Bucket(Protocol):
    """What a sweep needs of an ObjectStore."""

    async def get(self, key: str, *, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes: ...
    async def list(self, prefix: str = "", *, limit: int = MAX_LISTED) -> list[ObjectInfo]: ...
    async def delete(self, key: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Freed:
    """What a sweep has deleted; `busy` where it found no quiet, `more` where work is left."""

    names: frozenset[Name] = frozenset()
    objects: int = 0
    bytes: int = 0
    busy: bool = False
    more: bool = False


@dataclass(slots=True)
class Sweep:
    """One sweep of one namespace. Make another for the next: what it has read is of its time."""

    bucket: Bucket
    namespace: str
    quiet: Quiet
    most: int = MOST_PER_SWEEP
    _marked: set[bytes] = field(default_factory=set)
    _read: set[str] = field(default_factory=set)

    async def versions(self) -> tuple[Stored, ...]:
        """Read what lies there."""
        shelves = await self._shelves()
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(name: Name, found: dict[str, ObjectInfo]) -> Stored:
            async with gate:
                return await self._stored(name, found)

        return tuple(await asyncio.gather(*(one(*item) for item in shelves.items())))

    async def remove(self, going: Sequence[Stored], may_go: MayGo) -> Freed:
        """Delete versions: those that still may go when it is quiet, and are as they were read."""
        if not going:
            return Freed()
        async with self.quiet() as is_quiet:
            if not is_quiet:
                return Freed(busy=True)
            allowed = await may_go()
            there = await self._written()
            doomed = [
                one
                for one in going
                if one.name in allowed and there.get(one.name, one.written) <= one.written
            ]
            keys = [key for one in doomed[: self.most] for key in one.in_order(self.namespace)]
            for key in keys:
                await self.bucket.delete(key)
            gone = doomed[: self.most]
            names = frozenset(one.name for one in gone)
            return Freed(names=names, objects=len(keys), more=len(gone) < len(doomed))

    async def content(self, older_than: datetime) -> Freed:
        """Delete content that no manifest names and that was written before `older_than`."""
        # Most is read before it need be quiet: manifests never change.
        await self._mark()
        async with self.quiet() as is_quiet:
            if not is_quiet:
                return Freed(busy=True)
            await self._mark()
            prefix = layout.cas_prefix(self.namespace)
            doomed = [
                info
                for info in await self.bucket.list(prefix)
                if self._unmarked(info.key.removeprefix(prefix))
                and info.modified is not None
                and info.modified < older_than
            ]
            gone = doomed[: self.most]
            await self._delete(info.key for info in gone)
            size = sum(info.size for info in gone)
            return Freed(objects=len(gone), bytes=size, more=len(gone) < len(doomed))

    async def _delete(self, keys: Iterable[str]) -> None:
        """Delete in small groups; where one fails, the others of its group have ended first."""
        left = list(keys)
        for start in range(0, len(left), AT_ONCE):
            group = (self.bucket.delete(key) for key in left[start : start + AT_ONCE])
            ended = await asyncio.gather(*group, return_exceptions=True)
            for error in ended:
                if isinstance(error, BaseException):
                    raise error

    async def _stored(self, name: Name, found: dict[str, ObjectInfo]) -> Stored:
        keys = frozenset(info.key for info in found.values())
        record = await self._record(name, found)
        if record is None:
            return Stored(name, _written(found), keys, Shelf.PARTIAL)
        # What was not copied takes no room here.
        size = 0 if "place" in record else record.get("bytes")
        return Stored(
            name,
            _written(found),
            keys,
            Shelf.REJECTED if record.get("rejected") else Shelf.ACCEPTED,
            size if isinstance(size, int) else 0,
            made_from(record),
        )

    async def _record(
        self, name: Name, found: dict[str, ObjectInfo]
    ) -> Mapping[str, object] | None:
        if not {"versions", "manifests"} <= found.keys():
            return None
        try:
            return read_record(name, await self.bucket.get(found["versions"].key))
        except NotFound:
            return None  # removed since it was listed

    async def _written(self) -> dict[Name, datetime]:
        shelves = await self._shelves()
        return {name: _written(found) for name, found in shelves.items()}

    async def _shelves(self) -> dict[Name, dict[str, ObjectInfo]]:
        shelves: dict[Name, dict[str, ObjectInfo]] = {}
        for info in await self.bucket.list(f"datasets/{self.namespace}/"):
            if place := named_by(info.key):
                shelves.setdefault(place[0], {})[place[1]] = info
        return shelves

    async def _mark(self) -> None:
        """Read the manifests that were not read yet, and mark what they name."""
        for info in await self.bucket.list(f"datasets/{self.namespace}/"):
            in_folder = info.key.split("/")[3:-1] == ["manifests"]
            if in_folder and info.key not in self._read:
                await self._mark_all_of(info.key)

    async def _mark_all_of(self, key: str) -> None:
        place = named_by(key)
        try:
            data = await self.bucket.get(key, max_bytes=manifest.MAX_BYTES)
            version = place[0].version if place else ""
            found = await asyncio.to_thread(manifest.parse, data, version)  # may be long
        except NotFound:
            return  # removed since it was listed; should it come back, it is read then
        except manifest.ManifestError as error:
            message = f"{key}: {error}: no content is deleted until it is mended or removed"
            raise Unreadable(message) from None
        self._read.add(key)
        named = (found.schema, *(entry.digest for entry in found.entries))
        self._marked.update(bytes.fromhex(digests.hex_of(digest)) for digest in named)
        if len(self._marked) > MOST_MARKED:
            message = f"the manifests of namespace {self.namespace} name more than {MOST_MARKED}"
            raise TooLarge(f"{message} objects: no content is deleted")

    def _unmarked(self, name: str) -> bool:
        """Whether a key is that of content that no manifest marks; what else lies there stays."""
        if not digests.is_digest(digests.PREFIX + name):
            return False
        return bytes.fromhex(name) not in self._marked


def _written(found: Mapping[str, ObjectInfo]) -> datetime:
    """When anything of a version was last written; the end of time where that is not known."""
    times = [info.modified for info in found.values()]
    return max((time or NEVER for time in times), default=NEVER)
