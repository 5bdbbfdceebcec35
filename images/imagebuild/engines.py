"""The two programs that can build an image, behind one small set of verbs.

buildah is preferred: it needs no daemon. Its images live in a folder of the cache, apart from
whatever else the machine has, so a second clone finds them and `rm -r` of the cache ends them.
"""

import json
import os
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .failure import BuildError

TAIL_LINES = 25


@dataclass(frozen=True)
class Build:
    """One run of a Dockerfile; `secrets` are files that the image does not keep."""

    name: str
    context: Path
    dockerfile: str
    log: Path
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    output: Path | None = None  # the files of the last stage go here instead of into an image

    def options(self) -> list[str]:
        options = ["--file", str(self.context / self.dockerfile)]
        for name, value in self.arguments.items():
            options += ["--build-arg", f"{name}={value}"]
        for name, value in self.labels.items():
            options += ["--label", f"{name}={value}"]
        for name, path in self.secrets.items():
            options += ["--secret", f"id={name},src={path}"]
        if self.output is not None:
            return [*options, "--output", f"type=local,dest={self.output}"]
        return [*options, "--tag", self.name]


class Engine(Protocol):
    """What the rest of the build needs of a container engine."""

    def has(self, name: str) -> bool: ...
    def pull(self, name: str) -> bool: ...
    def build(self, build: Build) -> None: ...
    def size(self, name: str) -> str: ...
    def push(self, name: str, target: str, log: Path) -> str: ...


class Buildah:
    """buildah with chroot isolation, which needs neither a daemon nor a runtime."""

    def __init__(self, storage: Path) -> None:
        runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or "/run")
        mounts = runtime / f"tidemill-images-{zlib.crc32(str(storage).encode()):08x}"
        self._command = [
            *("buildah", "--storage-driver", "overlay"),
            *("--root", str(storage), "--runroot", str(mounts)),
        ]

    def has(self, name: str) -> bool:
        return _answers([*self._command, "images", "--quiet", name])

    def pull(self, name: str) -> bool:
        return _answers([*self._command, "pull", "--quiet", "--retry", "0", name])

    def build(self, build: Build) -> None:
        fixed = ["--isolation", "chroot", "--layers", "--format", "oci", "--pull=never"]
        command = [*self._command, "build", *fixed, *build.options(), str(build.context)]
        _logged(command, build.log)

    def size(self, name: str) -> str:
        listed = json.loads(_output([*self._command, "images", "--json", name]))
        return str(listed[0]["size"])

    def push(self, name: str, target: str, log: Path) -> str:
        with tempfile.NamedTemporaryFile("r") as digest:
            options = ["--digestfile", digest.name, f"--tls-verify={_needs_tls(target)}"]
            zstd = ["--compression-format", "zstd"]
            command = [*self._command, "push", *options, *zstd, name, f"docker://{target}"]
            _logged(command, log)
            return digest.read().strip()


class Docker:
    """docker with its own storage, where buildah is not installed."""

    def has(self, name: str) -> bool:
        return bool(_output(["docker", "images", "--quiet", name]))

    def pull(self, name: str) -> bool:
        return _answers(["docker", "pull", "--quiet", name])

    def build(self, build: Build) -> None:
        _logged(["docker", "build", *build.options(), str(build.context)], build.log)

    def size(self, name: str) -> str:
        return _output(["docker", "images", "--format", "{{.Size}}", name])

    def push(self, name: str, target: str, log: Path) -> str:
        _output(["docker", "tag", name, target])
        _logged(["docker", "push", target], log)
        listed = _output(["docker", "inspect", "--format", '{{join .RepoDigests "\n"}}', target])
        repository = target.rpartition(":")[0]
        for line in listed.splitlines():
            if line.startswith(f"{repository}@"):
                return line.partition("@")[2]
        raise BuildError(f"docker pushed {target} and does not say under which digest")


def choose(storage: Path) -> Engine:
    if shutil.which("buildah"):
        return Buildah(storage)
    if shutil.which("docker"):
        return Docker()
    raise BuildError("buildah or docker is needed to build images: apt-get install buildah")


def is_local(registry: str) -> bool:
    host = registry.partition("/")[0].rpartition(":")[0]
    return host in ("localhost", "127.0.0.1", "[::1]")


def _needs_tls(target: str) -> str:
    return "false" if is_local(target) else "true"


def _answers(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


def _logged(command: Sequence[str], log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as stream:
        done = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        raise BuildError(f"{tail}\n{command[0]} failed; all of its output: {log}")
