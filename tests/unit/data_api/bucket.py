"""A bucket in memory, with versions of data sets as an ingest leaves them."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tidemill.store import digests, layout
from tidemill.store.manifest import Entry, Manifest
from tidemill.store.objects import NotFound, ObjectInfo, TooLarge

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Bucket:
    """Objects by key, each a minute younger than the one before; counts what is read."""

    objects: dict[str, bytes] = field(default_factory=dict)
    written: dict[str, datetime] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    fault: Exception | None = None

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data
        self.written[key] = BEGAN + timedelta(minutes=len(self.written))

    async def head(self, key: str) -> ObjectInfo:
        if self.fault:
            raise self.fault
        if key not in self.objects:
            raise NotFound(key)
        return ObjectInfo(key, len(self.objects[key]), "e", self.written[key])

    async def get(self, key: str, *, max_bytes: int = 1 << 30) -> bytes:
        if (await self.head(key)).size > max_bytes:
            raise TooLarge(key)
        return self.objects[key]

    async def list(self, prefix: str = "", *, limit: int = 100_000) -> list[ObjectInfo]:
        self.listed.append(prefix)
        found = [key for key in self.objects if key.startswith(prefix)]
        if len(found) > limit:
            raise TooLarge(prefix)
        return [await self.head(key) for key in found]

    async def stream(self, key: str, *, chunk: int = 1 << 20) -> AsyncIterator[bytes]:
        await self.head(key)
        self.reads.append(key)
        data = self.objects[key]
        for start in range(0, len(data), chunk):
            yield data[start : start + chunk]

    def version(
        self,
        files: Mapping[str, bytes],
        *,
        place: tuple[str, str] = ("team", "power"),
        columns: tuple[tuple[str, str, bool], ...] = (("a", "Integer", False),),
        **facts: Any,
    ) -> str:
        """Write a version of such objects; gives its digest."""
        namespace, name = place
        cas = layout.cas_prefix(namespace)
        summary = [{"name": n, "type": t, "nullable": nullable} for n, t, nullable in columns]
        schema = digests.canonical_json({"columns": summary, "v": 1})
        digest = digests.sha256_digest(schema)
        self.put(layout.cas_key(cas, digest), schema)
        entries = [Entry(key, digest_of(data), len(data)) for key, data in files.items()]
        for data in files.values():
            self.put(layout.cas_key(cas, digest_of(data)), data)
        manifest = Manifest.of("CSV", digest, entries)
        profile = facts.pop("profile", b"{}")
        record = {"rows": 3, "bytes": manifest.total_bytes, "objects": len(entries), "v": 1}
        where = namespace, name, manifest.digest
        self.put(layout.profile_key(*where), profile)
        self.put(layout.report_key(*where), b"<html>report</html>")
        self.put(layout.record_key(*where), digests.canonical_json({**record, **facts}))
        self.put(layout.manifest_key(*where), manifest.to_bytes())
        return manifest.digest


def digest_of(data: bytes) -> str:
    return digests.PREFIX + hashlib.sha256(data).hexdigest()


@dataclass
class Reviewer:
    """An API server that knows tokens `good-NAMESPACE`; counts the reviews."""

    reviews: list[dict[str, Any]] = field(default_factory=list)

    async def create(
        self, resource: Any, body: dict[str, Any], *, urgent: bool = False
    ) -> dict[str, Any]:
        assert urgent
        assert str(resource) == "tokenreviews.authentication.k8s.io"
        self.reviews.append(body)
        token = body["spec"]["token"]
        if not token.startswith("good-"):
            return {"status": {"authenticated": False, "error": "invalid"}}
        return {"status": account(token.removeprefix("good-"))}


def account(namespace: str, **changes: Any) -> dict[str, Any]:
    """The status of a review of a ServiceAccount's token."""
    user = {
        "username": f"system:serviceaccount:{namespace}:default",
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"],
    }
    return {"authenticated": True, "audiences": ["tidemill.dev"], "user": user, **changes}
