"""A model of two numbers that is served as `web`, and how it is asked."""

import json
from http.client import HTTPConnection
from typing import Any

import pytest
from tests.e2e import specs
from tests.e2e.raw_store import RawStore
from tests.e2e.test_path import rows
from tests.e2e.world import World


@pytest.fixture
def served(world: World, raw: RawStore) -> World:
    """A namespace in which a model of two numbers is served as `web`."""
    raw.put(f"{world.namespace}/rows.csv", rows(200))
    world.apply("Dataset", "data", specs.dataset(f"{world.namespace}/"))
    world.apply("TrainingRun", "one", specs.training_run("data"))
    world.apply("ModelDeployment", "web", specs.model_deployment("one"))
    world.wait_ready("ModelDeployment", "web")
    return world


def address(world: World) -> str:
    service = world.kubectl.get("service", "web", "-n", world.namespace)
    found: str = service["spec"]["clusterIP"]
    return found


def ports(world: World) -> list[str]:
    service = world.kubectl.get("service", "web", "-n", world.namespace)
    return [port["name"] for port in service["spec"]["ports"]]


def ask(
    world: World, method: str, path: str, body: Any = None, token: str | None = None
) -> tuple[int, bytes]:
    """Through the Service, as a program in the cluster does."""
    connection = HTTPConnection(address(world), 80, timeout=30)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
