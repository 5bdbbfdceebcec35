"""Writes a container image of one layer as an OCI archive, and gives it to containerd.

Enough for the image without which no pod can start (no registry of such images can be assumed to be
reachable), and for small images of tests; real images are built from Dockerfiles.
"""

import gzip
import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .failure import ClusterError
from .layout import Layout

PAUSE = "tidemill.dev/pause:1"
PINNED = "io.cri-containerd.pinned=pinned"  # the kubelet's housekeeping must not delete it
OCI = "application/vnd.oci.image"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
NOBODY = 65534


@dataclass(frozen=True)
class Image:
    """One layer: executable files by their path, and links by their target."""

    name: str
    files: Mapping[str, Path]
    entrypoint: tuple[str, ...]
    links: Mapping[str, str]


def pause(layout: Layout) -> Image:
    return Image(PAUSE, {"pause": Path(layout.program("pause"))}, ("/pause",), {})


def write_archive(image: Image, target: Path) -> None:
    layer = _layer(image)
    blobs = {_digest(gzipped): gzipped for gzipped in [gzip.compress(layer, mtime=0)]}
    (layer_digest,) = blobs
    config = _json(
        {
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Entrypoint": image.entrypoint, "User": f"{NOBODY}:{NOBODY}"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": _descriptor(f"{OCI}.config.v1+json", config),
            "layers": [_descriptor(f"{OCI}.layer.v1.tar+gzip", blobs[layer_digest])],
        }
    )
    blobs |= {_digest(config): config, _digest(manifest): manifest}
    named = _descriptor(f"{OCI}.manifest.v1+json", manifest)
    named["annotations"] = {"io.containerd.image.name": image.name}
    entries = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "manifests": [named]}),
    } | {f"blobs/{digest.replace(':', '/')}": blob for digest, blob in blobs.items()}
    with tarfile.open(target, "w") as archive:
        for name, content in entries.items():
            archive.addfile(_entry(name, len(content), 0o644), io.BytesIO(content))


def load(layout: Layout, image: Image) -> None:
    """Puts the image into containerd, where the kubelet finds it, unless it is there."""
    if image.name in _ctr(layout, "images", "ls", "--quiet").split():
        return
    archive = layout.run / "image.tar"
    write_archive(image, archive)
    _ctr(layout, "images", "import", str(archive))
    _ctr(layout, "images", "label", image.name, PINNED)
    archive.unlink()


def _ctr(layout: Layout, *arguments: str) -> str:
    command = [layout.program("ctr"), "-a", str(layout.containerd_socket), "-n", "k8s.io"]
    done = subprocess.run([*command, *arguments], text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"ctr {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _layer(image: Image) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for folder in sorted({str(Path(path).parent) for path in image.files} - {"."}):
            entry = _entry(folder, 0, 0o755)
            entry.type = tarfile.DIRTYPE
            layer.addfile(entry)
        for path, source in sorted(image.files.items()):
            content = source.read_bytes()
            layer.addfile(_entry(path, len(content), 0o755), io.BytesIO(content))
        for path, link in sorted(image.links.items()):
            entry = _entry(path, 0, 0o777)
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            layer.addfile(entry)
    return buffer.getvalue()


def _entry(name: str, size: int, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, mode
    return entry


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True).encode()
