"""The newest rows of a feature table in a Redis on the node: filled, followed, healed, refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.apiserver.kubectl import Body, Kubectl
from tests.contract.redis_server import PASSWORD, USER, RedisServer, redis_server
from tests.e2e.node_address import node_address
from tests.e2e.world import World, settled, summary

from tidemill.store import online

SECRET = "online-login"
ENTITY = {"key": ["site"], "timestamp": "ts"}
FIRST = "site,ts,load\nnorth,2026-01-01T00:00:00Z,1\nnorth,2026-01-02T00:00:00Z,2\n"
SECOND = "site,ts,load\nnorth,2026-01-02T00:00:00Z,2\nsouth,2026-01-02T00:00:00Z,3.5\n"


@pytest.fixture(scope="module")
def redis(kubectl: Kubectl) -> Iterator[RedisServer]:
    """One with a certificate for the node's address."""
    with redis_server(node_address(kubectl), encrypted=True) as server:
        yield server


def spec(server: RedisServer, data: str = FIRST) -> dict[str, Any]:
    return {
        "source": {"inline": {"format": "CSV", "data": data}},
        "entity": ENTITY,
        "refresh": {"pollInterval": "10s"},
        "online": {
            "address": f"{server.host}:{server.port}",
            "credentialsRef": {"name": SECRET},
        },
    }


def filled(body: Body) -> bool:
    status = body.get("status", {})
    online_status = status.get("online") or {}
    whole = online_status.get("version") == status.get("version")
    return settled(body) and online_status.get("reason") == "Ready" and whole


def rows(server: RedisServer, world: World, name: str) -> dict[str, Any]:
    prefix = online.Table(world.namespace, name).rows
    return {
        json.loads(key.removeprefix(prefix))[0]: dict(online.decode(text).values)
        for key, text in server.texts(prefix).items()
    }


def test_a_store_follows_the_version_in_use_and_heals(world: World, redis: RedisServer) -> None:
    keys = {"username": USER, "password": PASSWORD, "ca.crt": redis.authority}
    world.secret(SECRET, keys)
    world.apply("Dataset", "load", spec(redis))
    first = world.wait("Dataset", "load", filled)
    assert rows(redis, world, "load") == {"north": {"load": 2}}
    assert first["status"]["online"]["newestTime"] == "2026-01-02T00:00:00Z"
    assert (summary(first)["status"], summary(first)["reason"]) == ("True", "Ready")

    world.apply("Dataset", "load", spec(redis, SECOND))
    version = first["status"]["version"]
    second = world.wait(
        "Dataset", "load", lambda b: filled(b) and b["status"]["version"] != version
    )
    assert rows(redis, world, "load") == {"north": {"load": 2}, "south": {"load": 3.5}}
    assert second["status"]["online"]["rows"] == 2

    redis.client().flushall()
    sequence = second["status"]["online"]["sequence"]
    world.wait(
        "Dataset", "load", lambda b: filled(b) and b["status"]["online"]["sequence"] > sequence
    )
    assert rows(redis, world, "load") == {"north": {"load": 2}, "south": {"load": 3.5}}


def test_a_wrong_password_leaves_the_version_in_use(world: World, redis: RedisServer) -> None:
    keys = {"username": USER, "password": "not-the-password", "ca.crt": redis.authority}
    world.secret(SECRET, keys)
    world.apply("Dataset", "shut", spec(redis))
    body = world.wait_reason("Dataset", "shut", "OnlineStoreBehind")
    assert summary(body)["status"] == "True"
    assert body["status"]["online"]["reason"] == "AccessDenied"
    assert f"Secret {SECRET}" in body["status"]["online"]["message"]
    assert "not-the-password" not in str(body["status"])
    world.secret(SECRET, {**keys, "password": PASSWORD})
    world.wait("Dataset", "shut", filled)
    assert rows(redis, world, "shut") == {"north": {"load": 2}}
