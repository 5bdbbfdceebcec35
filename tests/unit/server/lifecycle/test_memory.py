"""What loading has freed does not stay with the server."""

import platform
from pathlib import Path

import pytest

from tidemill_server.lifecycle.memory import give_back

KIB, PIECES = 1024, 32 * 1024
FREED = PIECES * 2 * KIB


def held() -> int:
    """Bytes of this process that are in memory."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * KIB for line in lines if line.startswith("VmRSS"))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others cannot be asked to")
def test_freed_memory_goes_back_though_something_behind_it_stays() -> None:
    pieces = [b"x" * (2 * KIB - step % 2) for step in range(PIECES)]
    behind = pieces.pop()
    pieces.clear()
    before = held()
    give_back()
    assert before - held() > FREED / 2
    assert behind
