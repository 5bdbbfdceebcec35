"""The components of the local cluster, stopped and started as faults."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.apiserver.control_plane import REPOSITORY
from tests.apiserver.kubectl import Kubectl

PROGRAM = REPOSITORY / "tests" / "cluster" / "component.py"


@dataclass(frozen=True)
class Components:
    """The components of the one local cluster."""

    name: str

    def restart(self, component: str) -> None:
        """Stop a component and start it again; returns when it answers."""
        self._act("restart", component)

    @contextmanager
    def stopped(self, component: str) -> Iterator[None]:
        """Hold a component down."""
        self._act("stop", component)
        try:
            yield
        finally:
            self._act("start", component)
            if component == "kube-apiserver":
                # It asks the server again after up to half a minute only, until when it knows of no
                # new Service; what it has set up stays.
                self.restart("kube-proxy")

    def _act(self, action: str, component: str) -> None:
        command = [sys.executable, str(PROGRAM), action, component, f"--name={self.name}"]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def components_of(kubectl: Kubectl) -> Components | None:
    """Give the components of a cluster; None where it is not one that runs on this machine."""
    state = kubectl.kubeconfig.parent
    records = state / "processes"
    return Components(state.name) if Path(records).is_dir() else None
