"""Real data: Elec2, delivered to a bucket as any other system would deliver it.

The file comes out of a Python package, with its licence beside it. It is put into the cluster's
MinIO, together with a user who may read that bucket and nothing else, whose keys the Dataset refers
to.
"""

import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .cluster import NAMESPACE, SYSTEM, Cluster, secret
from .failure import DemoError
from .programs import ROOT, run

FOLDER = ROOT / "build" / "demo"
FILE = FOLDER / "elec.csv"
PYTHON = FOLDER / "venv" / "bin" / "python"
LOCK = ROOT / "images" / "runner" / "requirements.lock"
KEY = "elec2/elec.csv"
BUCKET = "raw"
READER = "raw-reader"
READER_USER = "demo-raw-reader"
MINIO_PORT = 9000
WAIT_SECONDS = 20.0


def fetch() -> None:
    """Downloads the file once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not PYTHON.exists():
        run(sys.executable, "-m", "venv", str(PYTHON.parent.parent))
    run(str(PYTHON), "manifests/samples/elec2/fetch.py", str(FILE))


def deliver(cluster: Cluster) -> None:
    """Puts the file into the bucket, and the reader's keys beside the Dataset."""
    _install("minio")
    root = cluster.secret("minio-root", SYSTEM)
    if not root:
        raise DemoError(f"There is no Secret minio-root in {SYSTEM}: MinIO is not installed.")
    password = cluster.secret(READER, NAMESPACE).get("AWS_SECRET_ACCESS_KEY")
    password = password or secrets.token_hex(16)
    with _minio(cluster) as address:
        given = {
            "MINIO_ADDRESS": address,
            "MINIO_USER": root["root-user"],
            "MINIO_PASSWORD": root["root-password"],
            "READER_USER": READER_USER,
            "READER_PASSWORD": password,
        }
        upload = (str(PYTHON), "demo/upload.py", str(FILE), BUCKET, KEY)
        run(*upload, environment=os.environ | given)
    keys = {"AWS_ACCESS_KEY_ID": READER_USER, "AWS_SECRET_ACCESS_KEY": password}
    cluster.apply(secret(READER, keys))


def _install(package: str) -> None:
    """Into an environment of the demonstration's own, in the version that the images have."""
    version = _locked(package)
    if any(PYTHON.parent.parent.glob(f"lib/*/site-packages/{package}-{version}.dist-info")):
        return
    pip = (str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, f"{package}=={version}")


def _locked(package: str) -> str:
    found = re.search(rf"^{package}==(\S+)", LOCK.read_text(), re.MULTILINE)
    if found is None:
        raise DemoError(f"{LOCK} does not hold {package}")
    return found[1]


@contextmanager
def _minio(cluster: Cluster) -> Iterator[str]:
    """MinIO's port on this machine, for as long as it is needed."""
    port = _free_port()
    forward = subprocess.Popen(
        [*cluster.command, "port-forward", "-n", SYSTEM, "service/minio", f"{port}:{MINIO_PORT}"],
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while not _answers(port):
            if forward.poll() is not None or time.monotonic() > deadline:
                raise DemoError("MinIO cannot be reached through kubectl port-forward.")
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        forward.terminate()
        forward.wait()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def rows(count: int) -> list[dict[str, str]]:
    """The last rows of the file, which the model has not learned from."""
    lines = FILE.read_text().splitlines()
    names = lines[0].split(",")
    return [dict(zip(names, line.split(","), strict=True)) for line in lines[-count:]]
