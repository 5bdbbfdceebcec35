"""A small world around one reconciler: a fake API server, a store in memory, a clock by hand."""

import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from tests.unit.children.fake_api import FakeApi, Killed

from tidemill.api.v1alpha1 import API_VERSION
from tidemill.children.platform import Platform
from tidemill.engine.context import Context
from tidemill.engine.errors import Retry
from tidemill.engine.key import Key
from tidemill.engine.queue import Queue, Queues
from tidemill.engine.result import Result
from tidemill.engine.waiters import Waiters
from tidemill.kube.client import Client
from tidemill.kube.events import Events
from tidemill.kube.resources import JOBS, Resource
from tidemill.settings import Settings
from tidemill.store.config import StoreConfig
from tidemill.store.credentials import Policy, TemporaryStore
from tidemill.store.errors import NotFound, StoreError, TooLarge
from tidemill.store.objects import ObjectInfo, ObjectStore

NAMESPACE = "ns"
RUNNER = "registry.test/runner@sha256:" + "a" * 64
SERVER = "registry.test/server@sha256:" + "b" * 64
CONFIG = StoreConfig(
    "http://store.test:9000", "r", "tidemill", access_key="OPERATOR", secret_key="OPERATORSECRET"
)
KINDS = ("Dataset", "TrainingRun", "ModelDeployment")


class FakeStore:
    """A bucket; `fault` is raised by every call while it is set."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fault: StoreError | None = None

    async def get(self, key: str, *, max_bytes: int) -> bytes:  # noqa: ARG002
        if self.fault:
            raise self.fault
        if key not in self.objects:
            raise NotFound(key)
        return self.objects[key]

    async def put(self, key: str, data: bytes) -> None:
        if self.fault:
            raise self.fault
        self.objects[key] = data

    async def delete(self, key: str) -> None:
        if self.fault:
            raise self.fault
        self.objects.pop(key, None)

    async def head(self, key: str) -> ObjectInfo:
        return ObjectInfo(key, len(await self.get(key, max_bytes=0)), "e")

    async def list(self, prefix: str, *, limit: int = 100_000) -> list[ObjectInfo]:
        if self.fault:
            raise self.fault
        found = {key: data for key, data in self.objects.items() if key.startswith(prefix)}
        if len(found) > limit:
            raise TooLarge(prefix)
        return [ObjectInfo(key, len(data), f"e-{data!r}") for key, data in found.items()]


@dataclass
class World:
    """What a reconciler is given."""

    api: FakeApi = field(default_factory=FakeApi)
    store: FakeStore = field(default_factory=FakeStore)
    now: datetime = datetime(2025, 1, 1, tzinfo=UTC)
    granted: int = 0
    sts: StoreError | None = None
    has_sts: bool = True
    most_seconds: int | None = None
    runner: str = RUNNER
    server: str = SERVER
    networks: tuple[str, ...] = ()
    # The images of runner and server with XGBoost and LightGBM, where they are installed.
    boosting: tuple[str, ...] = ()

    @property
    def platform(self) -> Platform:
        store = cast("ObjectStore", self.store)
        own = (self.runner, self.server, "http://operator.test")
        return Platform(CONFIG, store, *own, *self.boosting)

    def context(self) -> Context:
        """Give what a new process has: nothing is remembered from the one before."""
        client = cast("Client", self.api)
        return Context(
            client=client,
            events=Events(client, self.clock),
            queue=Queues({kind: Queue() for kind in KINDS}),
            waiters=Waiters(),
            settings=Settings(all_namespaces=True, http_allowed_networks=self.networks),
            clock=self.clock,
        )

    def clock(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def assume_role(self, config: StoreConfig, _: Policy, seconds: int) -> TemporaryStore | None:
        if self.sts:
            raise self.sts
        if not self.has_sts:
            return None
        self.granted += 1
        values = StoreConfig(
            config.endpoint,
            config.region,
            config.bucket,
            access_key=f"SHORT{self.granted}",
            secret_key="short",
        )
        lasts = min(seconds, self.most_seconds or seconds)
        return TemporaryStore(values, self.now + timedelta(seconds=lasts))

    def put(self, kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
        """Apply an object of ours as a user does."""
        identity = {"name": name, "namespace": NAMESPACE, **metadata}
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": identity, "spec": spec}
        return self.api.put(copy.deepcopy(body))

    def edit(self, body: dict[str, Any], **spec: Any) -> None:
        """Change the spec as a user does."""
        body["spec"].update(spec)
        body["metadata"]["generation"] += 1

    def request(self, body: dict[str, Any], token: str) -> None:
        notes = body["metadata"].setdefault("annotations", {})
        notes["tidemill.dev/reconcile-requested-at"] = token

    def end_job(self, job: dict[str, Any], kind: str, reason: str = "") -> None:
        """Do as the Job controller does at the end: Complete or Failed."""
        condition = {
            "type": kind,
            "status": "True",
            "reason": reason,
            "lastTransitionTime": self.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        job["status"] = {"conditions": [condition]}

    def job(self) -> dict[str, Any]:
        return self.api.one(JOBS)


Reconcile = Callable[[Key], Awaitable[Result]]


def summary(body: dict[str, Any]) -> dict[str, Any]:
    """Give the first condition."""
    return cast("dict[str, Any]", body["status"]["conditions"][0])


def condition_types(body: dict[str, Any]) -> set[str]:
    return {condition["type"] for condition in body["status"]["conditions"]}


async def once(reconcile: Reconcile, kind: str, name: str) -> Result | None:
    """Reconcile once; None when it asks for another try or was killed."""
    try:
        return await reconcile(Key(kind, NAMESPACE, name))
    except (Retry, Killed):
        return None


async def until_quiet(world: World, reconcile: Reconcile, kind: str, name: str) -> None:
    """Reconcile until a pass writes nothing."""
    for _ in range(20):
        before = len(world.api.writes)
        done = await once(reconcile, kind, name)
        if done is not None and len(world.api.writes) == before:
            return
    raise AssertionError(f"never quiet: {world.api.writes[-6:]}")


def shape(world: World, *resources: Resource) -> list[tuple[Any, ...]]:
    """Give the objects without what differs between two runs: uids and granted keys."""
    return [
        (kind.kind, name, copy.deepcopy(body.get("spec")))
        for (kind, _, name), body in sorted(
            world.api.objects.items(), key=lambda item: (item[0][0].kind, item[0][2])
        )
        if not resources or kind in resources
    ]


def instant(seconds: float = 0.0) -> datetime:
    """Give a time of the fake world."""
    return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


async def live_through(
    world: World,
    process: Callable[[], Reconcile],
    key: tuple[str, str],
    cluster: Callable[[], None],
) -> None:
    """Reconcile until nothing more happens, in a new process after each death."""
    reconcile, quiet = process(), 0
    for _ in range(60):
        before = len(world.api.writes)
        try:
            await reconcile(Key(key[0], NAMESPACE, key[1]))
        except Killed:
            reconcile = process()
            continue
        except Retry:
            pass
        quiet = quiet + 1 if len(world.api.writes) == before else 0
        cluster()
        world.wait(15)
        if quiet == 5:
            return
    raise AssertionError(f"never at rest: {world.api.writes[-6:]}")
