"""The second half of an ingest: rows are described and judged, and become a version.

It knows nothing of the source: what was delivered and what was made of it is handed over to it. The
manifest is written last.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from tidemill.store import digests, layout
from tidemill.store import manifest as manifests
from tidemill.store.manifest import Manifest, Place
from tidemill_runner import lineage, rows
from tidemill_runner.collect import Collected
from tidemill_runner.handover import Handover
from tidemill_runner.inputs import S3Source
from tidemill_runner.rows import OtherKeys, Rows
from tidemill_runner.verdict import Judge, Judgement
from tidemill_runner.workplace import JUDGED, PREPARED, Workplace


@dataclass(frozen=True)
class Conclusion:
    """What is to become a version, what it was made from, and by what: None where by nothing.

    `spread` are its rows where they do not lie here, in the files handed over.
    """

    place: Workplace
    made: Handover
    delivered: Handover
    header: Mapping[str, Any] | None
    spread: Rows | None = None

    def judge(self) -> tuple[Manifest, Judgement]:
        """Look at all rows. Raises Failure."""
        place, made = self.place, self.made.collected
        manifest = self._manifest()
        place.progress.report(PREPARED, "describing and checking")
        judge = Judge(place.document, place.store, place.now)
        with self._rows() as found:
            return manifest, judge.judge(made.schema, manifest, found)

    def record(self, manifest: Manifest, judgement: Judgement) -> dict[str, Any]:
        """Write what belongs to the version, the manifest last, and say what it is."""
        place, made = self.place, self.made.collected
        document, store = place.document, place.store
        place.progress.report(JUDGED, "writing the version")
        # The same rows may be judged again, by other checks: the newest judgement stands.
        for name, data in judgement.documents.items():
            store.put(name, data)
        facts = {
            "fingerprint": document.fingerprint,
            "version": manifest.digest,
            "manifest": self._address(manifest),
            "rows": made.rows,
            "bytes": manifest.total_bytes,
            "objects": len(made.entries),
            "schema": manifest.schema,
            **judgement.facts(),
        }
        if self.header is not None:
            facts["from"] = self._keep(self._raw())
        if read := lineage.versions(document):
            facts["inputs"] = read
        if manifest.place:
            facts["place"] = str(manifest.place)
        if document.entity:
            facts["entity"] = dict(document.entity)
        identity = document.identity
        record = layout.record_key(identity.namespace, identity.name, manifest.digest)
        store.put(record, digests.canonical_json({"v": 1, **facts}))
        self._keep(manifest)
        facts.pop("checks", None)  # there may be thousands: record and report have them
        return {**facts, "columns": made.schema.summary()}

    @contextmanager
    def _rows(self) -> Iterator[Rows]:
        if self.spread is not None:
            yield self.spread
            return
        place, files = self.place, self.made.files
        lookup = OtherKeys.of(place.store, files[0].parent, place.document.cas)
        with rows.opened(files, lookup, place.limits) as found:
            yield found

    def _manifest(self) -> Manifest:
        if self.header is None:
            return self._raw()
        made = self.made.collected
        return Manifest.of(made.format, self._keep_schema(made), made.entries, self.header)

    def _raw(self) -> Manifest:
        """What was delivered, and where it is if it was not copied and can be read again."""
        delivered, document = self.delivered.collected, self.place.document
        manifest = Manifest.of(delivered.format, self._keep_schema(delivered), delivered.entries)
        source = document.source
        if document.copies or not isinstance(source, S3Source):
            return manifest
        place = Place(
            source.endpoint, source.region, source.bucket, source.prefix, source.path_style
        )
        return replace(manifest, place=place)

    def _keep_schema(self, made: Collected) -> str:
        text = made.schema.to_bytes()
        digest = digests.sha256_digest(text)
        self.place.store.create(layout.cas_key(self.place.document.cas, digest), text)
        return digest

    def _keep(self, manifest: Manifest) -> str:
        store, address, data = self.place.store, self._address(manifest), manifest.to_bytes()
        if not store.create(address, data) and manifest.place is None:
            known = manifests.parse(store.get(address, manifests.MAX_BYTES), manifest.digest)
            if known.place is not None:  # it was left where it lay, and is copied now
                store.put(address, data)
        return address

    def _address(self, manifest: Manifest) -> str:
        return f"{self.place.document.manifests}{digests.hex_of(manifest.digest)}.jsonl"
