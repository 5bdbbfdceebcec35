"""How much memory a process has, and how much the container leaves.

The child that loads a model first gets what is left of the container's limit, so that a model too
large ends the child with a message and not the container without one.
"""

import os
from pathlib import Path

DEFAULT_BYTES = 4 * 1024**3
# What the server itself needs beside the model while the child still holds its copy.
RESERVE_BYTES = 64 * 1024**2
# Version 1 of control groups says "no limit" with a number near 2^63.
_UNLIMITED = 1 << 60
_CGROUPS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


def address_space_bytes() -> int:
    """The virtual memory of this process, which RLIMIT_AS counts."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def budget_bytes(configured: int, cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """What loading may take: as configured, or what the container's limit leaves, or 4 GiB."""
    if configured:
        return configured
    for limit_name, usage_name in _CGROUPS:
        limit = _number(cgroup / limit_name)
        if limit is not None and limit < _UNLIMITED:
            used = _number(cgroup / usage_name) or 0
            return max(limit - used - RESERVE_BYTES, RESERVE_BYTES)
    return DEFAULT_BYTES


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
