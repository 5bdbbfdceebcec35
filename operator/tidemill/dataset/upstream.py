"""A Dataset as the source of another: which version of it, and that they form no circle.

A version is its digest, so nothing settles and nothing is polled: the upstream's changes wake the
Dataset that reads it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.sources import DatasetSource
from tidemill.children.credentials import trouble_of
from tidemill.children.status import status_of
from tidemill.dataset.observed import Listing, SourceProblem
from tidemill.engine.context import Context
from tidemill.engine.key import Key
from tidemill.kube.resources import DATASETS
from tidemill.store import layout, manifest
from tidemill.store.errors import NotFound, StoreError
from tidemill.store.objects import ObjectStore

LATEST = "latest"
FIELD = "spec.source.dataset"
MAX_CHAIN = 32


@dataclass(frozen=True, slots=True)
class Upstream:
    """The Dataset that the Dataset `reader` names as its source."""

    context: Context
    store: ObjectStore
    reader: Key
    source: DatasetSource

    async def look(self, status: DatasetStatus) -> Listing | SourceProblem:
        """Find the version; `status` is that of the reader. Raises Passing or Stalled."""
        name = self.source.name
        # Before it is read: a change between the two is then never missed.
        self.context.waiters.subscribe(Key("Dataset", self.reader.namespace, name), self.reader)
        live = await self._get(name)
        if problem := await self._circle(live):
            return problem
        if live is None:
            message = f"{FIELD}.name: there is no Dataset {name} in this namespace yet: create it"
            return SourceProblem(Reason.WAITING_FOR_DATASET, message, waits=True)
        theirs = status_of(DatasetStatus, live)
        version = theirs.version if self.source.version == LATEST else self.source.version
        if version is None:
            message = f"Dataset {name} has no version yet: see `kubectl describe tmds {name}`"
            return SourceProblem(Reason.WAITING_FOR_DATASET, message, waits=True)
        return known(status, version) or await self._listing(theirs, version)

    async def _get(self, name: str) -> Mapping[str, Any] | None:
        live = await self.context.client.get(DATASETS, self.reader.namespace, name)
        gone = live is None or live["metadata"].get("deletionTimestamp")
        return None if gone else live

    async def _circle(self, live: Mapping[str, Any] | None) -> SourceProblem | None:
        """Follow the sources up; a circle that the reader has no part in is for those in it."""
        path = [self.reader.name, self.source.name]
        while path[-1] not in path[:-1]:
            following = _source_name(live) if live else None
            if following is None:
                return None
            path.append(following)
            if len(path) > MAX_CHAIN:
                message = f"{FIELD}.name: more than {MAX_CHAIN} Datasets in a row: shorten the row"
                return SourceProblem(Reason.SPEC_INVALID, message)
            live = await self._get(following)
        if path[-1] != self.reader.name:
            return None
        message = f"{FIELD}.name leads in a circle: {' → '.join(path)}: name another source"
        return SourceProblem(Reason.SPEC_INVALID, message)

    async def _listing(self, theirs: DatasetStatus, version: str) -> Listing | SourceProblem:
        name = self.source.name
        key = layout.manifest_key(self.reader.namespace, name, version)
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
        name, short = self.source.name, version.removeprefix("sha256:")[:12]
        if self.source.version == LATEST:
            message = f"the manifest of version {short} of Dataset {name} is gone from the store"
            return SourceProblem(Reason.DATASET_CORRUPT, f"{message}: restore it there")
        message = (
            f"{FIELD}.version: Dataset {name} has no version {short}: see "
            f"`kubectl get tmds {name} -o jsonpath={{.status.versions}}`"
        )
        return SourceProblem(Reason.VERSION_NOT_FOUND, message)


def known(status: DatasetStatus, fingerprint: str) -> Listing | None:
    """Give what is ingested already: content by its digest needs no second look."""
    source, ingest = status.source, status.ingest
    if source is None or source.fingerprint != fingerprint:
        return None
    if ingest is None or ingest.outcome != "Succeeded":
        return None
    return Listing(fingerprint, source.objects, source.bytes, settled=True)


def _source_name(live: Mapping[str, Any]) -> str | None:
    source = (live.get("spec") or {}).get("source") or {}
    return (source.get("dataset") or {}).get("name")
