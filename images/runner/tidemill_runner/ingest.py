"""The verb `ingest`: a source becomes a version, in the process of its first worker.

What the source holds is taken in. A query may make other rows of it. The rows are described and
judged, the source is listed once more, and what changed meanwhile is not versioned.
"""

import hashlib
import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tidemill.store import digests
from tidemill_runner.collect import Collected, Collector
from tidemill_runner.conclusion import Conclusion
from tidemill_runner.crew import Leader
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.handover import Handover
from tidemill_runner.intake import Intake, settled
from tidemill_runner.prepare import FIELD, FILE, SOURCE, Preparation, Room
from tidemill_runner.referenced import Referenced
from tidemill_runner.sources import Origin
from tidemill_runner.spread.rows import Spread
from tidemill_runner.staging import staged
from tidemill_runner.workplace import PREPARED, STAGED, Workplace

log = logging.getLogger(__name__)
INPUTS = "inputs"


@dataclass(frozen=True)
class Ingest:
    """One ingest, and from where."""

    place: Workplace
    origin: Origin

    def run(self) -> dict[str, Any]:
        """Do it; the result without its times. Raises Failure."""
        with self.place.cleared() as place:
            return replace(self, place=place).work()

    def work(self) -> dict[str, Any]:
        """Go through the parts, in a scratch space that somebody else clears."""
        document, asked = self.place.document, self.place.document.prepare
        if document.distributed and document.workers > 1:
            return self._distributed()
        rows = self.place.folder("rows")
        if document.workers > 1:
            delivered = Leader(self.place, self.origin).run(rows)
        else:
            intake = Intake(self.place, self.origin)
            delivered = intake.run(rows, settles=asked is None, kept=document.copies)
        made, header = delivered, None
        if asked is not None:
            if asked.sql is None:
                raise Failure("InternalError", f"{FIELD} is not set: the verbs are two")
            inputs = {name: one.version for name, one in asked.inputs.items()}
            preparation = Preparation(asked.sql, asked.seconds, inputs)
            made, header = self._prepared(preparation, delivered), preparation.header()
        conclusion = Conclusion(self.place, made, delivered, header)
        manifest, judgement = conclusion.judge()
        self.origin.objects()
        return conclusion.record(manifest, judgement)

    def _distributed(self) -> dict[str, Any]:
        """Judge the rows where they are read: no worker has all of them."""
        from tidemill_runner.cluster import leading  # noqa: PLC0415 - only who needs it pays

        leader = Leader(self.place, self.origin)
        made = leader.gather()
        delivered = Handover.of(made, [])
        with leading.crowd(self.place, leader, made) as crowd:
            spread = Spread(crowd, made.rows)
            conclusion = Conclusion(self.place, delivered, delivered, None, spread)
            manifest, judgement = conclusion.judge()
            self.origin.objects()
            # Only then is it over for the others.
            return conclusion.record(manifest, judgement)

    def _prepared(self, preparation: Preparation, delivered: Handover) -> Handover:
        place = self.place
        made = settled(place.document, self._query(preparation, delivered.files))
        seen = place.seen((STAGED, PREPARED), made, "staging what was prepared")
        files = made.stage(place.folder("prepared-rows"), seen)
        shutil.rmtree(place.scratch / INPUTS, ignore_errors=True)
        return Handover.of(made, files)

    def _query(self, preparation: Preparation, files: tuple[Path, ...]) -> Collected:
        place = self.place
        folder = place.folder("prepared")
        log.info("%s with %s", FIELD, preparation.header()["engine"])
        others = place.folder(INPUTS)
        room = Room((files[0].parent, others), folder, place.scratch / "spill")
        tables = {SOURCE: staged(files, places=False), **self._inputs(others)}
        path = preparation.run(tables, room, place.limits.memory)
        for file in files:
            file.unlink()
        with path.open("rb") as data:
            digest = digests.PREFIX + hashlib.file_digest(data, "sha256").hexdigest()
        collector = Collector(place.store, place.document.cas, folder, Delivery("Parquet"))
        collector.add(path, FILE, digest)
        return collector.collected(f"the result of {FIELD}")

    def _inputs(self, folder: Path) -> dict[str, str]:
        """The tables beside the source, by their names: queries for the rows of versions."""
        asked = self.place.document.prepare
        found = Referenced(self.place.store, folder)
        return {
            name: staged(found.rows(version), places=False)
            for name, version in (asked.inputs if asked else {}).items()
        }
