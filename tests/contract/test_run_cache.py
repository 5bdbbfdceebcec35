"""A run's result taken from a real store: quickly, and from nobody but the operator."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.contract.s3_server import S3Server

from tidemill.children.platform import Platform
from tidemill.store import digests, errors, layout
from tidemill.store.credentials import assume_role, train_policy
from tidemill.store.objects import ObjectStore
from tidemill.store.package import FORMAT, MANIFEST, MODEL, REQUIRED_FILES
from tidemill.training.cache import Cache

NS = "cached"
VERSION = "sha256:" + "1" * 64
KEY = "ab" * 32
RUN = {"name": "first", "uid": "0a1b2c3d-0000-4000-8000-000000000001"}
OUTPUT, OWN = f"runs/{NS}/u1/job/", f"runs/{NS}/u2/job/"
FILES = dict.fromkeys((MODEL, *REQUIRED_FILES), b"x")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def cache(server: S3Server) -> Cache:
    platform = Platform(server.config, ObjectStore(server.config), "runner", "server", None)
    return Cache(platform, NS)


async def result(server: S3Server, store: ObjectStore) -> dict[str, Any]:
    """Leave a result and its package, as a run does."""
    manifest, digest = _manifest()
    package = f"{layout.model_prefix(NS, 'first')}{digests.hex_of(digest)}/"
    uri = layout.uri(server.config.bucket, package)
    found = {
        "outcome": "Succeeded",
        "datasetVersion": VERSION,
        "metrics": [{"name": "accuracy", "value": 0.1 + 0.2, "n": 3}],
        "artifact": {"uri": uri, "digest": digest},
        "completedAt": "2025-12-31T00:00:00Z",
    }
    await store.put(f"{OUTPUT}result.json", digests.canonical_json(found))
    for name, data in FILES.items():
        await store.put(f"{package}{name}", data)
    await store.put(f"{package}{MANIFEST}", manifest)
    return found


def _manifest() -> tuple[bytes, str]:
    files = [
        {"path": name, "sha256": digests.sha256_digest(data), "size": len(data)}
        for name, data in sorted(FILES.items())
    ]
    data = digests.canonical_json({"files": files, "format": FORMAT})
    return data, digests.sha256_digest(data)


async def test_what_was_noted_is_taken_within_a_second(
    server: S3Server, store: ObjectStore
) -> None:
    cached, found = cache(server), await result(server, store)
    await cached.note(KEY, RUN, OUTPUT, found)
    began = time.monotonic()
    taken = await cached.take(KEY, VERSION, OWN, NOW)
    assert time.monotonic() - began <= 1
    assert taken is not None
    assert taken["metrics"] == found["metrics"]
    assert taken["cachedFrom"] == {**RUN, "completedAt": "2025-12-31T00:00:00Z"}
    assert await store.get(f"{OWN}result.json") == digests.canonical_json(taken)


async def test_what_is_gone_is_a_miss(server: S3Server, store: ObjectStore) -> None:
    cached, found = cache(server), await result(server, store)
    assert await cached.take("cd" * 32, VERSION, OWN, NOW) is None
    await cached.note(KEY, RUN, OUTPUT, found)
    assert await cached.take(KEY, VERSION, OWN, NOW) is not None
    package = f"{layout.model_prefix(NS, 'first')}{digests.hex_of(_manifest()[1])}/"
    await store.delete(f"{package}manifest.json")
    assert await cached.take(KEY, VERSION, OWN, NOW) is None


@pytest.mark.only_minio("short-lived keys cut to a prefix")
async def test_the_keys_of_a_run_do_not_reach_it(server: S3Server, store: ObjectStore) -> None:
    await cache(server).note(KEY, RUN, OUTPUT, await result(server, store))
    policy = train_policy(server.config.bucket, NS, "first", RUN["uid"], "data")
    granted = assume_role(server.config, policy, 3600)
    assert granted is not None
    theirs, place = ObjectStore(granted.config), layout.cached_run_key(NS, KEY)
    with pytest.raises(errors.AccessDenied):
        await theirs.put(place, b"{}")
    with pytest.raises(errors.AccessDenied):
        await theirs.get(place)
