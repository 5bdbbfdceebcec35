"""The cluster's processes mount, make bridges and control groups: only root can."""

import os

from .failure import ClusterError


def require_root() -> None:
    if os.geteuid() != 0:
        raise ClusterError("only root can do this: run it with sudo")
