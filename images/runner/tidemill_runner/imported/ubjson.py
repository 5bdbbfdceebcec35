"""Files of XGBoost in UBJSON that are no whole document: its reader goes on behind their end.

What it finds there depends on the process: one ends, another waits for ever, a third takes it for a
model. So a file is walked first, by the rules of XGBoost's own reader (UBJReader in its json.cc),
which are fewer than those of the format (ubjson.org, draft 12).
"""

import struct
from pathlib import Path

MAX_DEPTH = 32  # models have 7; the library descends as deep as a file says
_SIZES = {
    **dict.fromkeys((b"T", b"F", b"Z"), 0),
    **dict.fromkeys((b"i", b"U", b"C"), 1),
    b"I": 2,
    **dict.fromkeys((b"l", b"d"), 4),
    **dict.fromkeys((b"L", b"D"), 8),
}
_TYPED = b"iUIlLdD"
_OBJECT, _ARRAY = -2, -1  # containers that end with a mark, and not after so many values


def check(path: Path) -> None:
    """Raise ValueError unless it is one whole object, and nothing besides."""
    data = path.read_bytes()
    if data[:1] != b"{":
        raise ValueError("it is no UBJSON object")
    reader = _Reader(data)
    reader.walk()
    if reader.place < len(data):
        raise ValueError(f"it goes on for {len(data) - reader.place} bytes behind its end")


class _Reader:
    """Where in the data the walk is."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def walk(self) -> None:
        """Over one value, with all that is in it."""
        # How many values are still to come in each container that is open.
        left: list[int] = []
        self._value(left)
        while left:
            if len(left) > MAX_DEPTH:
                raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
            if left[-1] == 0 or self._has_ended(left[-1]):
                left.pop()
                continue
            if left[-1] == _OBJECT:
                self._text()
            elif left[-1] > 0:
                left[-1] -= 1
            self._value(left)

    def _has_ended(self, kind: int) -> bool:
        mark = {_OBJECT: b"}", _ARRAY: b"]"}.get(kind)
        if mark is None or self._data[self.place : self.place + 1] != mark:
            return False
        self.place += 1
        return True

    def _value(self, left: list[int]) -> None:
        mark = self._take(1)
        if mark == b"{":
            left.append(_OBJECT)
        elif mark == b"[":
            self._array(left)
        elif mark == b"S":
            self._text()
        elif mark in _SIZES:
            self._skip(_SIZES[mark])
        else:
            raise ValueError(f"it has the mark {mark!r} at byte {self.place - 1}")

    def _array(self, left: list[int]) -> None:
        ahead = self._data[self.place : self.place + 1]
        if ahead == b"$":
            self.place += 1
            kind = self._take(1)
            if kind not in _TYPED or self._take(1) != b"#":
                raise ValueError(f"it has an array without a type or size at byte {self.place}")
            self._skip(_SIZES[kind] * self._count())
        elif ahead == b"#":
            self.place += 1
            left.append(self._count())
        else:
            left.append(_ARRAY)

    def _text(self) -> None:
        self._skip(self._count())

    def _count(self) -> int:
        mark = self._take(1)
        if mark != b"L":
            raise ValueError(f"it has no length at byte {self.place - 1}")
        (count,) = struct.unpack(">q", self._take(8))
        if count < 0:
            raise ValueError(f"it has a length of {count} at byte {self.place - 8}")
        return int(count)

    def _take(self, size: int) -> bytes:
        begin = self.place
        self._skip(size)
        return self._data[begin : self.place]

    def _skip(self, size: int) -> None:
        self.place += size
        if self.place > len(self._data):
            raise ValueError("it is cut off: there is less of it than it says")
