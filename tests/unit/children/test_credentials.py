"""Keys for a child: the store's own, else the namespace's, never the operator's."""

import base64
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, World

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.credentials import scoped_store, secret_values
from tidemill.children.status import Passing
from tidemill.engine.errors import Stalled
from tidemill.store.credentials import Policy, TemporaryStore
from tidemill.store.errors import AccessDenied, BucketMissing, StoreError, Unavailable

POLICY = Policy("tidemill")


def secret(name: str = "tidemill-store", **values: str) -> dict[str, Any]:
    data = {
        key.replace("_", "-"): base64.b64encode(text.encode()).decode()
        for key, text in values.items()
    }
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


async def granted(world: World) -> TemporaryStore:
    return await scoped_store(world.context(), world.platform, NAMESPACE, POLICY, 3600)


async def test_the_stores_own_keys_come_first(world: World) -> None:
    world.api.put(secret(access_key="NS", secret_key="ns"))
    found = await granted(world)
    assert found.config.access_key == "SHORT1"


async def test_without_them_the_namespaces_secret_is_used(world: World) -> None:
    world.has_sts = False
    world.api.put(secret(access_key="NS\n", secret_key=" ns "))
    found = await granted(world)
    assert (found.config.access_key, found.config.secret_key) == ("NS", "ns")
    assert found.config.session_token is None
    assert (found.expires - world.now).total_seconds() == 3600
    assert "OPERATOR" not in str(found.config.to_values())


@pytest.mark.parametrize(
    ("values", "reason", "tells"),
    [
        (None, Reason.STORE_CREDENTIALS_UNAVAILABLE, "access-key and secret-key"),
        ({}, Reason.SECRET_INVALID, "lacks the key access-key"),
        ({"access_key": "NS"}, Reason.SECRET_INVALID, "lacks the key secret-key"),
        (
            {"access_key": " ", "secret_key": "x"},
            Reason.SECRET_INVALID,
            "lacks the key access-key",
        ),
    ],
    ids=["no Secret", "empty", "half", "blank"],
)
async def test_what_is_missing_is_named(
    world: World, values: dict[str, str] | None, reason: Reason, tells: str
) -> None:
    world.has_sts = False
    if values is not None:
        world.api.put(secret(**values))
    with pytest.raises(Stalled, match=tells) as caught:
        await granted(world)
    assert caught.value.reason is reason
    assert "OPERATOR" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (AccessDenied("no"), Stalled, Reason.ACCESS_DENIED),
        (BucketMissing("no"), Stalled, Reason.BUCKET_MISSING),
        (Unavailable("away"), Passing, Reason.STORE_UNAVAILABLE),
        (StoreError("odd"), Passing, Reason.STORE_UNAVAILABLE),
    ],
    ids=["denied", "no bucket", "away", "odd"],
)
async def test_a_store_that_gives_none_is_told(
    world: World, error: StoreError, kind: type[Stalled | Passing], reason: Reason
) -> None:
    world.sts = error
    with pytest.raises(kind) as caught:
        await granted(world)
    assert caught.value.reason is reason
    assert str(error) in caught.value.message


def test_a_secret_is_read_as_text() -> None:
    body = secret(a="x")
    body["data"]["b"] = base64.b64encode(b"\xff").decode()
    assert secret_values(body, ("a",)) == {"a": "x", "b": "\ufffd"}
    assert secret_values({"metadata": {"name": "s"}}, ()) == {}
