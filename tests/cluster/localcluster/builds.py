"""Builds the cluster's programs from their pinned modules into the cache.

A component is built into a temporary folder that is renamed when complete, so an interrupted build
leaves nothing that looks finished; a lock keeps two builds on one machine from doing work twice.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from . import pins
from .failure import ClusterError
from .locks import exclusive
from .pins import Component
from .progress import duration, say, step

AT_ONCE = 2


def go() -> str:
    """The Go command: the one on PATH, or the one where Go's own instructions put it."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if found is None:
        raise ClusterError("Go is needed to build the cluster: put Go 1.26.8 or newer on PATH")
    return found


def build(cache: Path, components: Sequence[Component] = pins.COMPONENTS) -> Path:
    """Builds what is missing of the components; returns the folder where their programs are."""
    root = cache / "bin"
    everything = root / f"all-{pins.digest_of_all()}"
    if everything.is_dir() and not _missing(root, components):
        return everything
    with exclusive(root / ".lock", "building the cluster's programs"):
        for leftover in root.glob(".building-*"):
            shutil.rmtree(leftover)
        _build_missing(root, _missing(root, components))
        if not everything.is_dir():
            _link(root, everything)
    return everything


def _missing(root: Path, components: Sequence[Component]) -> list[Component]:
    return [one for one in components if not folder(root, one).is_dir()]


def folder(root: Path, component: Component) -> Path:
    return root / f"{component.name}-{pins.digest(component)}"


def _build_missing(root: Path, missing: Sequence[Component]) -> None:
    """Two at a time: while one waits for the network or links, the other keeps the cores busy."""
    total = sum(component.about for component in missing)
    say(f"{len(missing)} to build: about {duration(total)} in all on 2 cores")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(_build_one, root, component) for component in missing]
        try:
            for number, ended in enumerate(as_completed(running), start=1):
                ended.result()
                say(f"built {number} of {len(missing)}")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _build_one(root: Path, component: Component) -> None:
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
    """Puts all programs side by side, because containerd and the kubelet look on one path.

    Also those that are not built yet: their links lead somewhere as soon as they are.
    """
    target = root / ".building-all"
    target.mkdir()
    for component in pins.COMPONENTS:
        for name in component.programs:
            (target / name).symlink_to(Path("..", folder(root, component).name, name))
    target.rename(everything)
