"""How a delivery is cut for several workers: stretches of its listing, each read on its own.

The cut follows from the listing and the number of workers alone, so that no worker need ask another
which parts there are, or whose they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tidemill.store.objects import ObjectInfo

# More parts than workers: whoever is done earlier takes over what another has not begun.
PER_WORKER = 4


@dataclass(frozen=True)
class Part:
    """A stretch of the listing, in its order; never an empty one."""

    number: int
    objects: tuple[ObjectInfo, ...]

    @property
    def size(self) -> int:
        return sum(info.size for info in self.objects)


def cut(listing: Sequence[ObjectInfo], workers: int) -> tuple[Part, ...]:
    """All of a listing, as even by bytes as its objects allow."""
    wanted = min(len(listing), workers * PER_WORKER)
    # An object of no bytes is work, too.
    total = sum(info.size + 1 for info in listing)
    stretches: dict[int, list[ObjectInfo]] = {}
    before = 0
    for info in listing:
        weight = info.size + 1
        middle = 2 * before + weight
        stretches.setdefault(wanted * middle // (2 * total), []).append(info)
        before += weight
    return tuple(Part(number, tuple(found)) for number, found in enumerate(stretches.values()))


def share(parts: Sequence[Part], worker: int, workers: int) -> list[Part]:
    """The parts that a worker begins with: the first one's are the first of the listing."""
    return [part for part in parts if part.number * workers // len(parts) == worker]
