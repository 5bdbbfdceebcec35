"""The last words of a user's container, in bounds: what of its log a message shows."""

from collections.abc import Iterable

LINES = 5
LINE = 200


def last_words(log: Iterable[str]) -> str:
    """Say what it wrote last."""
    lines = [_printable(line) for line in log if line.strip()][-LINES:]
    return f"it wrote: {' | '.join(lines)}" if lines else "it wrote nothing to its log"


def _printable(line: str) -> str:
    text = "".join(sign if sign.isprintable() else " " for sign in line).strip()
    return text if len(text) <= LINE else f"{text[:LINE]}…"
