"""Which objects and which schema a version consists of: what a manifest names may be read.

A manifest is read in pieces and only its digests are kept, for the versions asked for last: who
downloads ten thousand objects does not make it be read ten thousand times.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from tidemill.data_api.refusal import Refusal
from tidemill.data_api.versions import DatasetName, Store
from tidemill.store import digests, layout
from tidemill.store.manifest import Place

CHUNK = 1024 * 1024
MAX_MANIFEST = 48 * 1024 * 1024
MAX_KEPT = 300_000


@dataclass(frozen=True, slots=True)
class Contents:
    """The digest of the schema, those of all objects as bytes, and where they are if not here."""

    schema: str
    objects: frozenset[bytes]
    place: str | None = None

    def names(self, digest: str) -> bool:
        """Tell whether an object belongs to the version."""
        return bytes.fromhex(digests.hex_of(digest)) in self.objects


@dataclass(slots=True)
class Manifests:
    """Reads manifests, one at a time, and remembers a bounded number of digests."""

    store: Store
    _kept: OrderedDict[str, Contents] = field(default_factory=OrderedDict)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def contents(self, dataset: DatasetName, version: str) -> Contents:
        """Give what a version consists of; raises Refusal, or NotFound where it is none."""
        key = layout.manifest_key(dataset.namespace, dataset.name, version)
        async with self._one:
            found = self._kept.get(key)
            if found is None:
                found = await self._read(key)
                self._kept[key] = found
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and self._total() > MAX_KEPT:
                self._kept.popitem(last=False)
            return found

    def _total(self) -> int:
        return sum(len(contents.objects) for contents in self._kept.values())

    async def _read(self, key: str) -> Contents:
        if (await self.store.head(key)).size > MAX_MANIFEST:
            raise Refusal(413, "the version has too many objects to be downloaded one by one")
        schema, place = "", None
        objects = set[bytes]()
        try:
            async for row in self._rows(key):
                if not schema:
                    schema = row["schema"]
                    digests.hex_of(schema)
                    place = str(Place(**row["place"])) if "place" in row else None
                else:
                    objects.add(bytes.fromhex(digests.hex_of(row["h"])))
        except (ValueError, KeyError, TypeError) as error:
            raise Refusal(502, "the manifest of the version is damaged") from error
        return Contents(schema, frozenset(objects), place)

    async def _rows(self, key: str) -> AsyncIterator[dict[str, Any]]:
        rest = b""
        async for piece in self.store.stream(key, chunk=CHUNK):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield json.loads(line)
