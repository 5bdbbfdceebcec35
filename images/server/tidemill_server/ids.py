"""Prediction ids: UUID version 7, so that they sort by time and labels can be joined by them.

The last 62 bits are random; within one millisecond the ids of one process still ascend. An id is
made for every request, so its parts are: texts of the 4 096 parts of a millisecond once, of a
millisecond once for all ids in it, and of random bits for many ids at a time.
"""

import os
import time
from collections.abc import Callable

_SEQUENCE = 4096  # parts of a millisecond: the 12 bits after the version (RFC 9562, method 3)
_PARTS = tuple(f"-7{part:03x}-" for part in range(_SEQUENCE))
_AT_A_TIME = 256
_DIGITS = 16  # of 64 bits: of them the first two are the variant, 10
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class PredictionIds:
    """A source of ids; the clock (nanoseconds) and the noise are given for tests."""

    def __init__(
        self,
        clock: Callable[[], int] = time.time_ns,
        noise: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._clock = clock
        self._noise = noise
        self._last = 0
        self._millisecond = -1
        self._head = ""
        self._tails: list[str] = []

    def __call__(self) -> str:
        """The next id, in the usual form of 8-4-4-4-12 digits."""
        now = self._clock() * _SEQUENCE // 1_000_000
        if now <= self._last:
            now = self._last + 1
        self._last = now
        millisecond = now >> 12
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            text = f"{millisecond:012x}"
            self._head = f"{text[:8]}-{text[8:]}"
        if not self._tails:
            self._tails = self._more()
        return self._head + _PARTS[now & 0xFFF] + self._tails.pop()

    def _more(self) -> list[str]:
        """Variants and random bits, for many."""
        text = self._noise(_AT_A_TIME * _DIGITS // 2).hex()
        return [
            f"{_VARIANT[text[at]]}{text[at + 1 : at + 4]}-{text[at + 4 : at + _DIGITS]}"
            for at in range(0, len(text), _DIGITS)
        ]
