"""How many threads the numeric libraries may start: as many as the container has CPUs.

Without it they start one per CPU of the node and spend the container's quota on waiting. Threads
that wait for each other spin for a moment only, then sleep: spinning for long made fits beside each
other fifty times slower, and sleeping at once made many short steps alone thirteen times slower.
Must run before numpy or scikit-learn is imported.
"""

import math
import os
from collections.abc import MutableMapping
from pathlib import Path

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
# Turns of GNU's OpenMP, the one of scikit-learn's, XGBoost's and LightGBM's wheels.
SPINS = "1000"
CGROUP = Path("/sys/fs/cgroup")


def apply(environ: MutableMapping[str, str], cgroup: Path = CGROUP) -> int:
    """Set the variables that are not set; returns the number of threads."""
    count = min(cpu_limit(cgroup), len(os.sched_getaffinity(0)))
    for name in VARIABLES:
        environ.setdefault(name, str(count))
    if "OMP_WAIT_POLICY" not in environ:
        environ.setdefault("GOMP_SPINCOUNT", SPINS)
    return count


def cpu_limit(cgroup: Path = CGROUP) -> int:
    """The CPU limit of this cgroup (version 2 or 1), rounded up; the CPUs of the node without."""
    for quota, period in (_version2(cgroup), _version1(cgroup)):
        if quota > 0 and period > 0:
            return max(1, math.ceil(quota / period))
    return os.cpu_count() or 1


def _version2(cgroup: Path) -> tuple[int, int]:
    words = _read(cgroup / "cpu.max").split()
    return (int(words[0]), int(words[1])) if len(words) == 2 and words[0] != "max" else (0, 0)


def _version1(cgroup: Path) -> tuple[int, int]:
    quota = _read(cgroup / "cpu" / "cpu.cfs_quota_us")
    period = _read(cgroup / "cpu" / "cpu.cfs_period_us")
    return (int(quota), int(period)) if quota and period else (0, 0)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
