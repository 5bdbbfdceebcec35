"""A bucket in memory in which something happens at the n-th call, whichever that is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.unit.runner.memory import MemoryStorage

from tidemill.store import digests
from tidemill.store.objects import ObjectInfo


class Killed(BaseException):
    """The process is gone: nothing that it would still do is done."""


@dataclass
class BusyStorage(MemoryStorage):
    """`happens` is called before the call `at`, and after it where `late`."""

    at: int = -1
    happens: Callable[[], None] = lambda: None
    late: bool = False
    calls: list[str] = field(default_factory=list)

    def _turn(self, name: str, work: Callable[[], Any]) -> Any:
        self.calls.append(name)
        now = len(self.calls) - 1 == self.at
        if now and not self.late:
            self.happens()
        found = work()
        if now and self.late:
            self.happens()
        return found

    def get(self, key: str, max_bytes: int) -> bytes:
        found: bytes = self._turn(
            f"get {key}", lambda: super(BusyStorage, self).get(key, max_bytes)
        )
        return found

    def put(self, key: str, data: bytes) -> None:
        self._turn(f"put {key}", lambda: super(BusyStorage, self).put(key, data))

    def list(self, prefix: str) -> list[ObjectInfo]:
        found: list[ObjectInfo] = self._turn(
            f"list {prefix}", lambda: super(BusyStorage, self).list(prefix)
        )
        return found

    def size_of(self, key: str) -> int | None:
        found: int | None = self._turn(f"size {key}", lambda: super(BusyStorage, self).size_of(key))
        return found

    def download(self, key: str, path: Path, **options: Any) -> digests.Hasher:
        found: digests.Hasher = self._turn(
            f"download {key}", lambda: super(BusyStorage, self).download(key, path, **options)
        )
        return found
