"""Prediction ids: UUID version 7, so that they sort by time and labels can be joined by them.

The last 62 bits are random; within one millisecond the ids of one process still ascend, as the 12
bits after the version count them. An id is made for every request, so its parts are: texts of these
counts once, of a millisecond once for all ids in it, and of random bits for many ids at a time.
"""

import os
import time
from collections.abc import Callable

_COUNTS = 4096  # the 12 bits after the version (RFC 9562, 6.2, method 1)
_PARTS = tuple(f"-7{count:03x}-" for count in range(_COUNTS))
_AT_A_TIME = 256
# Of each id's random bits the first two are the variant, 10: here for many ids at a time.
_RANDOM = int.from_bytes(b"\x3f\xff" * _AT_A_TIME)
_VARIANT = int.from_bytes(b"\x80\x00" * _AT_A_TIME)


class PredictionIds:
    """A source of ids; the clock (nanoseconds) and the noise are given for tests."""

    def __init__(
        self,
        clock: Callable[[], int] = time.time_ns,
        noise: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._clock = clock
        self._noise = noise
        self._millisecond = -1
        self._count = 0
        self._head = ""
        self._tails: list[str] = []

    def __call__(self) -> str:
        """The next id, in the usual form of 8-4-4-4-12 digits."""
        now = self._clock() // 1_000_000
        count = self._count
        if now > self._millisecond or count == _COUNTS:
            self._begin(now)
            count = 0
        self._count = count + 1
        if not self._tails:
            self._tails = self._more()
        return self._head + _PARTS[count] + self._tails.pop()

    def _begin(self, now: int) -> None:
        """The next millisecond, also where the clock has not come so far."""
        self._millisecond = max(now, self._millisecond + 1)
        text = f"{self._millisecond:012x}"
        self._head = f"{text[:8]}-{text[8:]}"

    def _more(self) -> list[str]:
        """Variants and random bits, for many."""
        noise = self._noise(_AT_A_TIME * 8)
        firsts = int.from_bytes(noise[: _AT_A_TIME * 2]) & _RANDOM | _VARIANT
        four = firsts.to_bytes(_AT_A_TIME * 2).hex(" ", 2).split(" ")
        twelve = noise[_AT_A_TIME * 2 :].hex(" ", 6).split(" ")
        return list(map("-".join, zip(four, twelve, strict=True)))
