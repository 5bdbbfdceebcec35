"""Builds the cluster's programs from their pinned modules into the cache.

A component is built into a temporary folder that is renamed when complete, so an interrupted build
leaves nothing that looks finished; a lock keeps two builds on one machine from doing work twice.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

from . import pins
from .failure import ClusterError
from .locks import exclusive
from .pins import Component
from .progress import duration, say, step


def go() -> str:
    """The Go command: the one on PATH, or the one where Go's own instructions put it."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if found is None:
        raise ClusterError("Go is needed to build the cluster: put Go 1.26.8 or newer on PATH")
    return found


def build_all(cache: Path) -> Path:
    """Builds what is missing; returns the folder in which every program can be found."""
    root = cache / "bin"
    everything = root / f"all-{pins.digest_of_all()}"
    if everything.is_dir():
        return everything
    with exclusive(root / ".lock", "building the cluster's programs"):
        for leftover in root.glob(".building-*"):
            shutil.rmtree(leftover)
        missing = [one for one in pins.COMPONENTS if not folder(root, one).is_dir()]
        _build_missing(root, missing)
        _link(root, everything)
    return everything


def folder(root: Path, component: Component) -> Path:
    return root / f"{component.name}-{pins.digest(component)}"


def _build_missing(root: Path, missing: list[Component]) -> None:
    began = time.monotonic()
    total = sum(component.about for component in missing)
    for number, component in enumerate(missing, start=1):
        spent = duration(time.monotonic() - began)
        say(f"build {number} of {len(missing)}; so far {spent} of about {duration(total)} in all")
        with step(f"build {component.name}", component.about):
            _build(root, component)


def _build(root: Path, component: Component) -> None:
    target = root / f".building-{component.name}"
    target.mkdir(parents=True)
    _compile(component, target)
    if component.renamed is not None:
        old, new = component.renamed
        (target / old).rename(target / new)
    absent = [name for name in component.programs if not (target / name).is_file()]
    if absent:
        raise ClusterError(f"building {component.name} did not give {', '.join(absent)}")
    target.rename(folder(root, component))


def _compile(component: Component, target: Path) -> None:
    kept = {key: value for key, value in os.environ.items() if key not in ("GOFLAGS", "GOBIN")}
    environment = kept | {"CGO_ENABLED": "1" if component.cgo else "0", "GOWORK": "off"}
    command = ["nice", go(), "build", *component.flags(), "-o", f"{target}/", "tool"]
    done = subprocess.run(
        command, cwd=component.folder, env=environment, text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("go: download")]
        raise ClusterError("\n".join([f"building {component.name} failed:", *lines[-20:]]))


def _link(root: Path, everything: Path) -> None:
    """Puts all programs side by side, because containerd and the kubelet look on one path."""
    target = root / ".building-all"
    target.mkdir()
    for component in pins.COMPONENTS:
        for name in component.programs:
            (target / name).symlink_to(Path("..", folder(root, component).name, name))
    target.rename(everything)
