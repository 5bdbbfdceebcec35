"""A real S3 server on a free loopback port, with its data in a folder of its own."""

import contextlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from minio import Minio
from tests.support.children import with_parent
from tests.support.ports import free_port

from tidemill.store.config import StoreConfig

REPOSITORY = Path(__file__).parents[2]
ROOT = ("root-of-the-tests", "secret-of-the-tests")
BUCKET = "tidemill"
REGION = "us-east-1"
READY_SECONDS = 60.0


def binary(program: str) -> Path:
    """The program of the local cluster, or the one that TIDEMILL_<PROGRAM> names."""
    variable = f"TIDEMILL_{program.upper()}"
    if named := os.environ.get(variable):
        return Path(named)
    command = [sys.executable, str(REPOSITORY / "tests/cluster/build.py"), "--print", program]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    path = Path(found.stdout.strip())
    if found.returncode != 0 or not path.is_file():
        raise RuntimeError(
            f"{program} is missing: build it with `python3 tests/cluster/build.py {program}` or "
            f"set {variable} ({found.stderr.strip()})"
        )
    return path


class S3Server:
    """One process; it can be stopped and started again with the same data and port."""

    program: ClassVar[str]
    health: ClassVar[str]  # the path that answers 200 when requests are taken

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def config(self) -> StoreConfig:
        return StoreConfig(
            endpoint=f"http://{self.address}",
            region=REGION,
            bucket=BUCKET,
            access_key=ROOT[0],
            secret_key=ROOT[1],
        )

    def client(self) -> Minio:
        return Minio(self.address, ROOT[0], ROOT[1], secure=False, region=REGION)

    def command(self) -> list[str]:
        """What is started, after the program's name."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        raise NotImplementedError

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                with_parent(str(binary(self.program)), *self.command()),
                env={"HOME": str(self.folder), **self.environment()},
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
                connection.request("GET", self.health)
                if connection.getresponse().status == 200:
                    return
            time.sleep(0.05)
        log = (self.folder / "log").read_text()
        raise RuntimeError(f"{self.program} does not start: {log[-2000:]}")


@contextlib.contextmanager
def running(kind: Callable[[Path], S3Server], folder: Path) -> Iterator[S3Server]:
    """One with the bucket in it, until the end."""
    server = kind(folder)
    server.start()
    try:
        server.client().make_bucket(BUCKET)
        yield server
    finally:
        server.stop()
