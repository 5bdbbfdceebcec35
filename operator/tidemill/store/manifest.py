"""The manifest of a data set's version: which objects, with which bytes, of which schema.

JSON lines: a header, then one line per object sorted by the bytes of its key. The version is the
sha256 of these lines without what says where the bytes are (the source's etag or version id; its
bucket, where they were not copied): the same bytes uploaded again are the same version. The schema
is a document of its own, stored in content-addressed storage under the digest that the header
names.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

from tidemill.store import digests

FORMAT_VERSION = 1
MAX_BYTES = 256 * 1024 * 1024


class ManifestError(Exception):
    """The manifest is not what its digest says, or is no manifest."""


@dataclass(frozen=True)
class Entry:
    """One object: its key relative to the source's prefix, its bytes' digest and their number."""

    key: str
    digest: str
    size: int
    version: str | None = None

    def identity(self) -> dict[str, Any]:
        return {"h": self.digest, "k": self.key, "s": self.size}

    def stored(self) -> dict[str, Any]:
        return self.identity() | ({"v": self.version} if self.version else {})


@dataclass(frozen=True)
class Place:
    """Somebody's bucket, and what the keys of a version's objects begin with there."""

    endpoint: str
    region: str
    bucket: str
    prefix: str
    path_style: bool

    def __str__(self) -> str:
        """Read as `s3://bucket/prefix`."""
        return f"s3://{self.bucket}/{self.prefix}"

    def key(self, entry: Entry) -> str:
        """The key of an object there; a prefix that is an object's whole key is that object."""
        return entry.key if entry.key == self.prefix else self.prefix + entry.key


@dataclass(frozen=True)
class Manifest:
    """A version of a data set. Build with `Manifest.of`, which sorts.

    `prepare` tells by what the rows were made of others: the engine, what it was told, and the
    versions of other data sets that were its `inputs`, by the names of the tables. `place` is where
    the objects are that were not copied; a version is the same, copied or not.
    """

    format: str
    schema: str
    entries: tuple[Entry, ...]
    prepare: Mapping[str, Any] | None = None
    place: Place | None = None

    @classmethod
    def of(
        cls,
        format: str,  # noqa: A002
        schema: str,
        entries: Iterable[Entry],
        prepare: Mapping[str, Any] | None = None,
    ) -> "Manifest":
        ordered = sorted(entries, key=lambda entry: entry.key.encode("utf-8"))
        keys = [entry.key for entry in ordered]
        if len(set(keys)) != len(keys):
            raise ManifestError("two objects of the manifest have one key")
        return cls(format, schema, tuple(ordered), prepare)

    @property
    def digest(self) -> str:
        """The version: over header and lines, without what only pins the source."""
        return digests.sha256_digest(self._lines(entry.identity() for entry in self.entries))

    @property
    def total_bytes(self) -> int:
        return sum(entry.size for entry in self.entries)

    def to_bytes(self) -> bytes:
        """What is stored."""
        place = {"place": asdict(self.place)} if self.place else {}
        return self._lines((entry.stored() for entry in self.entries), place)

    def _lines(
        self, rows: Iterable[dict[str, Any]], beside: Mapping[str, Any] = MappingProxyType({})
    ) -> bytes:
        header: dict[str, Any] = {"format": self.format, "schema": self.schema, "v": FORMAT_VERSION}
        if self.prepare is not None:
            header["prepare"] = dict(self.prepare)
        header |= beside
        return b"".join(digests.canonical_json(row) + b"\n" for row in (header, *rows))


def parse(data: bytes, expected: str | None = None) -> Manifest:
    """Read a stored manifest and prove that it is the version expected; raises ManifestError."""
    try:
        # By the line feed alone: names may hold other signs that end a line of text.
        lines = data.decode("utf-8").removesuffix("\n").split("\n")
        header, *rows = [json.loads(line) for line in lines]
        if header["v"] != FORMAT_VERSION:
            raise ManifestError(f"the manifest has format version {header['v']}, not 1")
        entries = [Entry(row["k"], row["h"], row["s"], row.get("v")) for row in rows]
        made = header.get("prepare")
        prepare = dict(made.items()) if made else None
        place = Place(**header["place"]) if "place" in header else None
        made_of = Manifest.of(header["format"], header["schema"], entries, prepare)
        manifest = replace(made_of, place=place)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(f"not a manifest: {type(error).__name__}: {error}") from None
    if not all(digests.is_digest(text) for text in (manifest.schema, *(e.digest for e in entries))):
        raise ManifestError("the manifest holds something that is not a digest")
    if expected is not None and manifest.digest != expected:
        raise ManifestError(f"the manifest is of version {manifest.digest}, not {expected}")
    return manifest
