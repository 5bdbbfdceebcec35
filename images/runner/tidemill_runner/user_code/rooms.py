"""The folders of a pod whose middle is a user's code: who may see which."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class Rooms:
    """`state` is never the code's to see; `code` and `secret` only the first of ours sees."""

    input: Path
    output: Path
    checkpoint: Path
    state: Path
    code: Path
    secret: Path

    @classmethod
    def of(cls, work: Path, state: Path, code: Path, secret: Path) -> "Rooms":
        """The folders below `work` by their names, and those elsewhere."""
        return cls(work / "in", work / "out", work / CHECKPOINT, state, code, secret)

    def clear(self) -> None:
        """Begin anew, whatever another process of this pod has left."""
        for folder in (self.input, self.output, self.checkpoint, self.state):
            for path in folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def environment(self) -> Mapping[str, str]:
        """What the code is told of them."""
        named = {"IN": self.input, "OUT": self.output, "CHECKPOINT": self.checkpoint}
        return {f"TIDEMILL_{name}": str(path) for name, path in named.items()}
