"""The images to install, each by digest: what was tried is what runs."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .failure import InstallError

_REFERENCE = re.compile(r"(?P<name>[^@\s]+)@(?P<digest>sha256:[0-9a-f]{64})")


@dataclass(frozen=True)
class Image:
    """A repository and a digest in it."""

    name: str
    digest: str

    def __str__(self) -> str:
        """Write the reference as a pod has it."""
        return f"{self.name}@{self.digest}"


def load(path: Path, needed: tuple[str, ...], wanted: tuple[str, ...] = ()) -> dict[str, Image]:
    """Read the file that the build of the images wrote; those `wanted` are taken where they are."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InstallError(f"{path} is not there: build the images first") from error
    except ValueError as error:
        raise InstallError(f"{path} is not JSON: {error}") from error
    names = (*needed, *(name for name in wanted if name in found))
    return {name: _image(path, found, name) for name in names}


def _image(path: Path, found: Mapping[str, object], name: str) -> Image:
    reference = found.get(name)
    match = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
    if match is None:
        raise InstallError(
            f"{path}: {name!r} is {reference!r}; REGISTRY/NAME@sha256:DIGEST is expected"
        )
    return Image(match["name"], match["digest"])
