"""The first half of an ingest: a source becomes objects in the store, and rows in files.

Each object is read once, hashed on the way, inspected as a whole and copied under its digest,
unless it is to be left where it lies. The types of the rows are settled here where nothing else is
made of them; else once that has been made.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from tidemill_runner.checks.declared import settle
from tidemill_runner.collect import Collected, Collector
from tidemill_runner.handover import Handover
from tidemill_runner.inputs import IngestInput
from tidemill_runner.sources import Origin
from tidemill_runner.workplace import COLLECTED, STAGED, Workplace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Intake:
    """Takes in what a source holds.

    `spans` are the percents at which it begins, has read, and has written the rows; with their
    places where `placed`.
    """

    place: Workplace
    origin: Origin
    spans: tuple[float, float, float] = (0, COLLECTED, STAGED)
    placed: bool = True

    def run(self, rows: Path, *, settles: bool, kept: bool = True) -> Handover:
        """Write the rows into a folder, and the objects into the store if they are kept there.

        Raises Failure.
        """
        made = self._collect(kept=kept)
        if settles:
            made = settled(self.place.document, made)
        seen = self.place.seen(self.spans[1:], made, "staging")
        return Handover.of(made, made.stage(rows, seen, placed=self.placed))

    def _collect(self, *, kept: bool) -> Collected:
        place = self.place
        found = self.origin.objects()
        total = sum(info.size for info in found)
        log.info("%d objects with %d bytes: %s", len(found), total, self.origin.where)
        seen = place.counted(self.spans[:2], total, "reading and copying")
        store = place.store if kept else None
        folder = place.folder("objects")
        collector = Collector(store, place.document.cas, folder, self.origin.delivery)
        collector.fetch(self.origin, found, seen)
        return collector.collected(self.origin.where)


def settled(document: IngestInput, made: Collected) -> Collected:
    """With the types that spec.schema declares, where all values can be read as such."""
    return replace(made, schema=settle(document.schema, made.schema, made.format))
