"""Where the key that signs a run's package is mounted, as the input document says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SigningKey:
    """Where the key is mounted, and what to call it in a message."""

    folder: Path
    called: str

    @classmethod
    def of(cls, document: Mapping[str, Any] | None) -> "SigningKey | None":
        return cls(Path(document["folder"]), document["called"]) if document else None
