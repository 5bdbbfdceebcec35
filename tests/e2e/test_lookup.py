"""A model that joined feature tables is asked by key: the server finds the features in a Redis."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.apiserver.kubectl import Kubectl, RefusedError
from tests.contract.redis_server import RedisServer, redis_server
from tests.e2e import specs
from tests.e2e.node_address import node_address
from tests.e2e.test_features import ENTITY, TABLES, feature_tables, labels, run
from tests.e2e.world import World

from tidemill.store import online

SECRET = "features-reader"
READER, PASSWORD = "lookup", "pass-of-the-lookup"
TENSORS = {
    "noise": ("INT64", [3, 3, 3]),
    "site": ("BYTES", ["a", "b", "nobody"]),
}


@pytest.fixture(scope="module")
def redis(kubectl: Kubectl) -> Iterator[RedisServer]:
    """One with a certificate for the node's address, and a user who may look up and no more."""
    with redis_server(node_address(kubectl), encrypted=True) as server:
        rights = (READER, "on", f">{PASSWORD}", "~tidemill:*", "+mget")
        server.client().execute_command("ACL", "SETUSER", *rights)
        yield server


def fill(server: RedisServer, world: World) -> None:
    """Equal bits for one site, which means `same`; unequal ones for the other."""
    now = time.time_ns() // 1000
    tables = [online.Table(world.namespace, name) for name in ("first", "second")]
    bits = {"a": (1, 1), "b": (0, 1)}
    texts = {
        table.row([site]): online.encode(now, {"bit": bit})
        for site, pair in bits.items()
        for table, bit in zip(tables, pair, strict=True)
    }
    server.client().mset(texts)


def ask(world: World) -> Any:
    inputs = [
        {"name": name, "datatype": datatype, "shape": [len(data)], "data": data}
        for name, (datatype, data) in TENSORS.items()
    ]
    path = f"/api/v1/namespaces/{world.namespace}/services/by-key:http/proxy"
    command = ("create", "--raw", f"{path}/v2/models/by-key/infer", "-f", "-")
    return json.loads(world.kubectl(*command, body={"inputs": inputs}))


def test_a_request_sends_the_key_and_the_server_finds_the_features(
    world: World, redis: RedisServer
) -> None:
    world.apply("Dataset", "labels", labels())
    world.apply_all("Dataset", feature_tables(entity=ENTITY))
    world.apply("TrainingRun", "joined", run(TABLES))
    keys = {"username": READER, "password": PASSWORD, "ca.crt": redis.authority}
    world.secret(SECRET, keys)
    fill(redis, world)
    address = f"{redis.host}:{redis.port}"
    store = {"address": address, "credentialsRef": {"name": SECRET}}
    features = {"online": store, "timeout": "2s"}
    world.apply("ModelDeployment", "by-key", specs.model_deployment("joined", features=features))
    world.wait_ready("ModelDeployment", "by-key")

    found = ask(world)
    assert found["outputs"][0]["data"][:2] == ["same", "other"]
    counts = {"found": 2, "missing": 1, "stale": 0}
    assert found["parameters"]["features"] == {"first": counts, "second": counts}

    redis.stop()
    with pytest.raises(RefusedError, match=r"(?i)unavailable"):
        ask(world)
