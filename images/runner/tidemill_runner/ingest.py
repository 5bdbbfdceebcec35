"""The verb `ingest`: a source becomes a version.

The objects are collected: each is read once, hashed on the way, inspected as a whole and copied
under its digest. A query may make other rows of them. The rows are described and judged, the source
is listed once more, and what changed meanwhile is not versioned. The manifest is written last.
"""

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from tidemill.store import digests, layout
from tidemill.store import manifest as manifests
from tidemill.store.manifest import Manifest, Place
from tidemill_runner import lineage
from tidemill_runner.checks.declared import settle
from tidemill_runner.collect import Collected, Collector
from tidemill_runner.database import Limits
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.inputs import IngestInput, S3Source
from tidemill_runner.prepare import FIELD, FILE, SOURCE, Preparation, Room
from tidemill_runner.progress import Progress
from tidemill_runner.referenced import Referenced
from tidemill_runner.sources import Origin
from tidemill_runner.staging import staged
from tidemill_runner.storage import Storage
from tidemill_runner.verdict import Judge, Judgement

log = logging.getLogger(__name__)
INPUTS = "inputs"
# Percents of the progress at which each part ends.
COLLECTED, STAGED, PREPARED, JUDGED = 60, 75, 85, 99


@dataclass(frozen=True)
class Ingest:
    """One ingest: from where, into which store, with which scratch space and limits."""

    document: IngestInput
    origin: Origin
    store: Storage
    scratch: Path
    progress: Progress
    limits: Limits
    now: Callable[[], datetime]

    def run(self) -> dict[str, Any]:
        """Do it; the result without its times. Raises Failure."""
        with tempfile.TemporaryDirectory(prefix="ingest-", dir=self.scratch) as folder:
            return replace(self, scratch=Path(folder)).work()

    def work(self) -> dict[str, Any]:
        """Go through the parts, in a scratch space that somebody else clears."""
        raw = self._collect()
        made = raw if self.preparation else self._settled(raw)
        seen = self._seen((COLLECTED, STAGED), made, "staging")
        files = made.stage(self._folder("rows"), seen)
        if self.preparation is not None:
            made = self._settled(self._prepare(self.preparation, files))
            seen = self._seen((STAGED, PREPARED), made, "staging what was prepared")
            files = made.stage(self._folder("prepared-rows"), seen)
            shutil.rmtree(self.scratch / INPUTS, ignore_errors=True)
        manifest = self._manifest(made)
        self.progress.report(PREPARED, "describing and checking")
        judge = Judge(self.document, self.store, self.limits, self.now)
        judgement = judge.judge(made.schema, manifest, files)
        self.origin.objects()
        self.progress.report(JUDGED, "writing the version")
        return self._record(raw, made, manifest, judgement)

    @property
    def preparation(self) -> Preparation | None:
        """The query between source and version, if there is one."""
        asked = self.document.prepare
        if asked is None:
            return None
        inputs = {name: one.version for name, one in asked.inputs.items()}
        return Preparation(asked.sql, asked.seconds, inputs)

    def _collect(self) -> Collected:
        found = self.origin.objects()
        total = sum(info.size for info in found)
        log.info("%d objects with %d bytes: %s", len(found), total, self.origin.where)
        seen = self._counted((0, COLLECTED), total, "reading and copying")
        store = self.store if self.document.copies else None
        collector = Collector(
            store, self.document.cas, self._folder("objects"), self.origin.delivery
        )
        collector.fetch(self.origin, found, seen)
        return collector.collected(self.origin.where)

    def _prepare(self, preparation: Preparation, files: list[Path]) -> Collected:
        folder = self._folder("prepared")
        log.info("%s with %s", FIELD, preparation.header()["engine"])
        others = self._folder(INPUTS)
        room = Room((files[0].parent, others), folder, self.scratch / "spill")
        tables = {SOURCE: staged(files, places=False), **self._inputs(others)}
        path = preparation.run(tables, room, self.limits.memory)
        for file in files:
            file.unlink()
        with path.open("rb") as data:
            digest = digests.PREFIX + hashlib.file_digest(data, "sha256").hexdigest()
        collector = Collector(self.store, self.document.cas, folder, Delivery("Parquet"))
        collector.add(path, FILE, digest)
        return collector.collected(f"the result of {FIELD}")

    def _inputs(self, folder: Path) -> dict[str, str]:
        """The tables beside the source, by their names: queries for the rows of versions."""
        asked = self.document.prepare
        found = Referenced(self.store, folder)
        return {
            name: staged(found.rows(version), places=False)
            for name, version in (asked.inputs if asked else {}).items()
        }

    def _settled(self, made: Collected) -> Collected:
        """With the types that spec.schema declares, where all values can be read as such."""
        return replace(made, schema=settle(self.document.schema, made.schema, made.format))

    def _manifest(self, made: Collected) -> Manifest:
        if self.preparation is None:
            return self._raw(made)
        header = self.preparation.header()
        return Manifest.of(made.format, self._keep_schema(made), made.entries, header)

    def _raw(self, delivered: Collected) -> Manifest:
        """What was delivered, and where it is if it was not copied and can be read again."""
        manifest = Manifest.of(delivered.format, self._keep_schema(delivered), delivered.entries)
        source = self.document.source
        if self.document.copies or not isinstance(source, S3Source):
            return manifest
        place = Place(
            source.endpoint, source.region, source.bucket, source.prefix, source.path_style
        )
        return replace(manifest, place=place)

    def _record(
        self, raw: Collected, made: Collected, manifest: Manifest, judgement: Judgement
    ) -> dict[str, Any]:
        """Write what belongs to the version, the manifest last, and say what it is."""
        # The same rows may be judged again, by other checks: the newest judgement stands.
        for name, data in judgement.documents.items():
            self.store.put(name, data)
        facts = {
            "fingerprint": self.document.fingerprint,
            "version": manifest.digest,
            "manifest": self._address(manifest),
            "rows": made.rows,
            "bytes": manifest.total_bytes,
            "objects": len(made.entries),
            "schema": manifest.schema,
            **judgement.facts(),
        }
        if self.preparation is not None:
            facts["from"] = self._keep(self._raw(raw))
        if read := lineage.versions(self.document):
            facts["inputs"] = read
        if manifest.place:
            facts["place"] = str(manifest.place)
        if self.document.entity:
            facts["entity"] = dict(self.document.entity)
        identity = self.document.identity
        record = layout.record_key(identity.namespace, identity.name, manifest.digest)
        self.store.put(record, digests.canonical_json({"v": 1, **facts}))
        self._keep(manifest)
        facts.pop("checks", None)  # there may be thousands: record and report have them
        return {**facts, "columns": made.schema.summary()}

    def _keep_schema(self, made: Collected) -> str:
        text = made.schema.to_bytes()
        digest = digests.sha256_digest(text)
        self.store.create(layout.cas_key(self.document.cas, digest), text)
        return digest

    def _keep(self, manifest: Manifest) -> str:
        address, data = self._address(manifest), manifest.to_bytes()
        if not self.store.create(address, data) and manifest.place is None:
            known = manifests.parse(self.store.get(address, manifests.MAX_BYTES), manifest.digest)
            if known.place is not None:  # it was left where it lay, and is copied now
                self.store.put(address, data)
        return address

    def _address(self, manifest: Manifest) -> str:
        return f"{self.document.manifests}{digests.hex_of(manifest.digest)}.jsonl"

    def _folder(self, name: str) -> Path:
        folder = self.scratch / name
        folder.mkdir()
        return folder

    def _seen(
        self, span: tuple[float, float], of: Collected, message: str
    ) -> Callable[[int], None]:
        return self._counted(span, sum(entry.size for entry in of.entries), message)

    def _counted(
        self, span: tuple[float, float], total: int, message: str
    ) -> Callable[[int], None]:
        report = self.progress.share(span, message, total)
        done, one = 0, Lock()

        def seen(amount: int) -> None:
            nonlocal done
            with one:  # several objects are read at a time
                done += amount
                report(done)

        return seen
