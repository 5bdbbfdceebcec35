"""What an image is made of, as a list of files, as a hash, and as a folder for the build.

The folder holds exactly the files of the list, so what is not hashed cannot get in, and an image
whose hash is known need not be built again.
"""

import hashlib
import platform
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .catalog import BASE, BY_NAME, Image

TAG_LENGTH = 16
IGNORED_FOLDER = "__pycache__"


@dataclass(frozen=True)
class Sources:
    """Where the inputs come from: the tree, its version, and programs built outside of it."""

    root: Path
    version: str
    programs: Mapping[str, Path]


def files(image: Image, sources: Sources) -> dict[str, Path]:
    """Every input by the path under which the Dockerfile sees it."""
    patterns = (image.dockerfile, *image.files)
    found = {
        str(path.relative_to(sources.root)): path
        for pattern in patterns
        for path in sources.root.glob(pattern)
        if path.is_file() and IGNORED_FOLDER not in path.parts
    }
    if image.program is not None:
        found[image.program] = sources.programs[image.program]
    return dict(sorted(found.items()))


def tag(image: Image, sources: Sources) -> str:
    """Equal for equal inputs, wherever and whenever it is computed."""
    content = hashlib.sha256()
    for part in _identity(image, sources):
        content.update(part.encode() + b"\0")
    return content.hexdigest()[:TAG_LENGTH]


def _identity(image: Image, sources: Sources) -> Iterator[str]:
    yield from (BASE, platform.machine(), image.name, image.title, image.licenses)
    if image.published:
        yield sources.version
    for parent in image.parents:
        yield tag(BY_NAME[parent], sources)
    for name, path in files(image, sources).items():
        with path.open("rb") as stream:
            yield f"{name} {hashlib.file_digest(stream, 'sha256').hexdigest()}"


def stage(image: Image, sources: Sources, target: Path) -> None:
    """Copies the inputs into a folder of their own, the build's whole world."""
    shutil.rmtree(target, ignore_errors=True)
    for pattern in image.files:
        fixed = pattern.split("*", maxsplit=1)[0].rpartition("/")[0]
        (target / fixed).mkdir(parents=True, exist_ok=True)
    for name, path in files(image, sources).items():
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        place.chmod(0o755 if name == image.program else 0o644)
