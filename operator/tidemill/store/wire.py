"""Protocol Buffers as they lie in a file: the fields of a message, one after the other.

Only what an ONNX file is looked through with before a library reads it; nothing is unpacked. Every
occurrence of a field is given, so that a field which stands there twice cannot hide one of them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_SIZES = {FIXED64: 8, FIXED32: 4}
_MAX_VARINT_BYTES = 10
_MAX_TAG, _MAX_VARINT = 2**32, 2**64
# So much is stepped over at a time: other threads of the process wait for it.
_STEP_BYTES = 1024 * 1024


class BrokenMessage(Exception):  # noqa: N818 - says what the message is
    """The bytes are no message."""


@dataclass(frozen=True)
class Message:
    """A stretch of a buffer (bytes or a mapped file) that is said to hold a message."""

    buffer: Any
    start: int
    end: int

    @classmethod
    def whole(cls, buffer: Any) -> "Message":  # noqa: ANN401 - bytes or mmap
        return cls(buffer, 0, len(buffer))

    @property
    def size(self) -> int:
        return self.end - self.start

    def content(self) -> bytes:
        """The bytes themselves."""
        return bytes(self.buffer[self.start : self.end])

    def fields(self, passed: re.Pattern[bytes] | None = None) -> Iterator[tuple[int, int, Any]]:
        """Number, wire type and value: an int, or the stretch; `passed` are runs to step over.

        Raises BrokenMessage where the bytes end too early or are of another form.
        """
        place = self.start
        while place < self.end:
            if passed is not None:
                # What is cut at the end of the step is found again at the beginning of the next.
                until = min(self.end, place + _STEP_BYTES)
                if run := passed.match(self.buffer, place, until):
                    place = run.end()
                    continue
            tag, place = self._tag(place)
            number, kind = tag >> 3, tag & 7
            if not number:
                raise BrokenMessage("a field has the number 0")
            value: Any
            if kind == VARINT:
                value, place = self._varint(place)
            elif kind == BYTES:
                size, place = self._varint(place)
                value, place = self._piece(place, size)
            elif kind in _SIZES:
                value, place = self._piece(place, _SIZES[kind])
            else:
                raise BrokenMessage(f"field {number} has the unknown wire type {kind}")
            yield number, kind, value

    def varints(self) -> Iterator[int]:
        """The numbers of a packed field."""
        place = self.start
        while place < self.end:
            value, place = self._varint(place)
            yield value

    def _piece(self, place: int, size: int) -> tuple["Message", int]:
        if size > self.end - place:
            raise BrokenMessage("it ends in the middle of a field")
        return Message(self.buffer, place, place + size), place + size

    def _tag(self, place: int) -> tuple[int, int]:
        """A tag as it is written; others would be cut to 32 bits, and be that of another field."""
        tag, after = self._varint(place)
        if tag >= _MAX_TAG or (after - place > 1 and not self.buffer[after - 1]):
            raise BrokenMessage("a field's number is written as none is")
        return tag, after

    def _varint(self, place: int) -> tuple[int, int]:
        value = 0
        for step in range(_MAX_VARINT_BYTES):
            if place + step >= self.end:
                raise BrokenMessage("it ends in the middle of a number")
            byte = self.buffer[place + step]
            value |= (byte & 0x7F) << (7 * step)
            if byte < 0x80:
                if value >= _MAX_VARINT:
                    raise BrokenMessage("a number has more than 64 bits")
                return value, place + step + 1
        raise BrokenMessage("a number is too long")
