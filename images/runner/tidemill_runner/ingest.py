"""The verb `ingest`: a source becomes a version.

Each object is read once into scratch space, hashed on the way, checked as a whole, and copied under
its digest unless its bytes are there already. When all are done the source is listed again: what
changed meanwhile is not versioned. The manifest is written only then.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemill.store import digests, layout
from tidemill.store.manifest import Entry, Manifest
from tidemill.store.objects import ObjectInfo
from tidemill_runner import source, tables
from tidemill_runner.failures import Failure
from tidemill_runner.inputs import IngestInput
from tidemill_runner.progress import Progress
from tidemill_runner.schema import Merger, Schema
from tidemill_runner.storage import Storage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ingest:
    """One ingest: from where, into which store, with which scratch space."""

    document: IngestInput
    origin: Storage
    store: Storage
    scratch: Path
    progress: Progress

    def run(self) -> dict[str, Any]:
        """Do it; the result without its times. Raises Failure."""
        wanted = self.document.source
        found = source.objects(self.origin, wanted, self.document.fingerprint)
        total = source.total_bytes(found)
        log.info("%d objects with %d bytes under %r", len(found), total, wanted.prefix)
        merger, entries, rows = Merger(), [], 0
        seen = self._seen(total)
        for info in found:
            entry, count = self._take(info, merger, seen)
            entries.append(entry)
            rows += count
        if rows == 0:
            raise Failure("NoRows", f"the files under {wanted.prefix!r} hold no rows")
        source.objects(self.origin, wanted, self.document.fingerprint)
        return self._record(merger.schema(), entries, rows)

    def _seen(self, total: int) -> Callable[[int], None]:
        report = self.progress.share((0, 99), "reading, checking and copying", total)
        done = 0

        def seen(amount: int) -> None:
            nonlocal done
            done += amount
            report(done)

        return seen

    def _take(
        self, info: ObjectInfo, merger: Merger, seen: Callable[[int], None]
    ) -> tuple[Entry, int]:
        path = self.scratch / "object"
        try:
            digest = source.fetch(self.origin, info, path, seen)
            found, rows = tables.inspect(path, info.key, self.document.source.format)
            merger.add(found)
            key = layout.cas_key(self.document.cas, digest)
            if self.store.size_of(key) != info.size:
                self.store.upload(path, key)
        finally:
            path.unlink(missing_ok=True)
        log.info("%s: %d rows, %d bytes, %s", info.key, rows, info.size, digest)
        relative = info.key.removeprefix(self.document.source.prefix) or info.key
        return Entry(relative, digest, info.size, info.version or info.etag or None), rows

    def _record(self, schema: Schema, entries: list[Entry], rows: int) -> dict[str, Any]:
        """Write schema and manifest, both under their digests, and say what they are."""
        text = schema.to_bytes()
        schema_digest = digests.sha256_digest(text)
        self.store.create(layout.cas_key(self.document.cas, schema_digest), text)
        manifest = Manifest.of(self.document.source.format, schema_digest, entries)
        key = f"{self.document.manifests}{digests.hex_of(manifest.digest)}.jsonl"
        self.store.create(key, manifest.to_bytes())
        return {
            "fingerprint": self.document.fingerprint,
            "version": manifest.digest,
            "manifest": key,
            "rows": rows,
            "bytes": manifest.total_bytes,
            "objects": len(entries),
            "columns": schema.summary(),
            "schema": schema_digest,
        }
