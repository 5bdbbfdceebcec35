"""Counts of groups and labels, for representation and label rates."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Kind = bool | int | float | str | None

MAX_GROUPS = 50
MAX_LABELS = 20


@dataclass(frozen=True)
class Cells:
    """Rows by a group's column and, where there is one, the label's; None is a missing value.

    `counts` is None when there are more than `MAX_GROUPS` groups or `MAX_LABELS` labels.
    """

    column: str
    label: str | None
    counts: tuple[tuple[Kind, Kind, int], ...] | None

    def to_document(self) -> dict[str, Any]:
        return {"column": self.column, "label": self.label, "counts": self.counts}


def build(column: str, label: str | None, counts: Counter[tuple[Kind, Kind]] | None) -> Cells:
    if counts is None:
        return Cells(column, label, None)
    groups, labels = ({pair[i] for pair in counts} for i in (0, 1))
    if len(groups) > MAX_GROUPS or len(labels) > MAX_LABELS:
        return Cells(column, label, None)
    ordered = sorted(counts.items(), key=lambda item: tuple(_rank(kind) for kind in item[0]))
    return Cells(column, label, tuple((group, kind, n) for (group, kind), n in ordered))


def merge(parts: Sequence[Cells]) -> Cells:
    """The cells of all rows; raises ValueError when the parts count other columns."""
    first = parts[0]
    counts: Counter[tuple[Kind, Kind]] = Counter()
    for part in parts:
        if (part.column, part.label) != (first.column, first.label):
            raise ValueError(f"groups by {part.column!r} are not groups by {first.column!r}")
        if part.counts is None:
            return Cells(first.column, first.label, None)
        for group, kind, number in part.counts:
            counts[group, kind] += number
    return build(first.column, first.label, counts)


def parse(document: dict[str, Any]) -> Cells:
    """Read what `to_document` wrote; raises KeyError, TypeError or ValueError."""
    counts = document["counts"]
    return Cells(
        document["column"],
        document["label"],
        None if counts is None else tuple((group, kind, int(n)) for group, kind, n in counts),
    )


def _rank(kind: Kind) -> tuple[bool, Any]:
    return kind is not None, 0 if kind is None else kind
