"""A bucket in memory with the runner's interface, which tests can look into and break."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tidemill.store import digests, errors
from tidemill.store.config import StoreConfig
from tidemill.store.objects import ObjectInfo

CONFIG = StoreConfig("http://store.example", "us-east-1", "tidemill", True, "key", "secret")


@dataclass
class MemoryStorage:
    """`before_download` is called with a key before it is read: a test's chance to interfere."""

    objects: dict[str, bytes] = field(default_factory=dict)
    config: StoreConfig = CONFIG
    before_download: Callable[[str], None] = lambda _: None
    written: list[str] = field(default_factory=list)

    def get(self, key: str, max_bytes: int) -> bytes:
        data = self._read(key)
        if len(data) > max_bytes:
            raise errors.TooLarge(key)
        return data

    def put(self, key: str, data: bytes) -> None:
        self.written.append(key)
        self.objects[key] = data

    def create(self, key: str, data: bytes) -> bool:
        absent = key not in self.objects
        if absent:
            self.put(key, data)
        return absent

    def list(self, prefix: str) -> list[ObjectInfo]:
        return [
            ObjectInfo(key, len(data), etag(data))
            for key, data in sorted(self.objects.items())
            if key.startswith(prefix)
        ]

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.objects.pop(key, None)

    def sizes_of(self, keys: Iterable[str]) -> dict[str, int | None]:
        return {key: len(self.objects[key]) if key in self.objects else None for key in keys}

    def download(
        self,
        key: str,
        path: Path,
        *,
        etag: str | None = None,
        seen: Callable[[int], None] | None = None,
    ) -> digests.Hasher:
        self.before_download(key)
        data = self._read(key)
        if etag is not None and hashlib.md5(data, usedforsecurity=False).hexdigest() != etag:
            raise errors.Changed(key)
        path.write_bytes(data)
        hasher = digests.Hasher()
        hasher.update(data)
        if seen is not None:
            seen(len(data))
        return hasher

    def upload(self, path: Path, key: str) -> None:
        self.put(key, path.read_bytes())

    def _read(self, key: str) -> bytes:
        if key not in self.objects:
            raise errors.NotFound(key)
        return self.objects[key]


def etag(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
