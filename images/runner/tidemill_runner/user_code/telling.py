"""What a user's code says of its progress: a line of words in a file, of which the last counts.

`progress=40 metric=auc:0.91 message=the third epoch`: percent of its own work, a number, and words
to the end of the line, each of which may be left out. The code may write the file anew or add lines
to it. What is no such line says nothing.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from tidemill_runner.user_code import plain

FILE = "progress"
TAIL = 4096
MAX_MESSAGE, MAX_NAME = 200, 40
_LINE = re.compile(
    r"(?:progress=(?P<percent>[0-9.eE+-]{1,20})(?:\s+|$))?"
    r"(?:metric=(?P<name>[^\s:=]+):(?P<value>[0-9.eE+-]{1,30})(?:\s+|$))?"
    r"(?:message=(?P<message>.*))?"
)


@dataclass(frozen=True)
class Said:
    """One line; None is what it does not say."""

    percent: float | None = None
    metric: tuple[str, float] | None = None
    message: str = ""


def last(folder: Path) -> Said | None:
    """The last whole line of the file; None where there is none. Reads its end alone."""
    try:
        with plain.opened(folder, FILE) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL))
            tail = file.read(TAIL)
    except OSError:
        return None  # it is not there, no plain file, or not ours to read
    lines = tail.decode(errors="replace").split("\n")[:-1]
    found = (parse(line) for line in reversed(lines))
    return next((one for one in found if one), None)


def parse(line: str) -> Said | None:
    """Read a line; None where it says nothing."""
    match = _LINE.fullmatch(line.strip())
    if match is None or not line.strip():
        return None
    percent, value = _number(match["percent"]), _number(match["value"])
    name = _printable(match["name"] or "")[:MAX_NAME]
    return Said(
        percent=None if percent is None else min(100.0, max(0.0, percent)),
        metric=(name, value) if name and value is not None else None,
        message=_printable(match["message"] or "")[:MAX_MESSAGE],
    )


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()
