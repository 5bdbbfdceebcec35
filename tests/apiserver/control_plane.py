"""A real etcd and kube-apiserver on free loopback ports: no kubelet, no controllers.

What the API server itself does (defaults, validation, CEL, field ownership, conflicts, watches)
is real; what controllers would do is played by the test.
"""

import contextlib
import dataclasses
import http.client
import json
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.children import with_parent
from tests.support.ports import free_port

REPOSITORY = Path(__file__).parents[2]
TOKEN = "token-of-the-tests"
CERTIFICATE = Path("certificates/apiserver.crt")  # signed by itself at the first start
READY_SECONDS = 90.0
STOP_SECONDS = 3.0  # an API server would wait a minute for its watchers to leave


@dataclasses.dataclass(frozen=True)
class ControlPlane:
    """A running pair of processes."""

    server: str
    kubeconfig: Path
    processes: "Processes"


def binary(name: str) -> Path:
    """Find a binary of the local cluster; fail in words that say how to get it."""
    command = [sys.executable, str(REPOSITORY / "tests/cluster/build.py"), "--print", name]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    path = Path(found.stdout.strip())
    if found.returncode != 0 or not path.is_file():
        raise RuntimeError(
            f"{name} is missing: build it with `python3 tests/cluster/build.py` "
            f"({found.stderr.strip()})"
        )
    return path


class Processes:
    """etcd and kube-apiserver; the latter can be stopped and started again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports = {name: free_port() for name in ("etcd", "peer", "api")}
        self._etcd: subprocess.Popen[bytes] | None = None
        self._api: subprocess.Popen[bytes] | None = None

    def start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{self.ports[name]}" for name in ("etcd", "peer"))
        self._etcd = self._spawn(
            "etcd",
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=error",
        )

    def start_api(self) -> None:
        certificates = self.directory / "certificates"
        self._api = self._spawn(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self.ports['etcd']}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.ports['api']}",
            f"--cert-dir={certificates}",
            f"--token-auth-file={self.directory / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.directory / 'sa.pub'}",
            f"--service-account-signing-key-file={self.directory / 'sa.key'}",
            "--service-cluster-ip-range=198.18.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            "--feature-gates=AllAlpha=false",
            "--watch-cache=true",
            "--v=1",
        )

    def stop_api(self) -> None:
        _stop(self._api)
        self._api = None

    def stop(self) -> None:
        self.stop_api()
        _stop(self._etcd)

    def _spawn(self, name: str, *flags: str) -> subprocess.Popen[bytes]:
        with (self.directory / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                with_parent(binary(name), *flags),
                stdout=log,
                stderr=log,
            )

    def check(self) -> None:
        """Fail with the end of its log when a process has ended."""
        for name, process in (("etcd", self._etcd), ("kube-apiserver", self._api)):
            if process is not None and process.poll() is not None:
                log = (self.directory / f"{name}.log").read_text(errors="replace")
                raise RuntimeError(f"{name} ended with {process.returncode}:\n{log[-4000:]}")


def _stop(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None and process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def control_plane(directory: Path) -> Iterator[ControlPlane]:
    """Start both, wait until the API server is ready, stop both at the end."""
    _write_credentials(directory)
    processes = Processes(directory)
    try:
        processes.start_etcd()
        processes.start_api()
        server = f"https://127.0.0.1:{processes.ports['api']}"
        wait_ready(processes)
        yield ControlPlane(server, _write_kubeconfig(directory, server), processes)
    finally:
        processes.stop()
        shutil.rmtree(directory / "etcd", ignore_errors=True)


def wait_ready(processes: Processes) -> None:
    """Wait until `/readyz` says ok."""
    port, certificate = processes.ports["api"], processes.directory / CERTIFICATE
    headers = {"Authorization": f"Bearer {TOKEN}"}
    end = time.monotonic() + READY_SECONDS
    while True:
        processes.check()
        try:
            context = ssl.create_default_context(cafile=certificate)
            api = http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=context)
            api.request("GET", "/readyz", headers=headers)
            if api.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass  # not yet
        if time.monotonic() > end:
            raise RuntimeError(f"the API server was not ready within {READY_SECONDS:.0f} s")
        time.sleep(0.1)


def _write_credentials(directory: Path) -> None:
    (directory / "tokens.csv").write_text(f'{TOKEN},tests,1,"system:masters"\n')
    key, public = directory / "sa.key", directory / "sa.pub"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    subprocess.run(
        ["openssl", "rsa", "-in", key, "-pubout", "-out", public], check=True, capture_output=True
    )


def _write_kubeconfig(directory: Path, server: str) -> Path:
    path = directory / "kubeconfig"
    cluster = {
        "server": server,
        "certificate-authority": str(directory / CERTIFICATE),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return path
