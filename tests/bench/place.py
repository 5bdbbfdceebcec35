"""Where a measurement is made: a cluster with Tidemill installed, and how to look into it."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.apiserver.kubectl import Kubectl
from tests.e2e.raw_store import SYSTEM, raw_store

ROOT = Path(__file__).resolve().parents[2]
OPERATOR = "tidemill-operator"
LABEL = f"app.kubernetes.io/name={OPERATOR}"
BUCKET = "tidemill"


@dataclass(frozen=True)
class Place:
    """One operator, its API server and its bucket."""

    kubectl: Kubectl
    put: Callable[[str, bytes], None]  # an object into the operator's bucket
    metrics: Callable[[], str]  # what the operator exposes
    proc: Callable[[str], str]  # a file below /proc/PID of the operator
    stop: Callable[[], None]  # end the operator's process
    start: Callable[[Mapping[str, str]], None]  # start it with these settings; it is ready then
    audit: Path | None  # the API server's audit log, where there is one

    async def put_later(self, key: str, data: bytes) -> None:
        """Write an object without standing in the way of others."""
        await asyncio.to_thread(self.put, key, data)


@contextmanager
def installed() -> Iterator[Place]:
    """Give the cluster of KUBECONFIG, else the local one."""
    kubectl = installed_kubectl()
    audit = kubectl.kubeconfig.parent / "logs" / "audit.log"
    deployment = f"deploy/{OPERATOR}"
    service = f"/api/v1/namespaces/{SYSTEM}/services/{OPERATOR}:http/proxy/metrics"

    def proc(name: str) -> str:
        return kubectl("exec", "-n", SYSTEM, deployment, "--", "cat", f"/proc/1/{name}")

    def stop() -> None:
        kubectl("scale", deployment, "-n", SYSTEM, "--replicas=0")
        kubectl("wait", "pod", "-n", SYSTEM, "-l", LABEL, "--for=delete", "--timeout=55s")

    def start(settings: Mapping[str, str]) -> None:
        if settings:
            values = [f"{name}={value}" for name, value in settings.items()]
            kubectl("set", "env", deployment, "-n", SYSTEM, *values)
        kubectl("scale", deployment, "-n", SYSTEM, "--replicas=1")
        kubectl("rollout", "status", deployment, "-n", SYSTEM, "--timeout=55s")

    with raw_store(kubectl) as store, _restored(kubectl):
        yield Place(
            kubectl=kubectl,
            put=lambda key, data: store.put(key, data, bucket=BUCKET),
            metrics=lambda: kubectl("get", "--raw", service),
            proc=proc,
            stop=stop,
            start=start,
            audit=audit if audit.exists() else None,
        )


@contextmanager
def _restored(kubectl: Kubectl) -> Iterator[None]:
    """Let the operator run as it did before, whatever happens."""
    before = kubectl.get("deploy", OPERATOR, "-n", SYSTEM)["spec"]
    try:
        yield
    finally:
        change = json.dumps({"spec": {name: before[name] for name in ("replicas", "template")}})
        kubectl("patch", "deploy", OPERATOR, "-n", SYSTEM, "--type=merge", "-p", change)


def installed_kubectl() -> Kubectl:
    """Give the kubectl of KUBECONFIG's cluster, else of the local one."""
    if chosen := os.environ.get("KUBECONFIG"):
        program = shutil.which("kubectl")
        if program is None:
            raise SystemExit("kubectl is needed in PATH")
        return Kubectl(program, Path(chosen))
    command = [sys.executable, str(ROOT / "tests/cluster/status.py"), "--json"]
    found = json.loads(subprocess.run(command, capture_output=True, check=False).stdout or "{}")
    if not found.get("running"):
        raise SystemExit("no cluster is up: run `make install`")
    return Kubectl(str(Path(found["bin"], "kubectl")), Path(found["kubeconfig"]))
