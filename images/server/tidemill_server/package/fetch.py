"""Bring a model package from the store to the scratch volume, and prove it there.

The manifest is proved against the digest first; then the listing against the manifest; then each
file against both while and after it is written. Until all of it holds, nothing is parsed.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

from tidemill.store import package
from tidemill.store.objects import NotFound, ObjectInfo, TooLarge
from tidemill.store.package import MANIFEST, PackageError, PackageFile, PackageReason


class Bucket(Protocol):
    """What is needed of `tidemill.store.objects.ObjectStore`."""

    async def get(self, key: str, *, max_bytes: int) -> bytes:
        """A small object."""

    async def list(self, prefix: str) -> list[ObjectInfo]:
        """What lies under a prefix."""

    def stream(self, key: str) -> AsyncIterator[bytes]:
        """A large object in pieces."""


async def fetch(
    store: Bucket, prefix: str, digest: str, *, into: Path, say: Callable[[str], None]
) -> Path:
    """Return the folder of the verified package; raises PackageError or StoreError."""
    folder = into / "package"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    manifest = await read_manifest(store, prefix, digest)
    found = [info.key.removeprefix(prefix) for info in await store.list(prefix)]
    package.check_names(manifest, found)
    for file in manifest.files:
        say(f"reading {file.path} ({file.size} bytes)")
        await _download(store, prefix + file.path, file, folder / file.path)
    say(f"verifying {manifest.total_bytes} bytes")
    # Hashing gigabytes takes seconds, in which the server must still say that it lives.
    await asyncio.to_thread(package.verify_dir, folder, manifest)
    return folder


async def read_manifest(store: Bucket, prefix: str, digest: str) -> package.PackageManifest:
    """The manifest of a package, proved by its digest; raises PackageError or StoreError."""
    try:
        data = await store.get(prefix + MANIFEST, max_bytes=package.MAX_MANIFEST_BYTES)
    except NotFound as error:
        raise PackageError(
            PackageReason.MISSING_FILE, f"the package has no {MANIFEST}: {error}"
        ) from None
    except TooLarge as error:
        raise PackageError(PackageReason.MALFORMED_PACKAGE, str(error)) from None
    return package.parse_manifest(data, digest)


async def _download(store: Bucket, key: str, file: PackageFile, path: Path) -> None:
    size = 0
    try:
        with path.open("xb") as target:
            async for piece in store.stream(key):
                size += len(piece)
                if size > file.size:
                    raise PackageError(
                        PackageReason.DIGEST_MISMATCH,
                        f"{file.path} is larger than the {file.size} bytes of the manifest",
                    )
                target.write(piece)
    except NotFound:
        raise PackageError(
            PackageReason.MISSING_FILE,
            f"the package lacks {file.path!r}, which its manifest names: restore it",
        ) from None
