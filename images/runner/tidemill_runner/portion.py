"""What a worker leaves of one part of a delivery: what it found there, and files with the rows.

What columns are over the whole delivery nobody knows yet: the document has the schema of each
object as it was found, so that whoever puts the parts together judges them as if it had read them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tidemill.store import digests
from tidemill.store.manifest import Entry
from tidemill_runner import handover
from tidemill_runner.collect import Taken
from tidemill_runner.schema import Found, Schema

VERSION = 1
MAX_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class RowFile:
    """A file of rows, proved by its digest."""

    name: str
    digest: str


@dataclass(frozen=True)
class Laid:
    """Rows laid out as a schema says, and how many of them each object gave at a time."""

    schema: Schema
    batches: tuple[tuple[int, ...], ...]
    files: tuple[RowFile, ...]


@dataclass(frozen=True)
class Portion:
    """The objects of a part; `laid` is None where only the whole delivery says how to read them."""

    taken: tuple[Taken, ...]
    laid: Laid | None

    def to_bytes(self) -> bytes:
        """The document; objects of one schema share it."""
        schemas: dict[Schema, int] = {}
        objects = [
            {
                "entry": asdict(one.entry),
                "key": one.found.key,
                "schema": schemas.setdefault(one.found.schema, len(schemas)),
                "sparse": one.found.sparse,
                "rows": one.rows,
            }
            for one in self.taken
        ]
        described = [handover.described(schema) for schema in schemas]
        laid = None
        if self.laid:
            laid = {**asdict(self.laid), "schema": handover.described(self.laid.schema)}
        return digests.canonical_json(
            {"v": VERSION, "objects": objects, "schemas": described, "laid": laid}
        )


def parse(data: bytes) -> Portion:
    """Read a document; raises ValueError."""
    try:
        document = json.loads(data)
        if document["v"] != VERSION:
            raise ValueError(f"the part has version {document['v']}, not {VERSION}")
        schemas = [handover.restored(schema) for schema in document["schemas"]]
        taken = tuple(
            Taken(
                Entry(**one["entry"]),
                Found(one["key"], schemas[one["schema"]], one["sparse"]),
                one["rows"],
            )
            for one in document["objects"]
        )
        return Portion(taken, _laid(document["laid"]))
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"not a part: {type(error).__name__}: {error}") from None


def _laid(document: Mapping[str, Any] | None) -> Laid | None:
    if document is None:
        return None
    return Laid(
        handover.restored(document["schema"]),
        tuple(tuple(counts) for counts in document["batches"]),
        tuple(RowFile(**file) for file in document["files"]),
    )
