"""The ports of a cluster: a block chosen by its name, moved on when something else listens there.

The choice is kept in the cluster's state, so that addresses stay while the cluster exists; and as
the name decides first, they normally are the same the next time: image references stay valid.
"""

import json
import socket
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from .failure import ClusterError

NAMES = (
    "registry",
    "kube-apiserver",
    "etcd",
    "etcd-peer",
    "etcd-metrics",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kubelet-health",
    "kube-proxy-health",
    "kube-proxy-metrics",
    "coredns-health",
    "coredns-ready",
    "kwok",
)
FIRST = 20000
STRIDE = 20
BLOCKS = 400  # up to 27999: below the NodePorts (30000) and the ephemeral ports (32768)

Ports = Mapping[str, int]


def block(name: str, attempt: int = 0) -> dict[str, int]:
    start = FIRST + (zlib.crc32(name.encode()) + attempt) % BLOCKS * STRIDE
    return {port: start + offset for offset, port in enumerate(NAMES)}


def choose(name: str, is_free: Callable[[int], bool]) -> dict[str, int]:
    """The first block, from the name's own one on, of which every port is free."""
    for attempt in range(BLOCKS):
        ports = block(name, attempt)
        if all(is_free(port) for port in ports.values()):
            return ports
    raise ClusterError(f"no {STRIDE} free ports in a row between {FIRST} and 28000")


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def load(path: Path) -> dict[str, int] | None:
    """The ports that the cluster has, or None when it has none yet (or an older tree's)."""
    try:
        ports = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return ports if set(ports) == set(NAMES) else None


def load_or_choose(path: Path, name: str) -> dict[str, int]:
    ports = load(path) or choose(name, is_free)
    path.write_text(json.dumps(ports, indent=2))
    return ports
