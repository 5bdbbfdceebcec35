"""Which cluster the commands talk to, chosen by the variable CLUSTER.

`local` (the default) is the cluster that tests/cluster builds. `current` is whatever the present
kubeconfig context is; images then go to the registry named by REGISTRY. `kind` is a cluster in
docker.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .catalog import ROOT
from .failure import BuildError

KINDS = ("local", "current", "kind")
KIND_REGISTRY = "localhost:5001"  # the one of kind's own instructions for a local registry


@dataclass(frozen=True)
class Target:
    """A cluster by its kubeconfig, with the registry that its nodes pull from."""

    kind: str
    kubeconfig: Path
    kubectl: str
    registry: str | None
    running: bool

    def require_registry(self) -> str:
        if self.registry is None:
            way_out = "run: make cluster-up" if self.kind == "local" else "set REGISTRY=host/path"
            raise BuildError(f"there is no registry to push images to; {way_out}")
        return self.registry


def kind_of(environment: Mapping[str, str] = os.environ) -> str:
    kind = environment.get("CLUSTER") or "local"
    if kind not in KINDS:
        raise BuildError(f"CLUSTER={kind} is unknown; it can be {', '.join(KINDS)}")
    return kind


def find(environment: Mapping[str, str] = os.environ) -> Target:
    kind = kind_of(environment)
    if kind == "local":
        return _local(environment.get("REGISTRY"))
    home = Path(environment.get("HOME", "/root"))
    kubeconfig = environment.get("KUBECONFIG") or str(home / ".kube/config")
    registry = environment.get("REGISTRY") or (KIND_REGISTRY if kind == "kind" else None)
    kubectl = shutil.which("kubectl") or _local(None).kubectl
    if kind == "kind":
        _require_kind(kubectl, kubeconfig)
    return Target(kind, Path(kubeconfig), kubectl, registry, running=Path(kubeconfig).is_file())


def _require_kind(kubectl: str, kubeconfig: str) -> None:
    """Refuse a context that is not kind's: it may be anybody's cluster."""
    command = [kubectl, f"--kubeconfig={kubeconfig}", "config", "current-context"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    context = done.stdout.strip()
    if not context.startswith("kind-"):
        raise BuildError(
            f"CLUSTER=kind, but the current context is {context or 'not set'}; "
            "run: kubectl config use-context kind-NAME"
        )


def _local(registry: str | None) -> Target:
    command = ["python3", str(ROOT / "tests/cluster/status.py"), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    try:
        status = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise BuildError("the local cluster does not say how it is; see above") from error
    return Target(
        kind="local",
        kubeconfig=Path(status["kubeconfig"]),
        kubectl=str(Path(status["bin"], "kubectl")),
        registry=registry or status["registry"],
        running=status["running"],
    )
