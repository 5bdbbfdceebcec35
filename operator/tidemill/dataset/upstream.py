"""Other Datasets that a Dataset reads: which version of each, and that they form no circle.

A version is its digest, so nothing settles and nothing is polled: the upstream's changes wake the
Dataset that reads it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.credentials import trouble_of
from tidemill.children.status import status_of
from tidemill.dataset import references
from tidemill.dataset.observed import Listing, SourceProblem
from tidemill.dataset.references import Pin, Reference
from tidemill.engine.context import Context
from tidemill.engine.key import Key
from tidemill.kube.resources import DATASETS
from tidemill.store import layout, manifest
from tidemill.store.errors import NotFound, StoreError
from tidemill.store.objects import ObjectStore

LATEST = "latest"
MAX_CHAIN = 32
MAX_ABOVE = 128


@dataclass(frozen=True, slots=True)
class Datasets:
    """The Datasets of the reader's namespace, each read at most once in a pass."""

    context: Context
    reader: Key
    _seen: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)

    async def get(self, name: str) -> Mapping[str, Any] | None:
        """Read one; None where there is none, or none much longer."""
        if name not in self._seen:
            live = await self.context.client.get(DATASETS, self.reader.namespace, name)
            gone = live is None or live["metadata"].get("deletionTimestamp")
            self._seen[name] = None if gone else live
        return self._seen[name]

    async def circle(self, start: Reference) -> SourceProblem | None:
        """Follow all that is named up; a circle that the reader has no part in is for others."""
        waiting: list[tuple[str, ...]] = [(self.reader.name, start.name)]
        seen: set[str] = set()
        while waiting:
            path = waiting.pop()
            if path[-1] == self.reader.name:
                shown, other = " → ".join(path), _other(start)
                message = f"{start.field}.name leads in a circle: {shown}: name another {other}"
                return SourceProblem(Reason.SPEC_INVALID, message)
            if path[-1] in seen:
                continue
            seen.add(path[-1])
            if len(path) > MAX_CHAIN:
                what = f"more than {MAX_CHAIN} Datasets in a row: shorten the row"
                return SourceProblem(Reason.SPEC_INVALID, f"{start.field}.name: {what}")
            if len(seen) > MAX_ABOVE:
                what = f"more than {MAX_ABOVE} Datasets go into this one: put some together"
                return SourceProblem(Reason.SPEC_INVALID, f"{start.field}.name: {what}")
            live = await self.get(path[-1])
            above = list(references.names_in(live.get("spec") or {})) if live else []
            waiting += [(*path, name) for name in reversed(above)]
        return None


def _other(start: Reference) -> str:
    return "source" if start.path[0] == "source" else "Dataset"


@dataclass(frozen=True, slots=True)
class Upstream:
    """One Dataset that another one names."""

    datasets: Datasets
    store: ObjectStore
    reference: Reference

    async def look(self, status: DatasetStatus) -> Listing | SourceProblem:
        """Find the version of a source; `status` is the reader's. Raises Passing or Stalled."""
        found = await self.find()
        if isinstance(found, SourceProblem):
            return found
        theirs, version = found
        return known(status, version) or await self.listing(theirs, version)

    def subscribe(self) -> None:
        """Have the reader woken; before anything is read, so that no change is missed between."""
        reader = self.datasets.reader
        key = Key("Dataset", reader.namespace, self.reference.name)
        self.datasets.context.waiters.subscribe(key, reader)

    async def find(self) -> tuple[DatasetStatus, str] | SourceProblem:
        """Find which version is meant, and the status of the Dataset that should have it."""
        name = self.reference.name
        self.subscribe()
        live = await self.datasets.get(name)
        if problem := await self.datasets.circle(self.reference):
            return problem
        if live is None:
            field = f"{self.reference.field}.name"
            message = f"{field}: there is no Dataset {name} in this namespace yet: create it"
            return SourceProblem(Reason.WAITING_FOR_DATASET, message, waits=True)
        theirs = status_of(DatasetStatus, live)
        version = theirs.version if self.reference.version == LATEST else self.reference.version
        if version is None:
            message = f"Dataset {name} has no version yet: see `kubectl describe tmds {name}`"
            return SourceProblem(Reason.WAITING_FOR_DATASET, message, waits=True)
        return theirs, version

    async def listing(self, theirs: DatasetStatus, version: str) -> Listing | SourceProblem:
        """Look at a version in the store; raises Passing or Stalled."""
        name = self.reference.name
        key = layout.manifest_key(self.datasets.reader.namespace, name, version)
        entry = next((v for v in theirs.versions or () if v.version == version), None)
        try:
            if entry is not None:
                await self.store.head(key)
                return Listing(version, entry.objects, entry.bytes, settled=True)
            data = await self.store.get(key, max_bytes=manifest.MAX_BYTES)
            found = await asyncio.to_thread(manifest.parse, data, version)
        except NotFound:
            return self._missing(version)
        except StoreError as error:
            raise trouble_of(error) from error
        except manifest.ManifestError as error:
            message = f"Dataset {name}: {key}: {error}: restore it in the store"
            return SourceProblem(Reason.DATASET_CORRUPT, message)
        return Listing(version, len(found.entries), found.total_bytes, settled=True)

    def _missing(self, version: str) -> SourceProblem:
        name, short = self.reference.name, version.removeprefix("sha256:")[:12]
        if self.reference.version == LATEST:
            message = f"the manifest of version {short} of Dataset {name} is gone from the store"
            return SourceProblem(Reason.DATASET_CORRUPT, f"{message}: restore it there")
        message = (
            f"{self.reference.field}.version: Dataset {name} has no version {short}: see "
            f"`kubectl get tmds {name} -o jsonpath={{.status.versions}}`"
        )
        return SourceProblem(Reason.VERSION_NOT_FOUND, message)


@dataclass(frozen=True, slots=True)
class Beside:
    """All Datasets that one names beside its source."""

    datasets: Datasets
    store: ObjectStore
    spec: DatasetSpec

    async def pin(self, source: Listing, status: DatasetStatus) -> Listing | SourceProblem:
        """Add to what the source holds the versions read beside it; raises Passing or Stalled."""
        wanted = [
            Upstream(self.datasets, self.store, one) for one in references.beside_source(self.spec)
        ]
        for one in wanted:
            one.subscribe()
        found: list[tuple[Upstream, DatasetStatus, Pin]] = []
        for one in wanted:
            answer = await one.find()
            if isinstance(answer, SourceProblem):
                return answer
            pin = Pin(one.reference.path, one.reference.name, answer[1])
            found.append((one, answer[0], pin))
        pinned = replace(source, pins=tuple(pin for *_, pin in found))
        if _is_ingested(status, pinned):
            return pinned  # content by its digest needs no second look
        for one, theirs, pin in found:
            listed = await one.listing(theirs, pin.version)
            if isinstance(listed, SourceProblem):
                return listed
        return pinned


def known(status: DatasetStatus, fingerprint: str) -> Listing | None:
    """Give what is ingested already: content by its digest needs no second look."""
    source, ingest = status.source, status.ingest
    if source is None or source.fingerprint != fingerprint:
        return None
    if ingest is None or ingest.outcome != "Succeeded":
        return None
    return Listing(fingerprint, source.objects, source.bytes, settled=True)


def _is_ingested(status: DatasetStatus, listing: Listing) -> bool:
    ingest = status.ingest
    return (
        ingest is not None and ingest.outcome == "Succeeded" and ingest.fingerprint == listing.mark
    )
