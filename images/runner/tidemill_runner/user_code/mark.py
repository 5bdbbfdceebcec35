"""What rank 0 tells the other ranks by way of the store: its life, its script, what it is at.

A pod that takes rank 0's place may have the same address: it has another token.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tidemill.store import digests, errors, layout
from tidemill_runner.storage import Storage

MAX_BYTES = 4096
LIFE = "life.json"


@dataclass(frozen=True)
class Mark:
    """`token` is drawn for each life of rank 0, `script` the digest of what it runs."""

    token: str
    script: str = ""
    judging: bool = False


@dataclass(frozen=True)
class Board:
    """The mark, beside the checkpoint; `state` is what the containers of one pod keep."""

    store: Storage
    checkpoint: str
    state: Path

    def begin(self, mark: Mark) -> None:
        """Say that rank 0 lives; by its first container."""
        (self.state / LIFE).write_text(json.dumps(asdict(mark)), encoding="ascii")
        self._put(mark)

    def judge(self) -> None:
        """Say that its code has ended and its model is judged; by its last one."""
        known = json.loads((self.state / LIFE).read_text(encoding="ascii"))
        self._put(replace(Mark(**known), judging=True))

    def look(self) -> Mark | None:
        """What is there; None for nothing, or nothing that can be read now."""
        try:
            found: dict[str, Any] = json.loads(self.store.get(self._key, MAX_BYTES))
            return Mark(**found)
        except (errors.StoreError, ValueError, TypeError):
            return None

    def _put(self, mark: Mark) -> None:
        self.store.put(self._key, digests.canonical_json(asdict(mark)))

    @property
    def _key(self) -> str:
        return layout.first_rank_key(self.checkpoint)
