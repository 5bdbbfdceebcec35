"""What one half of an ingest leaves to the other: what was collected, and files with its rows.

The halves may run in one process or in two, one after the other. What passes between is this: the
files, and a document that says what they are.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tidemill.store import digests
from tidemill.store.manifest import Entry
from tidemill_runner.collect import Collected
from tidemill_runner.files.dialect import Dialect
from tidemill_runner.schema import Column, ColumnType, Schema

VERSION = 1


@dataclass(frozen=True)
class Handover:
    """Objects as the manifest names them, and the files that their rows are in."""

    collected: Collected
    files: tuple[Path, ...]

    @classmethod
    def of(cls, collected: Collected, files: list[Path]) -> "Handover":
        """What is left of objects once their rows have been staged: the objects are dropped."""
        return cls(replace(collected, files=()), tuple(files))

    def to_bytes(self) -> bytes:
        """The document, which names the files without their folder."""
        collected = self.collected
        return digests.canonical_json(
            {
                "v": VERSION,
                "format": collected.format,
                "schema": described(collected.schema),
                "objects": [asdict(entry) for entry in collected.entries],
                "rows": collected.rows,
                "files": [path.name for path in self.files],
            }
        )


def parse(data: bytes, folder: Path) -> Handover:
    """Read a document whose files lie in a folder now; raises ValueError."""
    try:
        document = json.loads(data)
        if document["v"] != VERSION:
            raise ValueError(f"the handover has version {document['v']}, not {VERSION}")
        collected = Collected(
            format=document["format"],
            schema=restored(document["schema"]),
            entries=tuple(Entry(**entry) for entry in document["objects"]),
            rows=document["rows"],
            files=(),
        )
        return Handover(collected, tuple(folder / name for name in document["files"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a handover: {type(error).__name__}: {error}") from None


def described(schema: Schema) -> dict[str, Any]:
    """All of a schema, also what a version does not keep of it: which columns have no value."""
    return {
        "columns": [asdict(column) for column in schema.columns],
        "csv": asdict(schema.csv),
        "partitions": list(schema.partitions),
    }


def restored(document: Mapping[str, Any]) -> Schema:
    """The schema of such a document."""
    columns = (
        Column(**{**column, "type": ColumnType(column["type"])}) for column in document["columns"]
    )
    return Schema(tuple(columns), Dialect(**document["csv"]), tuple(document["partitions"]))
