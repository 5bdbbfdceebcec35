"""What happens around a Dataset with an online store: its Secret, its record, its Jobs."""

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.unit.children.world import NAMESPACE, World
from tests.unit.dataset.scene import RESULT, SPEC, VERSION, leave_result

from tidemill.dataset.online_plan import GOAL_ANNOTATION
from tidemill.kube.resources import JOBS, SECRETS
from tidemill.store import layout
from tidemill.store.online import Column, Meta, Shape, State, Whole, microseconds
from tidemill.store.online_errors import OnlineError

KIND, NAME = "Dataset", "d"
ENTITY = {"key": ["site"], "timestamp": "ts"}
ONLINE = {"address": "redis.example:6379", "credentialsRef": {"name": "login"}}
ASKED = {**SPEC, "entity": ENTITY, "online": ONLINE}
OTHER = "sha256:" + "2" * 64


class Server:
    """What the online store tells, and how often it was asked."""

    meta: Meta | None = None
    fault: OnlineError | None = None
    asked: int = 0

    def write(self, document: dict[str, Any], now: Any) -> None:
        """Do what a Job does."""
        key = tuple(Column(name, "String") for name in document["entity"]["key"])
        time = Column(document["entity"]["timestamp"], "Timestamp")
        state = State(document["version"]["version"], document["moment"])
        whole = Whole(state, 3, microseconds(now), None, microseconds(now))
        self.meta = Meta(Shape(key, time, (), document["ttl"]), document["sequence"], whole)


def put_login(world: World, **values: str) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"name": "login", "namespace": NAMESPACE}
    world.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


def record(world: World, version: str = VERSION, **more: Any) -> None:
    body = {"v": 1, "version": version, "entity": ENTITY, **more}
    key = layout.record_key(NAMESPACE, NAME, version)
    world.store.objects[key] = json.dumps(body).encode()


def put(world: World, **changes: Any) -> dict[str, Any]:
    put_login(world, password="hush")
    record(world)
    return world.put(KIND, NAME, {**ASKED, **changes})


def writing(world: World) -> list[dict[str, Any]]:
    """The Jobs that materialise."""
    return [j for j in world.api.all(JOBS) if GOAL_ANNOTATION in j["metadata"]["annotations"]]


def given(world: World, job: dict[str, Any]) -> dict[str, Any]:
    secrets = {one["metadata"]["name"]: one for one in world.api.all(SECRETS)}
    data = secrets[job["metadata"]["name"]]["data"]["input.json"]
    document: dict[str, Any] = json.loads(base64.b64decode(data))
    return document


def cluster(world: World, server: Server) -> Callable[[], None]:
    """Run the Jobs, of both verbs."""

    def run() -> None:
        for job in world.api.all(JOBS):
            if "status" in job:
                continue
            if GOAL_ANNOTATION in job["metadata"]["annotations"]:
                server.write(given(world, job), world.now)
            else:
                leave_result(world, job, RESULT)
            world.end_job(job, "Complete")

    return run
