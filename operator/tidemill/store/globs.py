"""Globs over keys: `*` stands for any part of a name, `?` for one character, `**` for folders.

All other characters stand for themselves, also brackets. Matching takes no longer for a glob of
many stars: each part between two of them is looked for once, from the left, and never given back.
"""

import re
from collections.abc import Iterable


class Globs:
    """Several globs, of which one must match."""

    def __init__(self, globs: Iterable[str]) -> None:
        self._patterns = [re.compile(_pattern(glob), re.DOTALL) for glob in globs]

    def match(self, key: str) -> bool:
        return any(pattern.fullmatch(key) for pattern in self._patterns)


def _pattern(glob: str) -> str:
    """A regular expression; between two `**` the folders are taken where they come first."""
    runs: list[list[str]] = [[]]
    for segment in glob.split("/"):
        if segment == "**":
            runs.append([])
        else:
            runs[-1].append(_segment(segment))
    first, *rest = ["/".join(run) for run in runs]
    if not rest:
        return first
    *middle, last = rest
    begin = f"{first}/" if first else ""
    between = "".join(f"(?>(?:[^/]*/)*?{run}/)" for run in middle if run)
    # A glob that ends in ** takes all below; else its last names are the key's last.
    end = f"(?:[^/]*/)*{last}" if last else ".+"
    return f"{begin}{between}{end}"


def _segment(text: str) -> str:
    first, *rest = [_literal(piece) for piece in re.split(r"\*+", text)]
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle) + f"[^/]*{last}"


def _literal(text: str) -> str:
    return "".join("[^/]" if sign == "?" else re.escape(sign) for sign in text)
