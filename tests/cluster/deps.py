"""Installs the Debian packages that the cluster and the image builds need; quick once done."""

import os
import shutil
import subprocess

from localcluster.builds import go
from localcluster.failure import ClusterError, run
from localcluster.progress import step
from localcluster.root import require_root

PACKAGES = (
    "buildah",  # builds images without a container engine
    "ca-certificates",
    "debootstrap",  # the base image, where no image registry is reachable
    "docker-registry",
    "gcc",  # runc needs cgo
    "iproute2",
    "kmod",
    "libc6-dev",
    "libseccomp-dev",
    "nftables",
    "openssl",
    "pkg-config",
    "postgresql",  # what source.sql reads from, in the tests
    "python3-venv",
    "redis-server",  # the online store of features, in the tests
    "wrk",  # asks model servers, in the measurements
)
# Packages that start a server of their own; the tests' are others.
SERVICES = ("docker-registry", "postgresql", "redis-server")


def missing() -> list[str]:
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *PACKAGES]
    listed = subprocess.run(query, text=True, capture_output=True, check=False).stdout
    installed = {line.split()[0] for line in listed.splitlines() if line.endswith(" installed")}
    return [package for package in PACKAGES if package not in installed]


def install(packages: list[str]) -> None:
    _apt("update")
    _apt("install", "--yes", "--no-install-recommends", *packages)
    for service in SERVICES:
        if service in packages and shutil.which("systemctl"):
            command = ["systemctl", "disable", "--now", service]
            subprocess.run(command, capture_output=True, check=False)


def _apt(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", "-q", *arguments], env=environment, text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise ClusterError(f"apt-get {arguments[0]} failed:\n{done.stdout}{done.stderr}")


def main() -> int:
    go()
    wanted = missing()
    if wanted:
        require_root()
        with step(f"install Debian packages: {' '.join(wanted)}", about=60):
            install(wanted)
    return 0


if __name__ == "__main__":
    run(main)
