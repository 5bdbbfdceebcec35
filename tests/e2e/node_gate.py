"""Pods that wait for a node until the test lets them: for moments that must not pass unseen."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.apiserver.kubectl import Kubectl
from tests.e2e.world import World


@dataclass(frozen=True)
class Gate:
    """Closed at first; a label of all nodes, by which a template's pods are placed."""

    kubectl: Kubectl
    label: str

    @property
    def template(self) -> dict[str, Any]:
        """Give the template of what shall wait."""
        return {"nodeSelector": {self.label: "open"}}

    def open(self) -> None:
        """Let the pods start."""
        self.kubectl("label", "nodes", "--all", "--overwrite", f"{self.label}=open")


@contextmanager
def node_gate(world: World) -> Iterator[Gate]:
    """Make a gate for one namespace."""
    gate = Gate(world.kubectl, f"e2e.tidemill.dev/{world.namespace}")
    try:
        yield gate
    finally:
        world.kubectl("label", "nodes", "--all", f"{gate.label}-")
