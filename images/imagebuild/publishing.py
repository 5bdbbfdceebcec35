"""Puts built images into a registry and writes down by which digest each is known there.

`build/images.json` is what everything else refers to; `build/images-sizes.json` keeps the sizes. A
push is left out when the registry already has what was pushed from the same inputs.
"""

import http.client
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from .building import Workshop, ensure
from .catalog import REPOSITORY, Image
from .engines import is_local
from .failure import BuildError
from .inputs import tag
from .paths import LOGS, REPORTS
from .progress import mebibytes, step

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Published:
    """An image in a registry; `pulled` is what travels (None where the registry does not tell)."""

    reference: str
    tag: str
    layers: int | None
    pulled: int | None
    unpacked: str


def publish(workshop: Workshop, image: Image, registry: str) -> Published:
    repository = f"{registry}/{REPOSITORY}/{image.name}"
    version = tag(image, workshop.sources)
    known = _Records(workshop.cache / "published.json")
    earlier = known.get(f"{repository}:{version}")
    if earlier is not None and _manifest(earlier.reference) is not None:
        return earlier
    local = ensure(workshop, image)
    with step(f"push image {image.name}", about=10):
        log = LOGS / f"images-push-{image.name}.log"
        digest = workshop.engine.push(local, f"{repository}:{version}", log)
    reference = f"{repository}@{digest}"
    layers = (_manifest(reference) or {}).get("layers")
    published = Published(
        reference=reference,
        tag=version,
        layers=len(layers) if layers else None,
        pulled=sum(layer["size"] for layer in layers) if layers else None,
        unpacked=workshop.engine.size(local),
    )
    known.put(f"{repository}:{version}", published)
    return published


class _Records:
    """What was pushed from this cache, so that sizes and digests need not be asked for again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, name: str) -> Published | None:
        found = self._read().get(name)
        return Published(**found) if found else None

    def put(self, name: str, published: Published) -> None:
        _write(self._path, self._read() | {name: asdict(published)})

    def _read(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return found


def _manifest(reference: str) -> dict[str, Any] | None:
    """Asks only a registry on this machine; another one may want to know who asks."""
    registry, _, path = reference.partition("/")
    if not is_local(registry):
        return None
    repository, _, digest = path.partition("@")
    connection = http.client.HTTPConnection(registry, timeout=TIMEOUT_SECONDS)
    try:
        accepted = {"Accept": f"{MANIFEST}, {DOCKER_MANIFEST}"}
        connection.request("GET", f"/v2/{repository}/manifests/{digest}", headers=accepted)
        answer = connection.getresponse()
        content = answer.read()
    except OSError as error:
        raise BuildError(f"the registry {registry} does not answer: {error}") from error
    finally:
        connection.close()
    found: dict[str, Any] | None = json.loads(content) if answer.status == HTTPStatus.OK else None
    return found


def report(published: Mapping[str, Published], folder: Path = REPORTS) -> str:
    """Writes both files and returns the sizes as a table."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "images.json", {name: one.reference for name, one in published.items()})
    sizes = {
        name: {"tag": one.tag, "layers": one.layers, "pulled": one.pulled, "unpacked": one.unpacked}
        for name, one in published.items()
    }
    _write(folder / "images-sizes.json", sizes)
    rows = [("image", "tag", "layers", "pulled", "unpacked")]
    for name, one in published.items():
        pulled = "-" if one.pulled is None else mebibytes(one.pulled)
        rows.append((name, one.tag, str(one.layers or "-"), pulled, one.unpacked))
    return "\n".join("{:10} {:18} {:>6} {:>12} {:>12}".format(*row) for row in rows)


def _write(path: Path, document: Mapping[str, Any]) -> None:
    made = path.with_suffix(".new")
    made.write_text(json.dumps(document, indent=2) + "\n")
    made.rename(path)
