"""Turns the extras of pyproject.toml into one lock per image.

The resolver runs inside the images' own interpreter, because what fits depends on its version. The
layer that runner and server share is resolved first; what they add is resolved against it, and then
only the difference is written, so that nothing is installed twice.
"""

import re
import tempfile
import tomllib
from pathlib import Path

from . import pip
from .building import Workshop, ensure
from .catalog import BY_NAME
from .engines import Build
from .failure import BuildError
from .paths import LOGS
from .progress import step

SHARED = "science"
SHARING = ("runner", "server")
ALONE = ("operator",)
# Added to images that have the shared layer below them.
ADDED = ("boosting",)
HEADER = "# Made by `make lock` from pyproject.toml; do not edit.\n"
ENTRY = re.compile(r"^(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>\S+)", re.MULTILINE)


def lock_all(workshop: Workshop, *, upgrade: bool) -> None:
    wanted = requirements(workshop.sources.root)
    shared = _resolve(workshop, SHARED, wanted[SHARED], upgrade=upgrade)
    _write(workshop, SHARED, shared)
    for image in (*SHARING, *ADDED):
        whole = _resolve(workshop, image, wanted[image], constraints=shared, upgrade=upgrade)
        _write(workshop, image, without(whole, shared))
    for image in ALONE:
        _write(workshop, image, _resolve(workshop, image, wanted[image], upgrade=upgrade))


def requirements(root: Path) -> dict[str, list[str]]:
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    wanted: dict[str, list[str]] = {name: extras[name] for name in (*SHARING, *ADDED, *ALONE)}
    first, second = (set(wanted[name]) for name in SHARING)
    return wanted | {SHARED: sorted(first & second)}


def entries(lock: str) -> dict[str, str]:
    """Each locked package with its lines, hashes included."""
    starts = [*ENTRY.finditer(lock)]
    ends = [match.start() for match in starts[1:]] + [len(lock)]
    return {
        match["name"]: lock[match.start() : end].rstrip() + "\n"
        for match, end in zip(starts, ends, strict=True)
    }


def without(whole: str, shared: str) -> str:
    """What an image adds to the layer below; the two must agree on what they have in common."""
    below = entries(shared)
    added = []
    for name, lines in entries(whole).items():
        if name not in below:
            added.append(lines)
        elif lines != below[name]:
            raise BuildError(f"{name} is locked differently in the shared layer and above it")
    return "".join(added)


def _resolve(
    workshop: Workshop,
    image: str,
    wanted: list[str],
    *,
    constraints: str = "",
    upgrade: bool,
) -> str:
    installer = ensure(workshop, BY_NAME["installer"])
    lock = _path(workshop, image)
    kept = "" if upgrade or not lock.exists() else lock.read_text()
    with tempfile.TemporaryDirectory() as folder:
        context, output, secret = (Path(folder, name) for name in ("context", "output", "secret"))
        for made in (context, output, secret):
            made.mkdir()
        (context / "requirements.in").write_text("\n".join(wanted) + "\n")
        (context / "constraints.txt").write_text(versions(constraints))
        (context / "requirements.lock").write_text(kept)
        dockerfile = workshop.sources.root / "images/lock/Dockerfile"
        (context / "Dockerfile").write_text(dockerfile.read_text())
        build = Build(
            name="",
            context=context,
            dockerfile="Dockerfile",
            log=LOGS / f"lock-{image}.log",
            arguments={"INSTALLER": installer},
            secrets=pip.secrets(secret),
            output=output,
        )
        with step(f"lock {image}", about=40):
            workshop.engine.build(build)
        return (output / "requirements.lock").read_text()


def versions(lock: str) -> str:
    """The lock as constraints, without hashes: one hash would have to be many."""
    return "".join(f"{match['name']}=={match['version']}\n" for match in ENTRY.finditer(lock))


def _path(workshop: Workshop, image: str) -> Path:
    return workshop.sources.root / "images" / image / "requirements.lock"


def _write(workshop: Workshop, image: str, lock: str) -> None:
    _path(workshop, image).write_text(HEADER + "".join(entries(lock).values()))
