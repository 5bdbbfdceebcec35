"""Who is in the data and who carries which label: shares with intervals, by group.

A cell with fewer than `MIN_ROWS` rows is suppressed: its share would say little of a group, and
much of the few that are in it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tidemill.stats.intervals import wilson
from tidemill_runner.profile.cells import Cells, Kind

MIN_ROWS = 20


@dataclass(frozen=True)
class Share:
    """A proportion of `n` rows with Wilson's 95 % interval."""

    value: float
    low: float
    high: float
    n: int

    def excludes(self, share: float) -> bool:
        return not self.low <= share <= self.high


@dataclass(frozen=True)
class Group:
    """One group; what is suppressed is None. `reference` is the share it was declared to have."""

    name: str
    share: Share | None
    reference: float | None
    rates: tuple[tuple[str, Share | None], ...]


def representation(cells: Cells, reference: Mapping[str, float] | None = None) -> list[Group]:
    """The groups in the order of their names, then those that the reference alone names.

    Shares are of the rows that belong to a group, rates of those of a group that have a label.
    """
    pairs = [(group, label, n) for group, label, n in cells.counts or () if group is not None]
    sizes: Counter[str] = Counter()
    labelled: dict[str, Counter[str]] = {}
    for group, label, n in pairs:
        sizes[text(group)] += n
        if label is not None:
            labelled.setdefault(text(group), Counter())[text(label)] += n
    labels = sorted({label for counts in labelled.values() for label in counts})
    total = sum(sizes.values())
    return [
        Group(
            name,
            _share(sizes[name], total),
            (reference or {}).get(name),
            tuple((label, _rate(labelled.get(name, Counter()), label)) for label in labels),
        )
        for name in {**dict(sorted(sizes.items())), **(reference or {})}
    ]


def text(kind: Kind) -> str:
    """A group or a label as it is written in a declared reference."""
    return str(kind).lower() if isinstance(kind, bool) else str(kind)


def _rate(counts: Counter[str], label: str) -> Share | None:
    return _share(counts[label], sum(counts.values()))


def _share(hits: int, n: int) -> Share | None:
    if hits < MIN_ROWS:
        return None
    return Share(hits / n, *wilson(hits, n), n)
