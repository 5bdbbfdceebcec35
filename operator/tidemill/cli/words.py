"""Words for people: sizes and ages in short, and names out of data made safe to be shown.

Names of columns and values of cells are whatever somebody delivered: a terminal must not obey them.
"""

import unicodedata
from datetime import UTC, datetime

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
# Control and format characters (which turn the direction of writing), line and paragraph ends.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def plain(text: object, limit: int = 0) -> str:
    """Give the text in one line, each character that is not seen replaced, cut where too long."""
    whole = str(text)
    cut = whole[: limit - 1] + "…" if limit and len(whole) > limit else whole
    return "".join("�" if unicodedata.category(one) in _UNSEEN else one for one in cut)


def size(number: float) -> str:
    """Write bytes as 1.5 MiB."""
    for unit in _UNITS:
        if number < 1024 or unit == _UNITS[-1]:
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def age(moment: str | None, now: datetime | None = None) -> str:
    """Write how long ago an RFC 3339 time was, as kubectl does: 45s, 12m, 5h, 3d."""
    try:
        then = datetime.fromisoformat(moment or "")
    except ValueError:
        return ""
    seconds = max(0, int(((now or datetime.now(UTC)) - then).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def short(version: str) -> str:
    """Give the first twelve digits of a digest, by which versions are spoken of."""
    return version.removeprefix("sha256:")[:12]
