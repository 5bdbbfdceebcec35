"""A real MinIO on a free loopback port, with its data in a folder of its own."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from minio import Minio
from tests.support.children import with_parent

from tidemill.store.config import StoreConfig

REPOSITORY = Path(__file__).parents[2]
ROOT = ("root-of-the-tests", "secret-of-the-tests")
BUCKET = "tidemill"
READY_SECONDS = 30.0


def binary() -> Path:
    """The MinIO of the local cluster, or the one that TIDEMILL_MINIO names."""
    named = os.environ.get("TIDEMILL_MINIO")
    if named:
        return Path(named)
    command = [sys.executable, str(REPOSITORY / "tests/cluster/build.py"), "--print", "minio"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    path = Path(found.stdout.strip())
    if found.returncode != 0 or not path.is_file():
        raise RuntimeError(
            "MinIO is missing: build it with `python3 tests/cluster/build.py` or set "
            f"TIDEMILL_MINIO ({found.stderr.strip()})"
        )
    return path


class MinioServer:
    """One process; it can be stopped and started again with the same data and port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> StoreConfig:
        return StoreConfig(
            endpoint=f"http://127.0.0.1:{self.port}",
            region="us-east-1",
            bucket=BUCKET,
            access_key=ROOT[0],
            secret_key=ROOT[1],
        )

    def client(self) -> Minio:
        host = f"127.0.0.1:{self.port}"
        return Minio(host, ROOT[0], ROOT[1], secure=False, region="us-east-1")

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            with_parent(
                *(str(binary()), "server", str(self.folder / "data")),
                *("--address", f"127.0.0.1:{self.port}", "--console-address", "127.0.0.1:0"),
            ),
            env={
                "MINIO_ROOT_USER": ROOT[0],
                "MINIO_ROOT_PASSWORD": ROOT[1],
                "MINIO_BROWSER": "off",
                "HOME": str(self.folder),
            },
            stdout=log,
            stderr=log,
        )
        self._wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _wait(self) -> None:
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
                connection.request("GET", "/minio/health/ready")
                if connection.getresponse().status == 200:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"MinIO does not start: {(self.folder / 'log').read_text()[-2000:]}")


@contextlib.contextmanager
def minio_server(folder: Path) -> Iterator[MinioServer]:
    server = MinioServer(folder)
    server.start()
    try:
        server.client().make_bucket(BUCKET)
        yield server
    finally:
        server.stop()
