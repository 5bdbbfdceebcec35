"""Prediction ids: UUID version 7, so that they sort by time and labels can be joined by them.

The last 74 bits are random; within one millisecond the ids of one process still ascend.
"""

import os
import random
import time
from collections.abc import Callable

_RANDOM_BITS = 62
_SEQUENCE_BITS = 12


class PredictionIds:
    """A source of ids; the clock (nanoseconds) and the bits are given for tests."""

    def __init__(
        self,
        clock: Callable[[], int] = time.time_ns,
        bits: Callable[[int], int] | None = None,
    ) -> None:
        self._clock = clock
        # An id is no secret: a generator with a random seed is enough, and needs no system call.
        self._bits = bits or random.Random(os.urandom(32)).getrandbits  # noqa: S311
        self._last = 0

    def __call__(self) -> str:
        """The next id, in the usual form of 8-4-4-4-12 digits."""
        milliseconds, rest = divmod(self._clock(), 1_000_000)
        # The 12 bits after the version count parts of the millisecond (RFC 9562, method 3).
        now = milliseconds << _SEQUENCE_BITS | rest * 4096 // 1_000_000
        self._last = now = max(now, self._last + 1)
        tail = 0b10 << _RANDOM_BITS | self._bits(_RANDOM_BITS)
        text = f"{now >> _SEQUENCE_BITS:012x}7{now & 0xFFF:03x}{tail:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
