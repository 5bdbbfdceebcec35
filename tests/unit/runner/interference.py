"""A bucket in memory in which something happens at the n-th call, whichever that is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
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
    _counting: Lock = field(default_factory=Lock)

    def _turn(self, name: str, work: Callable[[], Any]) -> Any:
        with self._counting:  # small objects are read and copied some at a time
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

    def sizes_of(self, keys: Iterable[str]) -> dict[str, int | None]:
        wanted = list(keys)
        found: dict[str, int | None] = self._turn(
            f"sizes of {len(wanted)}", lambda: super(BusyStorage, self).sizes_of(wanted)
        )
        return found

    def download(self, key: str, path: Path, **options: Any) -> digests.Hasher:
        found: digests.Hasher = self._turn(
            f"download {key}", lambda: super(BusyStorage, self).download(key, path, **options)
        )
        return found
