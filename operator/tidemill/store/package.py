"""The model package: a folder of known files, proved by one digest over their manifest.

`manifest.json` is canonical JSON and names every file with digest and size; its own sha256 is the
package's digest. It is written last and read first. Nothing that the manifest does not name may lie
beside it but its signature, and nothing in it may be a pickle: loading one runs code. The model is
`model.skops`, with trees of their own format or the same model in ONNX beside it, or `model.onnx`
alone.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemill.store import archive, boosted, digests, onnx_file
from tidemill.store.errors import PackageError, PackageReason

__all__ = [
    "ALLOWED_FILES",
    "MANIFEST",
    "SIGNATURE",
    "PackageError",
    "PackageFile",
    "PackageManifest",
    "PackageReason",
    "build_manifest",
    "check_names",
    "parse_manifest",
    "verify_dir",
]

FORMAT = "tidemill.dev/package/v1"
MANIFEST = "manifest.json"
# Lies beside the manifest and is no part of the package: see `signed`.
SIGNATURE = "model.sig"
_BESIDE = frozenset({MANIFEST, SIGNATURE})
MODEL = "model.skops"
ONNX = onnx_file.FILE
REQUIRED_FILES = frozenset({"signature.json", "environment.json"})
MODEL_FILES = frozenset({MODEL, ONNX, *boosted.FILES.values()})
ALLOWED_FILES = (
    REQUIRED_FILES
    | MODEL_FILES
    | {
        "profile.json",
        "holdout.parquet",
        "metrics.json",
        "card.md",
        "card.json",
        "lineage.json",
    }
)
MAX_MODEL_BYTES = 8 * 1024**3
MAX_FILE_BYTES = 64 * 1024**2
MAX_MANIFEST_BYTES = 64 * 1024
_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class PackageFile:
    path: str
    digest: str
    size: int


@dataclass(frozen=True)
class PackageManifest:
    """The files of a package and the digest that stands for all of them."""

    files: tuple[PackageFile, ...]
    digest: str

    @property
    def total_bytes(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(file.path for file in self.files)

    @property
    def onnx_alone(self) -> bool:
        """Whether nothing but ONNX Runtime can answer for it."""
        return MODEL not in self.paths


def build_manifest(directory: Path) -> tuple[bytes, str]:
    """The canonical manifest of a folder that holds a package and nothing else, and its digest."""
    names = sorted(path.name for path in directory.iterdir() if path.name not in _BESIDE)
    files = [_describe(directory / name) for name in names]
    data = digests.canonical_json(
        {
            "files": [{"path": f.path, "sha256": f.digest, "size": f.size} for f in files],
            "format": FORMAT,
        }
    )
    _check_files(files)
    return data, digests.sha256_digest(data)


def parse_manifest(data: bytes, expected_digest: str) -> PackageManifest:
    """Prove the manifest against the digest asked for, then judge what it names."""
    actual = digests.sha256_digest(data)
    if actual != expected_digest:
        raise PackageError(
            PackageReason.DIGEST_MISMATCH,
            f"the package's manifest.json has digest {actual}, not {expected_digest}",
        )
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise _malformed(f"manifest.json has format {document['format']!r}, not {FORMAT!r}")
        files = tuple(_parse_file(item) for item in document["files"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _malformed(f"manifest.json cannot be read: {type(error).__name__}: {error}") from None
    _check_files(files)
    return PackageManifest(files, actual)


def check_names(manifest: PackageManifest, found: Iterable[str]) -> None:
    """Compare what lies under the package's prefix with what the manifest names."""
    names = set(found) - _BESIDE
    if extra := sorted(names - manifest.paths):
        raise PackageError(
            PackageReason.UNEXPECTED_FILE,
            f"the package holds {extra[0]!r}, which its manifest does not name: remove it",
        )
    if missing := sorted(manifest.paths - names):
        raise PackageError(
            PackageReason.MISSING_FILE,
            f"the package lacks {missing[0]!r}, which its manifest names: restore it",
        )


def verify_dir(directory: Path, manifest: PackageManifest) -> None:
    """Prove every byte of a downloaded package; the folder may hold the manifest too."""
    check_names(manifest, (p.relative_to(directory).as_posix() for p in directory.rglob("*")))
    for file in manifest.files:
        actual = _describe(directory / file.path)
        if actual != file:
            raise PackageError(
                PackageReason.DIGEST_MISMATCH,
                f"{file.path} has {actual.size} bytes with digest {actual.digest}, "
                f"the manifest says {file.size} with {file.digest}",
            )
        _check_content(directory / file.path)


def _describe(path: Path) -> PackageFile:
    if path.is_symlink() or not path.is_file():
        raise PackageError(
            PackageReason.UNSAFE_PATH, f"{path.name!r} is not a regular file of the package"
        )
    hasher = digests.Hasher()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hasher.update(block)
    return PackageFile(path.name, hasher.digest, hasher.size)


def _parse_file(item: Mapping[str, Any]) -> PackageFile:
    path, digest, size = item["path"], item["sha256"], item["size"]
    if not isinstance(path, str) or not digests.is_digest(digest):
        raise _malformed(f"manifest.json names {path!r} with digest {digest!r}")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _malformed(f"manifest.json gives {path!r} the size {size!r}")
    return PackageFile(path, digest, size)


def _check_files(files: Iterable[PackageFile]) -> None:
    seen: set[str] = set()
    for file in files:
        _check_path(file.path)
        limit = MAX_MODEL_BYTES if file.path in MODEL_FILES else MAX_FILE_BYTES
        if file.size > limit:
            raise _malformed(f"{file.path} has {file.size} bytes, more than {limit}")
        if file.path in seen:
            raise _malformed(f"manifest.json names {file.path!r} twice")
        seen.add(file.path)
    missing = sorted(REQUIRED_FILES - seen)
    if not seen & {MODEL, ONNX}:
        missing.append(MODEL)
    if missing:
        raise PackageError(
            PackageReason.MISSING_FILE, f"the package's manifest does not name {missing[0]!r}"
        )
    if MODEL not in seen and (trees := sorted(seen & set(boosted.FILES.values()))):
        raise _malformed(f"manifest.json names {trees[0]!r} without {MODEL!r}, the steps before it")


def _check_path(path: str) -> None:
    if (
        not path
        or path.startswith(("/", "~"))
        or "\\" in path
        or ":" in path
        or any(part in ("", ".", "..") for part in path.split("/"))
        or not path.isprintable()
    ):
        raise PackageError(
            PackageReason.UNSAFE_PATH, f"the package names {path!r}, which is no plain file name"
        )
    if archive.is_pickle_name(path):
        raise PackageError(
            PackageReason.PICKLE_REFUSED,
            f"the package names {path!r}: pickles run code when loaded and are refused",
        )
    if path not in ALLOWED_FILES:
        raise PackageError(
            PackageReason.UNEXPECTED_FILE,
            f"the package names {path!r}; allowed are {', '.join(sorted(ALLOWED_FILES))}",
        )


def _check_content(path: Path) -> None:
    if path.name == MODEL:
        archive.check(path)
        return
    if path.name == ONNX:
        onnx_file.check(path)
        return
    with path.open("rb") as file:
        if archive.is_pickle_start(file.read(2)):
            raise PackageError(PackageReason.PICKLE_REFUSED, f"{path.name} is a pickle")


def _malformed(message: str) -> PackageError:
    return PackageError(PackageReason.MALFORMED_PACKAGE, message)
