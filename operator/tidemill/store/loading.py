"""Within which bounds a model that may be hostile is loaded for the first time, in a child process.

The child that loads a model first gets what is left of the container's limit, so that a model too
large ends the child with a message and not the container without one.
"""

import os
import resource
from pathlib import Path

DEFAULT_BYTES = 4 * 1024**3
# What the parent itself needs beside the model while the child still holds its copy.
RESERVE_BYTES = 64 * 1024**2
# Version 1 of control groups says "no limit" with a number near 2^63.
_UNLIMITED = 1 << 60
_CGROUPS = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)


def address_space_bytes() -> int:
    """The virtual memory of this process, which RLIMIT_AS counts."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def budget_bytes(configured: int, cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """What loading may take: as configured, or what the container's limit leaves, or 4 GiB."""
    if configured:
        return configured
    for limit_name, usage_name, stat_name, given_back in _CGROUPS:
        limit = _number(cgroup / limit_name)
        if limit is not None and limit < _UNLIMITED:
            # Pages of files are counted as used, and given back as soon as they are needed.
            used = (_number(cgroup / usage_name) or 0) - _stat(cgroup / stat_name, given_back)
            return max(limit - max(used, 0) - RESERVE_BYTES, RESERVE_BYTES)
    return DEFAULT_BYTES


def limit(memory: int, seconds: float) -> None:
    """Bound this process: so much more memory than it has now, so much time, and no core file."""
    address_space = address_space_bytes() + memory
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    cpu = int(seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _stat(path: Path, name: str) -> int:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.split()[:1] == [name])
    except (OSError, ValueError, IndexError, StopIteration):
        return 0


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
