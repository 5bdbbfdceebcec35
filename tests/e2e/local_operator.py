"""The operator as processes of this machine: the real cluster, the real images, one namespace.

It is given what the installed one has: the images of its Deployment, the place and the keys of its
store. The store is addressed by its Service's IP, which both this machine and pods reach.
"""

import base64
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.apiserver.control_plane import REPOSITORY
from tests.apiserver.kubectl import Kubectl
from tests.e2e.raw_store import SYSTEM
from tests.e2e.world import World, eventually
from tests.support.children import with_parent
from tests.support.ports import free_port

DEPLOYMENT = "tidemill-operator"
BUSY = "workqueue_depth|controller_runtime_active_workers"
DONE = "controller_runtime_reconcile_total"
SHORT_LEASE = ("--lease-seconds=6", "--renew-seconds=4", "--lease-retry-seconds=0.5")


@dataclass
class LocalOperator:
    """One process of the operator, or one that begins anew whenever it ends."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    record: Path

    def lives(self) -> list[int]:
        """Give the exit codes of the lives that have ended."""
        return [int(line) for line in self.record.read_text().split()]

    def ready(self) -> bool:
        """Tell whether it leads and watches."""
        return self.get("/readyz")[0] == 200

    def get(self, path: str) -> tuple[int, str]:
        """Ask its HTTP port; status 0 when there is no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def is_quiet(self, objects: int) -> bool:
        """Tell whether the present life has looked at that many objects and wrote nothing."""
        status, text = self.get("/metrics")
        if status != 200:
            return False
        writes, busy = _sum(text, "tidemill_api_writes_total"), _sum(text, BUSY)
        return (writes, busy) == (0, 0) and _sum(text, DONE) >= objects

    def writes(self) -> int:
        """Count the writes of the present life."""
        return int(_sum(self.get("/metrics")[1], "tidemill_api_writes_total"))

    def kill(self) -> None:
        """End it at once, as a lost machine would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def _sum(text: str, name: str) -> float:
    return sum(
        float(value)
        for value in re.findall(rf"^(?:{name})(?:\{{.*\}})? (\S+)$", text, re.MULTILINE)
    )


@dataclass(frozen=True)
class Installation:
    """What the installed operator has been given."""

    kubeconfig: Path
    directory: Path
    images: tuple[str, ...]

    @contextmanager
    def operator(
        self, world: World, *flags: str, restarts: bool = False, step: int = 0
    ) -> Iterator[LocalOperator]:
        """Run an operator for a namespace, in which its Lease lies as well; ended at the end."""
        number = len(list(self.directory.glob("*.log")))
        log, record = (self.directory / f"{number}.{end}" for end in ("log", "record"))
        record.touch()
        port = free_port()
        program = ["tests.e2e.lives", str(record), str(step)] if restarts else ["tidemill"]
        command = [
            *(sys.executable, "-m", *program, *self.images),
            *(f"--namespace={world.namespace}", f"--lease-namespace={world.namespace}"),
            *(f"--kubeconfig={self.kubeconfig}", "--listen=127.0.0.1", f"--port={port}"),
            "--data-port=0",
            *(f"--store-{part}={self.directory / 'store'}" for part in ("config", "credentials")),
            *flags,
        ]
        sources = os.pathsep.join((str(REPOSITORY / "operator"), str(REPOSITORY)))
        environment = {**os.environ, "PYTHONPATH": sources}
        with log.open("wb") as stream:
            process = subprocess.Popen(
                with_parent(*command), stdout=stream, stderr=stream, cwd=REPOSITORY, env=environment
            )
        running = LocalOperator(process, port, log, record)
        try:
            yield running
        finally:
            if process.poll() is None:
                running.stop()


@contextmanager
def installation(kubectl: Kubectl) -> Iterator[Installation]:
    """Read what the installed operator has been given."""
    with TemporaryDirectory() as folder:
        directory = Path(folder)
        _write_store(kubectl, directory / "store")
        template = kubectl.get("deployment", DEPLOYMENT, "-n", SYSTEM)["spec"]["template"]
        values = {e["name"]: e.get("value") for e in template["spec"]["containers"][0]["env"]}
        images = tuple(
            f"--{image}-image={values[f'TIDEMILL_{image.upper()}_IMAGE']}"
            for image in ("runner", "server")
        )
        yield Installation(kubectl.kubeconfig, directory, images)


def _write_store(kubectl: Kubectl, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    values = dict(kubectl.get("configmap", "tidemill-store", "-n", SYSTEM)["data"])
    address = kubectl.get("service", "minio", "-n", SYSTEM)["spec"]["clusterIP"]
    values["endpoint"] = f"http://{address}:9000"
    for key, value in kubectl.get("secret", "tidemill-store", "-n", SYSTEM)["data"].items():
        values[key] = base64.b64decode(value).decode()
    for name, value in values.items():
        (folder / name).write_text(value)
    try:
        socket.create_connection((address, 9000), timeout=5).close()
    except OSError:
        pytest.skip("this machine does not reach Services: no operator can run on it")


@contextmanager
def installed_operator_down(kubectl: Kubectl) -> Iterator[None]:
    """Hold the installed operator down, which serves every namespace."""
    scale(kubectl, 0)
    try:
        yield
    finally:
        scale(kubectl, 1)


def scale(kubectl: Kubectl, replicas: int) -> None:
    """Run as many installed operators, and wait until it is so."""
    name = f"deployment/{DEPLOYMENT}"
    kubectl("scale", name, f"--replicas={replicas}", "-n", SYSTEM)

    def done() -> bool:
        status = kubectl.get(name, "-n", SYSTEM)["status"]
        labels = f"app.kubernetes.io/name={DEPLOYMENT}"
        pods = kubectl.get("pods", "-l", labels, "-n", SYSTEM)["items"]
        return len(pods) == status.get("readyReplicas", 0) == replicas

    eventually(done, 90)
