"""A sample of rows that any split and any order of the rows gives: the smallest hashes.

The hash is of the object's key and the number of the row in it, so the sample is a simple random
one, and that of the whole is found in those of the parts (bottom-k: Cohen and Kaplan, PODC 2007).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Cell = bool | int | float | str | None
# Hash, key of the object, row in it.
Place = tuple[int, str, int]

ROWS = 1000
# Columns beyond are in no sample; by the schema alone, so that all parts agree.
COLUMNS = 500
TEXT = 64


@dataclass(frozen=True)
class Sample:
    """Rows in the order of their hashes; `cells` by row, in the order of `names`.

    Texts are cut after `TEXT` characters, moments are microseconds since 1970, what is not finite
    is None. Sensitive columns are not in it.
    """

    names: tuple[str, ...]
    places: tuple[Place, ...]
    cells: tuple[tuple[Cell, ...], ...]

    def column(self, name: str) -> list[Cell] | None:
        """The values of a column; None for one that is not in the sample."""
        if name not in self.names:
            return None
        place = self.names.index(name)
        return [row[place] for row in self.cells]

    def to_document(self) -> dict[str, Any]:
        return {"names": self.names, "places": self.places, "cells": self.cells}


def merge(parts: Sequence[Sample]) -> Sample:
    """The sample of all rows; raises ValueError when the columns differ."""
    if any(part.names != parts[0].names for part in parts):
        raise ValueError("samples of different columns")
    rows = sorted(
        (
            (place, cells)
            for part in parts
            for place, cells in zip(part.places, part.cells, strict=True)
        ),
        key=lambda row: row[0],
    )[:ROWS]
    return Sample(parts[0].names, tuple(p for p, _ in rows), tuple(cells for _, cells in rows))


def parse(document: dict[str, Any]) -> Sample:
    """Read what `to_document` wrote; raises KeyError, TypeError or ValueError."""
    return Sample(
        tuple(document["names"]),
        tuple((int(digest), key, int(row)) for digest, key, row in document["places"]),
        tuple(tuple(row) for row in document["cells"]),
    )
