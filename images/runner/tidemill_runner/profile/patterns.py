"""Which columns have no value together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_PATTERNS = 200
MAX_COLUMNS = 63


@dataclass(frozen=True)
class Patterns:
    """Rows by the set of columns without a value (NULL or NaN) in them.

    `counts` is None when more than `MAX_COLUMNS` columns have gaps or there are more than
    `MAX_PATTERNS` sets; what is known then is each column's own share. The set of a complete row
    is empty. Names within a set are in the order of the schema.
    """

    columns: tuple[str, ...]
    counts: tuple[tuple[tuple[str, ...], int], ...] | None

    def top(self, number: int) -> list[tuple[tuple[str, ...], int]]:
        """The most frequent sets, that of the complete rows left out."""
        found = [item for item in self.counts or () if item[0]]
        return sorted(found, key=lambda item: (-item[1], item[0]))[:number]

    def to_document(self) -> dict[str, Any]:
        return {"columns": self.columns, "counts": self.counts}


def build(columns: Sequence[str], counts: Counter[tuple[str, ...]] | None) -> Patterns:
    """`columns` are all that have a gap."""
    if counts is None or len(columns) > MAX_COLUMNS or len(counts) > MAX_PATTERNS:
        return Patterns(tuple(columns), None)
    return Patterns(tuple(columns), tuple(sorted(counts.items())))


def merge(parts: Sequence[Patterns], order: Sequence[str]) -> Patterns:
    """`order` are all names in the order of the schema."""
    gaps = {name for part in parts for name in part.columns}
    names = [name for name in order if name in gaps]
    counts: Counter[tuple[str, ...]] = Counter()
    for part in parts:
        if part.counts is None:
            return build(names, None)
        counts.update(dict(part.counts))
    return build(names, counts)


def parse(document: dict[str, Any]) -> Patterns:
    """Read what `to_document` wrote; raises KeyError, TypeError or ValueError."""
    counts = document["counts"]
    return Patterns(
        tuple(document["columns"]),
        None if counts is None else tuple((tuple(names), int(n)) for names, n in counts),
    )
