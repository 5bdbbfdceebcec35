"""Builds what is not there yet: first the parents of an image, then the image.

An image is known by the hash of its inputs, so the question "is it built?" costs one look into the
engine's storage; layers that did not change come from the engine's own cache.
"""

import re
import subprocess
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from . import debian, pip
from .catalog import BY_NAME, REPOSITORY, Image
from .engines import Build, Engine
from .failure import BuildError
from .inputs import Sources, stage, tag
from .paths import LOGS
from .progress import step


@dataclass(frozen=True)
class Workshop:
    """What a build works with; `cache` is the folder for what is made on the way."""

    engine: Engine
    sources: Sources
    cache: Path

    def name(self, image: Image) -> str:
        return f"localhost/{REPOSITORY}/{image.name}:{tag(image, self.sources)}"


def read_sources(root: Path, *, with_programs: bool) -> Sources:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    programs = {"minio": cluster_program(root, "minio")} if with_programs else {}
    return Sources(root, project["version"], programs)


def cluster_program(root: Path, name: str) -> Path:
    """A program that the local cluster's build makes from a pinned Go module."""
    command = ["python3", str(root / "tests/cluster/build.py")]
    for arguments in ([name], ["--print", name]):
        done = subprocess.run(
            [*command, *arguments], stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode != 0:
            raise BuildError(f"{name} cannot be built; see the message above")
    return Path(done.stdout.strip()).resolve()


def ensure(workshop: Workshop, image: Image) -> str:
    """Builds the image and its parents where needed; returns its local name."""
    name = workshop.name(image)
    if workshop.engine.has(name):
        return name
    debian.ensure(workshop.engine, workshop.cache)
    parents = {parent: ensure(workshop, BY_NAME[parent]) for parent in image.parents}
    with step(f"build image {image.name}", about=image.about):
        _build(workshop, image, parents)
    return name


def _build(workshop: Workshop, image: Image, parents: dict[str, str]) -> None:
    context = workshop.cache / "context" / image.name
    stage(image, workshop.sources, context)
    with tempfile.TemporaryDirectory() as folder:
        workshop.engine.build(
            Build(
                name=workshop.name(image),
                context=context,
                dockerfile=image.dockerfile,
                log=LOGS / f"images-{image.name}.log",
                arguments={parent.upper(): name for parent, name in parents.items()},
                labels=labels(image, workshop.sources) if image.published else {},
                secrets=pip.secrets(Path(folder)),
            )
        )


def labels(image: Image, sources: Sources) -> dict[str, str]:
    """OCI's names for what a registry or a scanner shows of an image."""
    project = tomllib.loads((sources.root / "pyproject.toml").read_text())["project"]
    described = {
        "title": image.title,
        "version": sources.version,
        "revision": revision(sources.root),
        "licenses": image.licenses,
        "source": image.source or project.get("urls", {}).get("Source"),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    return {f"org.opencontainers.image.{key}": value for key, value in described.items() if value}


def revision(root: Path) -> str | None:
    """The commit that the tree is at, marked where the tree differs from it."""
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        done = subprocess.run(command, text=True, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    found = done.stdout.strip()
    return found if re.fullmatch(r"[0-9a-f]{40}(-dirty)?", found) else None
