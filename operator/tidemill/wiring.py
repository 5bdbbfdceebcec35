"""The watches: Kopf tells what changed, and a key goes into the queue. Nothing else happens here.

The only module that imports kopf. Its handlers are of the stateless sort (`on.event`): no
finalizers, no annotations, no writes, no memory of bodies. What an event says is used only to
decide whether it is worth a key:

- an object of ours, when its spec, its deletion or the reconcile-requested annotation changed;
- those who wait for it, when its status changed as well;
- a child's owner, when the child changed in a way that matters (`kube.changes`), or is gone.

Kopf's share of failures: it reconnects by itself; when a watch cannot go on, `run` ends, and the
process with it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import kopf

from tidemill.api.v1alpha1 import GROUP
from tidemill.engine.key import Key
from tidemill.engine.queue import Queues
from tidemill.engine.waiters import Waiters
from tidemill.kube import changes, resources
from tidemill.kube.connection import Connection
from tidemill.kube.resources import Resource
from tidemill.settings import Settings

OWN = (resources.DATASETS, resources.TRAINING_RUNS, resources.MODEL_DEPLOYMENTS)
CHILDREN: dict[Resource, changes.Sign] = {
    resources.JOBS: changes.of_job,
    resources.DEPLOYMENTS: changes.of_deployment,
    resources.SERVICES: changes.of_plain,
}
MANAGED = "app.kubernetes.io/managed-by=tidemill"
PAGE = 100  # what is parsed at once, per kind: memory against requests
# At a (re)list a child's owner is listed as well: waiting makes one reconcile of the two causes.
LISTED_CHILD_SECONDS = 5.0
# Kopf gives up after the last of these: together they outlive six minutes without an API server.
BACKOFFS = (1, 1, 2, 3, 5, 8, 13, *(20,) * 17)


@dataclass(slots=True)
class Sieve:
    """Turns events into keys; remembers two hashes per object, and whose a child is."""

    queue: Queues
    waiters: Waiters
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    _owners: dict[str, Key] = field(default_factory=dict)

    def own(self, kind: str, event: Mapping[str, Any]) -> None:
        """See an event of one of our kinds."""
        body = event["object"]
        key = Key(kind, body["metadata"]["namespace"], body["metadata"]["name"])
        before, now = self._compare(event, changes.of_own(body))
        gone = event["type"] == "DELETED"
        if gone or event["type"] is None or before is None or before[0] != now[0]:
            self.queue.add(key)
        if gone or before != now:
            for dependent in self.waiters.take(key):
                self.queue.add(dependent)

    def child(self, sign: changes.Sign, event: Mapping[str, Any]) -> None:
        """See an event of a child."""
        body = event["object"]
        signature = sign(body)
        before, now = self._compare(event, signature)
        owner = self._owner(event)
        if owner is None:
            return
        if event["type"] is None:
            self.queue.add(owner, LISTED_CHILD_SECONDS)
        elif event["type"] == "DELETED" or (before is None and signature[1]):
            self.queue.add(owner)  # first seen without an outcome: its owner has just made it
        elif before is not None and before != now:
            self.queue.add(owner)

    def _owner(self, event: Mapping[str, Any]) -> Key | None:
        """Give the owner of a child, also when somebody has just removed the reference to it."""
        uid = event["object"]["metadata"]["uid"]
        remembered = self._owners.pop(uid, None)
        owner = owner_of(event["object"]) or remembered
        if owner is not None and event["type"] != "DELETED":
            self._owners[uid] = owner
        return owner

    def _compare(
        self, event: Mapping[str, Any], signature: changes.Signature
    ) -> tuple[tuple[int, int] | None, tuple[int, int]]:
        """Give the hashes remembered of the object and those of now, and remember these."""
        uid = event["object"]["metadata"]["uid"]
        now = hash(signature[0]), hash(signature[1])
        before = self._seen.get(uid)
        if event["type"] == "DELETED":
            self._seen.pop(uid, None)
        else:
            self._seen[uid] = now
        return before, now


def owner_of(body: Mapping[str, Any]) -> Key | None:
    """Give the key of the object of ours that controls a child."""
    metadata = body["metadata"]
    for reference in metadata.get("ownerReferences", ()):
        group = reference["apiVersion"].partition("/")[0]
        if reference.get("controller") and group == GROUP:
            return Key(reference["kind"], metadata["namespace"], reference["name"])
    return None


@dataclass(slots=True)
class Watches:
    """Kopf's operator with our handlers."""

    connection: Connection
    settings: Settings
    sieve: Sieve

    async def run(self, started: asyncio.Event, stop: asyncio.Event) -> None:
        """Watch until `stop`; raises when a watch cannot go on.

        Kopf cancels every task that began after it: begin lasting tasks before. It also takes the
        signals for itself: take them back once `started` is set.
        """
        ours = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        tasks = await kopf.spawn_tasks(
            registry=self._registry(),
            settings=kopf_settings(),
            standalone=True,
            clusterwide=self.settings.all_namespaces,
            namespaces=self.settings.namespace,
            stop_flag=stop,
        )
        started.set()
        await kopf.run_tasks(tasks, ignored=ours | {asyncio.current_task()})

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(self._login)
        for resource in OWN:
            _watch(registry, resource, partial(self.sieve.own, resource.kind))
        for resource, sign in CHILDREN.items():
            _watch(registry, resource, partial(self.sieve.child, sign))
        return registry

    async def _login(self, **_: object) -> kopf.ConnectionInfo:
        credentials = await self.connection.credentials()
        return kopf.ConnectionInfo(
            server=self.connection.server,
            ca_path=self.connection.ca_file,
            insecure=self.connection.insecure,
            scheme=credentials.scheme or None,
            token=credentials.token or None,
            certificate_path=self.connection.certificate_file,
            private_key_path=self.connection.key_file,
            proxy_url=self.connection.proxy,
        )


def _watch(
    registry: kopf.OperatorRegistry, resource: Resource, see: Callable[[Mapping[str, Any]], None]
) -> None:
    async def handler(event: Mapping[str, Any], **_: object) -> None:
        see(event)

    name = (resource.group, resource.version, resource.plural)
    kopf.on.event(*name, id=resource.plural, registry=registry)(handler)


def kopf_settings() -> kopf.OperatorSettings:
    """Set up Kopf as a watcher and nothing else."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True  # else it needs to list CRDs and namespaces
    settings.posting.enabled = False
    settings.watching.chunk_size = PAGE
    settings.watching.reconnect_backoff = 1.0
    for resource in CHILDREN:
        name = (resource.group, resource.version, resource.plural)
        settings.watching.label_selectors[name] = MANAGED
    settings.queueing.idle_timeout = 0.1  # a task per object that outlives its event costs memory
    settings.networking.connect_timeout = 10.0
    settings.networking.request_timeout = 60.0
    settings.networking.error_backoffs = BACKOFFS
    settings.process.ultimate_exiting_timeout = None  # the process ends itself
    settings.persistence.finalizer = f"{GROUP}/unused"  # should anyone add a stateful handler
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    settings.persistence.diffbase_storage = NoDiffBase()
    return settings


class NoDiffBase(kopf.DiffBaseStorage):  # type: ignore[misc]
    """Remembers nothing of an object and copies nothing: our handlers are given no differences."""

    def build(self, **_: object) -> kopf.BodyEssence:
        """Give an empty essence instead of a deep copy of the body."""
        return kopf.BodyEssence()

    def fetch(self, **_: object) -> kopf.BodyEssence | None:
        """Give none."""
        return None

    def store(self, **_: object) -> None:
        """Do nothing."""
