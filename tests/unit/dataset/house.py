"""A namespace with a bucket, and an operator whose days pass at will."""

from typing import Any, cast

from prometheus_client import CollectorRegistry
from tests.unit.children.world import World
from tests.unit.store.memory import NAMESPACE, Memory

from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.dataset.gate import Gate
from tidemill.dataset.housekeeping import Housekeeping, RetentionMetrics
from tidemill.dataset.shelves import Shelves
from tidemill.engine.context import Context
from tidemill.engine.key import Key
from tidemill.engine.queue import Queue, Queues
from tidemill.store import digests, layout

KEY = Key("Retention", NAMESPACE, "versions")
POWER = Key("Dataset", NAMESPACE, "power")
DAY = 86_400.0
SOURCE = {"inline": {"format": "CSV", "data": "a\n1\n"}}


class House:
    """An operator whose day passes at will."""

    def __init__(self) -> None:
        self.world, self.memory = World(), Memory()
        self.world.now = self.memory.now
        self.begin()

    def begin(self) -> None:
        """Start a new process."""
        base = self.world.context()
        queue = Queues({kind: Queue() for kind in ("Dataset", "Retention")})
        self.context = Context(
            base.client, base.events, queue, base.waiters, base.settings, base.clock
        )
        self.shelves, self.registry = Shelves(), CollectorRegistry()
        self.keeping = Housekeeping(
            self.context,
            cast("Any", self.memory),
            Gate(),
            self.shelves,
            RetentionMetrics(self.registry),
        )

    def later(self, seconds: float) -> None:
        self.world.now = self.memory.later(seconds=seconds)

    async def look(self, after: float = DAY) -> Any:
        self.later(after)
        return await self.keeping.reconcile(KEY)

    def put(self, kind: str, name: str, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
        body = self.world.put(kind, name, spec, namespace=NAMESPACE)
        body.update(more)
        return body

    def dataset(self, name: str = "power", **spec: Any) -> dict[str, Any]:
        return self.put("Dataset", name, {"source": SOURCE, **spec})

    async def deliver(self, word: str, dataset: str = "power", **facts: Any) -> str:
        self.later(60)
        made = await self.memory.ingest(dataset, [word.encode()], **facts)
        return made.digest

    def versions(self, dataset: str = "power") -> set[str]:
        prefix = layout.manifests_prefix(NAMESPACE, dataset)
        found = (key.removeprefix(prefix) for key in self.memory.objects if key.startswith(prefix))
        return {"sha256:" + name.removesuffix(".jsonl") for name in found}

    def has(self, word: str) -> bool:
        return digests.hex_of(digests.sha256_digest(word.encode())) in self.memory.content()

    def metric(self, name: str) -> float:
        return self.registry.get_sample_value(f"tidemill_retention_{name}") or 0.0

    def status(self, listed: list[str], dataset: Key = POWER) -> Any:
        body = {
            "versions": [
                {
                    "version": one,
                    "rows": 1,
                    "bytes": 1,
                    "objects": 1,
                    "createdAt": "2026-11-01T00:00:00Z",
                }
                for one in listed
            ],
            "version": listed[0] if listed else None,
        }
        return self.shelves.told(dataset, DatasetStatus.model_validate(body), asked=True)
