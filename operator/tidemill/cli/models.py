"""The packages of a namespace, by their addresses: read through the operator, proved here.

Nothing that the operator or the bucket says is believed: the digest stands in the address, the
manifest is proved by it, and each file by the manifest. Files are hashed as they come and not kept.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from tidemill.cli.data import Broken, Data
from tidemill.cli.failure import Exit, Failure
from tidemill.store import digests, package, signed
from tidemill.store.errors import PackageError
from tidemill.store.package import MANIFEST, SIGNATURE, PackageFile, PackageManifest

ATTEMPTS = 4
_URI = re.compile(r"s3://([^/]+)/models/([a-z0-9-]{1,63})/([a-z0-9.-]{1,253})/([0-9a-f]{64})/?")


@dataclass(frozen=True)
class Address:
    """Which package is meant."""

    uri: str
    namespace: str
    model: str
    hexdigest: str

    @property
    def digest(self) -> str:
        """Give the digest of its manifest."""
        return digests.PREFIX + self.hexdigest

    @classmethod
    def of(cls, uri: str) -> "Address":
        """Read an address; raises Failure."""
        found = _URI.fullmatch(uri)
        if found is None:
            why = f"{uri!r} is no address of a package: it is s3://BUCKET/models/NAMESPACE/…/"
            raise Failure(Exit.REFUSED, f"{why}, as status.artifact.uri of a run has it")
        return cls(uri, found[2], found[3], found[4])


class _Files(Data):
    """The same door, other rooms: `name` is the address below the namespace's models."""

    def _path(self, name: str, tail: str) -> str:
        return f"{self._proxy()}/models/{name}{tail}"


@dataclass(frozen=True)
class Proved:
    """A file, and what is wrong with it, if anything is."""

    file: PackageFile
    wrong: str = ""


@dataclass(frozen=True)
class Package:
    """One package in the bucket."""

    data: Data
    address: Address

    def manifest(self) -> PackageManifest:
        """Read the manifest and prove it; raises Failure."""
        try:
            return package.parse_manifest(self.read(MANIFEST), self.address.digest)
        except PackageError as error:
            raise Failure(Exit.REFUSED, error.message) from None

    def names(self) -> list[str]:
        """Tell what lies there, whatever the manifest says; raises Failure."""
        return [
            str(one["name"]) for one in json.loads(self._files.read(self._name, "/files"))["files"]
        ]

    def read(self, file: str) -> bytes:
        """Read a small file, unproved; raises Failure."""
        return self._files.read(self._name, f"/files/{quote(file, safe='')}")

    def proved(self, name: str, manifest: PackageManifest) -> bytes:
        """Read a small file and prove it; raises Failure."""
        file = next((one for one in manifest.files if one.path == name), None)
        if file is None:
            raise Failure(Exit.REFUSED, f"the package has no {name}")
        data = self.read(name)
        if digests.sha256_digest(data) != file.digest:
            raise Failure(Exit.REFUSED, f"{name} is not the file that the manifest names")
        return data

    def prove(
        self, manifest: PackageManifest, seen: Callable[[int], None] = lambda _: None
    ) -> Iterator[Proved]:
        """Prove each file, as it is read; raises Failure where it cannot be read."""
        there = set(self.names())
        for file in manifest.files:
            if file.path not in there:
                yield Proved(file, "is not there")
                continue
            found = self._hashed(file, seen)
            same = (found.digest, found.size) == (file.digest, file.size)
            yield Proved(file, "" if same else f"has another digest: {found.digest}")
        for name in sorted(there - manifest.paths - {MANIFEST, SIGNATURE}):
            yield Proved(PackageFile(name, "", 0), "is not named by the manifest")

    def signature(self) -> bytes | None:
        """Read the signature; None where there is none."""
        if SIGNATURE not in self.names():
            return None
        data = self.read(SIGNATURE)
        return data[: signed.MAX_SIGNATURE_BYTES + 1]

    def _hashed(self, file: PackageFile, seen: Callable[[int], None]) -> digests.Hasher:
        tail = f"/files/{quote(file.path, safe='')}"
        for _ in range(ATTEMPTS):
            hasher = digests.Hasher()
            try:
                with self._files.opened(self._name, tail) as pieces:
                    for piece in pieces:
                        hasher.update(piece)
                        seen(len(piece))
            except Broken:
                seen(-hasher.size)
            else:
                return hasher
        raise Failure(Exit.UNREACHABLE, f"the connection broke {ATTEMPTS} times in {file.path}")

    @property
    def _files(self) -> Data:
        return _Files(self.data.cluster, self.data.place, self.data.pause, self.data.clock)

    @property
    def _name(self) -> str:
        return f"{quote(self.address.model, safe='')}/{self.address.hexdigest}"
