"""Where one piece of work on spread rows is done."""

from dataclasses import dataclass
from pathlib import Path

from tidemill_runner.database import Limits


@dataclass(frozen=True)
class Room:
    """Scratch space that is cleared afterwards, and what a database may use."""

    folder: Path
    limits: Limits
