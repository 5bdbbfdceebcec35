"""One look at the versions of a namespace: what is condemned, what goes, what it frees.

Nothing is deleted that was not condemned, and shown as such, one grace before. What is true is read
again while no ingest can begin: a run that has named a version since the last look keeps it.
"""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.api.v1alpha1.retention import Retention
from tidemill.children.ownership import KIND_LABEL, MANAGED_BY
from tidemill.children.pods import is_over
from tidemill.dataset import policies
from tidemill.dataset.gate import Gate
from tidemill.dataset.ledger import MAX_BYTES, Ledger
from tidemill.dataset.retention import Limits, beyond, sentence, unneeded, uses
from tidemill.engine.context import Context
from tidemill.jobs.view import Phase, view
from tidemill.kube.resources import DATASETS, JOBS, MODEL_DEPLOYMENTS, PODS, TRAINING_RUNS
from tidemill.store import layout
from tidemill.store.errors import NotFound
from tidemill.store.objects import ObjectStore
from tidemill.store.stored import Name, Stored
from tidemill.store.sweep import Freed, Sweep

_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")
USERS = (TRAINING_RUNS, MODEL_DEPLOYMENTS)  # beside Datasets
ENDED = (Phase.SUCCEEDED, Phase.FAILED)
INGESTS = {**MANAGED_BY, KIND_LABEL: "Dataset"}
MAX_LINEAGE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a look has found and done; `asked` are the live Datasets with a retention."""

    stored: tuple[Stored, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    live: tuple[Mapping[str, Any], ...] = ()
    asked: frozenset[str] = frozenset()
    content: Freed = field(default_factory=Freed)
    versions: Freed = field(default_factory=Freed)

    @property
    def unfinished(self) -> bool:
        """Tell whether there is more to do than was possible now."""
        return any(one.busy or one.more for one in (self.content, self.versions))


@dataclass(frozen=True, slots=True)
class _Asked:
    """The Datasets of the namespace, and what they ask for."""

    datasets: tuple[Mapping[str, Any], ...]
    limits: Mapping[str, Limits]
    dropped: frozenset[str]  # Datasets that are gone, with all their versions to follow


@dataclass(frozen=True, slots=True)
class _World:
    """The namespace as it is: what is asked for, and every version that anything names."""

    asked: "_Asked"
    used: frozenset[str]

    def going(self, stored: Iterable[Stored], context: Context) -> frozenset[Name]:
        """Find what may go."""
        every = tuple(stored)
        old = beyond(every, self.asked.limits, context.clock())
        left = frozenset(one.name for one in every if one.name.dataset in self.asked.dropped)
        return unneeded(every, old | left, self.used)


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Looks at one namespace; `lineages` remembers what packages tell, which never change."""

    context: Context
    store: ObjectStore
    gate: Gate
    namespace: str
    lineages: dict[str, frozenset[str]]
    grace: timedelta

    async def run(self) -> Cleaned:
        """Condemn, and remove what was condemned a grace ago; raises StoreError."""
        asked, ledger = await self._asked(), await self._ledger()
        if not (asked.limits or asked.dropped or ledger.condemned or ledger.content):
            return Cleaned(ledger=ledger, live=asked.datasets)
        sweep = Sweep(self.store, self.namespace, self._quiet)
        # Content first: what a run still reads when its version goes stays until the next look.
        content = await sweep.content(self.context.clock() - self.grace)
        stored = await sweep.versions()
        left_over = content.busy or content.more
        before = ledger
        world = await self._world(asked)
        going, now = world.going(stored, self.context), self.context.clock()
        verdict = sentence(stored, going, ledger.condemned, now, self.grace)
        ledger = replace(ledger, condemned=verdict.condemned, content=ledger.content and left_over)
        await self._keep(ledger, before)

        async def may_go() -> frozenset[Name]:
            world = await self._world(await self._asked())
            return world.going(stored, self.context)

        versions = await sweep.remove(verdict.go, may_go)
        left = tuple(one for one in stored if one.name not in versions.names)
        rest = ledger.without(versions.names)
        await self._keep(rest, ledger)
        await self._forget(asked.dropped - {one.name.dataset for one in left})
        names = frozenset(asked.limits)
        return Cleaned(left, rest, asked.datasets, names, content, versions)

    async def _asked(self) -> _Asked:
        datasets = tuple(await self.context.client.list(DATASETS, self.namespace))
        limits = {
            one["metadata"]["name"]: limit for one in datasets if (limit := limits_of(one["spec"]))
        }
        return _Asked(datasets, limits, await self._dropped(datasets))

    async def _world(self, asked: _Asked) -> _World:
        client, namespace = self.context.client, self.namespace
        objects = list(asked.datasets)
        for kind in USERS:
            objects += await client.list(kind, namespace)
        # A Job that has ended names what it was compared with, and reads it no more.
        jobs = await client.list(JOBS, namespace, labels=MANAGED_BY)
        objects += [one for one in jobs if view(one).phase not in ENDED]
        return _World(asked, uses(objects) | await self._used_by_models())

    async def _dropped(self, datasets: Iterable[Mapping[str, Any]]) -> frozenset[str]:
        names = {one["metadata"]["name"] for one in datasets}
        folders = await self.store.folders(f"datasets/{self.namespace}/")
        gone = [name for name in folders if name not in names]
        notes = [(name, await policies.read(self.store, self.namespace, name)) for name in gone]
        return frozenset(name for name, note in notes if note.policy == "Delete")

    async def _used_by_models(self) -> frozenset[str]:
        """Find what packages were made from: they outlive the runs that made them."""
        listed = await self.store.list(layout.models_prefix(self.namespace))
        keys = [info.key for info in listed if info.key.endswith("/lineage.json")]
        for key in keys:
            if key not in self.lineages:
                data = await self.store.get(key, max_bytes=MAX_LINEAGE_BYTES)
                self.lineages[key] = frozenset(one.decode() for one in _DIGEST.findall(data))
        return frozenset().union(*(self.lineages[key] for key in keys))

    @asynccontextmanager
    async def _quiet(self) -> AsyncIterator[bool]:
        async with self.gate.deletion(self.namespace):
            yield not await self._ingesting()

    async def _ingesting(self) -> bool:
        """Tell whether an ingest is running: its Job has not ended, or a pod of it outlives it."""
        client, namespace = self.context.client, self.namespace
        jobs = await client.list(JOBS, namespace, labels=INGESTS)
        if any(view(job).phase not in ENDED for job in jobs):
            return True
        pods = await client.list(PODS, namespace, labels=INGESTS)
        return any(not is_over(pod) for pod in pods)

    async def _ledger(self) -> Ledger:
        try:
            key = layout.retention_key(self.namespace)
            return Ledger.parse(await self.store.get(key, max_bytes=MAX_BYTES))
        except NotFound:
            return Ledger()

    async def _keep(self, ledger: Ledger, before: Ledger) -> None:
        if ledger != before:
            await self.store.put(layout.retention_key(self.namespace), ledger.to_bytes())

    async def _forget(self, names: frozenset[str]) -> None:
        """Remove what is left of Datasets whose versions are all gone."""
        for name in names:
            note = await policies.read(self.store, self.namespace, name)
            if note.uid:
                for info in await self.store.list(layout.run_prefix(self.namespace, note.uid)):
                    await self.store.delete(info.key)
            await self.store.delete(layout.policy_key(self.namespace, name))


def limits_of(spec: Mapping[str, Any]) -> Limits | None:
    """Read what a Dataset asks to be kept; nothing while it is suspended or cannot be read."""
    asked = spec.get("retention")
    if not asked or spec.get("suspend"):
        return None
    try:
        retention = Retention.model_validate(asked)
        age = parse_duration(retention.age) if retention.age else None
    except (ValidationError, ValueError):
        return None
    return Limits(retention.versions, age)
