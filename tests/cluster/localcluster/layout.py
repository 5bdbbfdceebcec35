"""Where a cluster keeps its things, all of it derived from the cluster's name and two variables.

`TIDEMILL_STATE` (default /var/lib/tidemill) holds what a cluster is and goes with it;
`TIDEMILL_CACHE` (default ~/.cache/tidemill) holds what is costly to make again and stays.
Sockets stand in /run/tidemill, because their paths must be short.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import pins
from .failure import ClusterError

RUN = Path("/run/tidemill")
NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")

BRIDGE = "tidemill0"
# 198.18.0.0/15 is reserved for benchmarks: no machine's real network is there.
GATEWAY = "198.18.0.1"
PODS = "198.18.0.0/20"
FAKE_PODS = "198.18.128.1/17"
SERVICES = "198.19.0.0/16"
API_SERVICE = "198.19.0.1"


def cache(environment: Mapping[str, str] = os.environ) -> Path:
    if chosen := environment.get("TIDEMILL_CACHE"):
        return Path(chosen)
    if chosen := environment.get("XDG_CACHE_HOME"):
        return Path(chosen, "tidemill")
    return Path(environment.get("HOME", "/root"), ".cache", "tidemill")


def programs(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder with every built program, for the pins of this tree."""
    return cache(environment) / "bin" / f"all-{pins.digest_of_all()}"


@dataclass(frozen=True)
class Layout:
    """The places of one cluster."""

    name: str
    state: Path
    cache: Path
    bin: Path

    @staticmethod
    def of(name: str, environment: Mapping[str, str] = os.environ) -> "Layout":
        if not NAME.fullmatch(name):
            raise ClusterError(
                f"{name!r} cannot be a cluster's name: at most 32 of a-z, 0-9 and -, a letter first"
            )
        root = Path(environment.get("TIDEMILL_STATE") or "/var/lib/tidemill")
        return Layout(name, root.absolute() / name, cache(environment), programs(environment))

    @property
    def run(self) -> Path:
        return RUN / self.name

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def config(self) -> Path:
        return self.state / "config"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def processes(self) -> Path:
        return self.state / "processes"

    @property
    def volumes(self) -> Path:
        return self.state / "volumes"

    @property
    def ports(self) -> Path:
        return self.state / "ports.json"

    @property
    def containerd_socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def cgroup(self) -> str:
        return f"tidemill-{self.name}"

    @property
    def node(self) -> str:
        return f"{self.name}-node"

    def program(self, name: str) -> str:
        """In its component's own folder, so that new pins of another one do not concern it."""
        return str((self.bin / name).resolve())
