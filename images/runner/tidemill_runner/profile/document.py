"""The profile of a data set: parts merged into the whole, and one JSON text for equal profiles."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tidemill.store import digests
from tidemill_runner.profile import cells, column, patterns, sample
from tidemill_runner.profile.cells import Cells
from tidemill_runner.profile.column import ColumnProfile
from tidemill_runner.profile.patterns import Patterns
from tidemill_runner.profile.sample import Sample

VERSION = 1


@dataclass(frozen=True)
class Profile:
    """All that is kept of the rows; `hashes` says by which hash function of which engine."""

    rows: int
    columns: tuple[ColumnProfile, ...]
    sample: Sample
    patterns: Patterns
    cells: tuple[Cells, ...]
    hashes: str

    def column(self, name: str) -> ColumnProfile | None:
        return next((column for column in self.columns if column.name == name), None)

    def to_bytes(self) -> bytes:
        """Canonical JSON: equal profiles give equal bytes."""
        return digests.canonical_json(
            {
                "v": VERSION,
                "hashes": self.hashes,
                "rows": self.rows,
                "columns": [column.to_document() for column in self.columns],
                "sample": self.sample.to_document(),
                "patterns": self.patterns.to_document(),
                "cells": [cell.to_document() for cell in self.cells],
            }
        )


def parse(data: bytes) -> Profile:
    """Read a stored profile; raises ValueError."""
    try:
        document = json.loads(data)
        if document["v"] != VERSION:
            raise ValueError(f"a profile of version {document['v']}, not {VERSION}")
        return Profile(
            rows=int(document["rows"]),
            columns=tuple(column.parse(part) for part in document["columns"]),
            sample=sample.parse(document["sample"]),
            patterns=patterns.parse(document["patterns"]),
            cells=tuple(cells.parse(part) for part in document["cells"]),
            hashes=document["hashes"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a profile: {error!r}") from None


def merge(parts: Sequence[Profile]) -> Profile:
    """The profile of all rows, bit for bit that of the whole, in whatever order the parts come.

    Raises ValueError where the parts have other columns or were measured with another hash.
    """
    if not parts:
        raise ValueError("no profiles to merge")
    first = parts[0]
    for part in parts:
        if part.hashes != first.hashes:
            raise ValueError("profiles measured with different hashes: measure the older one again")
        if len(part.columns) != len(first.columns) or len(part.cells) != len(first.cells):
            raise ValueError("profiles of different columns")
    names = [part.name for part in first.columns]
    return Profile(
        sum(part.rows for part in parts),
        tuple(map(column.merge, zip(*(part.columns for part in parts), strict=True))),
        sample.merge([part.sample for part in parts]),
        patterns.merge([part.patterns for part in parts], names),
        tuple(map(cells.merge, zip(*(part.cells for part in parts), strict=True))),
        first.hashes,
    )
