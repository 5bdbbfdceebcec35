"""Keeps retention: looks at each namespace now and then, and tells its Datasets what was found."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge

from tidemill.children.credentials import trouble_of
from tidemill.dataset.cleaning import Cleaned, Cleaning
from tidemill.dataset.gate import Gate
from tidemill.dataset.shelves import Shelves, facts
from tidemill.engine.context import Context
from tidemill.engine.errors import Retry
from tidemill.engine.key import Key
from tidemill.engine.result import Result
from tidemill.store.errors import StoreError, Unavailable
from tidemill.store.objects import ObjectStore

KIND = "Retention"
AGAIN_SECONDS = 60.0
MAX_LOGGED = 10

logger = logging.getLogger(__name__)


class RetentionMetrics:
    """How much was removed and how much is to go, in all namespaces together."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register them."""
        name = "tidemill_retention_"
        self.versions = Counter(
            f"{name}removed_versions_total", "Versions removed", registry=registry
        )
        self.objects = Counter(
            f"{name}removed_objects_total", "Objects of content removed", registry=registry
        )
        self.bytes = Counter(
            f"{name}removed_bytes_total", "Size of the content removed", registry=registry
        )
        self._condemned = Gauge(
            f"{name}condemned_versions", "Versions that are to go", registry=registry
        )
        self._by_namespace: dict[str, int] = {}

    def see(self, namespace: str, cleaned: Cleaned) -> None:
        """Count what one look has done."""
        self.versions.inc(len(cleaned.versions.names))
        self.objects.inc(cleaned.content.objects)
        self.bytes.inc(cleaned.content.bytes)
        self._by_namespace[namespace] = len(cleaned.ledger.condemned)
        self._condemned.set(sum(self._by_namespace.values()))


@dataclass(slots=True)
class Housekeeping:
    """Reconciles the retention of namespaces; a key's namespace is what it is about."""

    context: Context
    store: ObjectStore
    gate: Gate
    shelves: Shelves
    metrics: RetentionMetrics
    _looked: dict[str, datetime] = field(default_factory=dict)
    _lineages: dict[str, dict[str, frozenset[str]]] = field(default_factory=dict)

    async def namespaces(self) -> AsyncIterator[Key]:
        """Give a key for each served namespace that has anything in the store."""
        try:
            names = await self.store.folders("datasets/")
        except StoreError as error:
            raise Retry(f"Tidemill's own store: {error}") from error
        served = self.context.settings.scopes
        for name in names:
            if name in served or None in served:
                yield Key(KIND, name, "versions")

    async def reconcile(self, key: Key) -> Result:
        """Look at a namespace, if the last look is long enough ago."""
        settings, now = self.context.settings, self.context.clock()
        last = self._looked.get(key.namespace)
        if last and now - last < timedelta(seconds=settings.retention_interval_seconds):
            return Result.done()
        cleaning = Cleaning(
            self.context,
            self.store,
            self.gate,
            key.namespace,
            self._lineages.setdefault(key.namespace, {}),
            timedelta(seconds=settings.retention_grace_seconds),
        )
        try:
            cleaned = await cleaning.run()
        except Unavailable as error:
            raise trouble_of(error) from error
        except StoreError as error:
            # No retry mends it: told where it is read, and looked at again at the usual time.
            self._looked[key.namespace] = now
            self.shelves.trouble(key.namespace, str(error))
            raise trouble_of(error) from error
        self._tell(key.namespace, cleaned, cleaning.grace)
        if cleaned.unfinished:
            return Result.after(AGAIN_SECONDS)
        self._looked[key.namespace] = now
        return Result.done()

    def _tell(self, namespace: str, cleaned: Cleaned, grace: timedelta) -> None:
        self.metrics.see(namespace, cleaned)
        if gone := sorted(cleaned.versions.names):
            some = ", ".join(f"{one.dataset} {one.version[7:19]}" for one in gone[:MAX_LOGGED])
            logger.info("Removed %d versions beyond their retention: %s", len(gone), some)
        there = {one.name for one in cleaned.stored}
        for live in cleaned.live:
            name = live["metadata"]["name"]
            if name not in cleaned.asked:
                continue
            listed = (live.get("status") or {}).get("versions") or ()
            kept = {one.version for one in there if one.dataset == name}
            lost = frozenset(one["version"] for one in listed) - kept
            key = Key("Dataset", namespace, name)
            found = facts(name, cleaned.stored, cleaned.ledger, grace)
            if self.shelves.put(key, found, lost):
                self.context.queue.add(key)
