"""A volume in a folder of this machine, as a pod has it mounted, and a clock by hand."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tidemill_runner import inputs
from tidemill_runner.failures import Failure
from tidemill_runner.inputs import PvcSource
from tidemill_runner.sources.pvc import PvcOrigin, Time

FOLDER = "power/2026"
NOW = 1_800_000_000.0
OLD = NOW - 3600


@dataclass
class Claim:
    """A volume with a folder for data, which a test fills."""

    root: Path
    changes: dict[str, Any] = field(default_factory=dict)
    waited: list[float] = field(default_factory=list)
    in_the_wait: Callable[[], None] = lambda: None
    now: float = NOW

    def put(self, name: str, data: bytes = b"a\n1\n", *, at: float = OLD) -> Path:
        path = self.root / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (at, at))
        return path

    def document(self, **changes: Any) -> dict[str, Any]:
        return {
            "kind": "Pvc",
            "claim": "deliveries",
            "root": str(self.root),
            "path": FOLDER,
            "format": "CSV",
            "settleSeconds": 10.0,
            **self.changes,
            **changes,
        }

    def origin(self, **changes: Any) -> PvcOrigin:
        source = inputs._source(self.document(**changes), "cas/")
        assert isinstance(source, PvcSource)
        return PvcOrigin(source, Time(lambda: self.now, self._pause))

    def _pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds
        self.in_the_wait()


def keys(origin: PvcOrigin) -> list[str]:
    return [info.key.removeprefix(f"{FOLDER}/") for info in origin.objects()]


def failure(work: Callable[[], object]) -> Failure:
    with pytest.raises(Failure) as caught:
        work()
    return caught.value
