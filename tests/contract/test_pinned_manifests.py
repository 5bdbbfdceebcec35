"""The keys of an ingest open the versions of other data sets that it reads, and no others."""

import pytest
from tests.contract.s3_server import S3Server
from tests.contract.workbench import NAMESPACE

from tidemill.store import errors, layout
from tidemill.store.credentials import assume_role, ingest_policy
from tidemill.store.objects import ObjectStore

LONG = "x" * 200
WANTED = [f"sha256:{n:02x}{'5' * 62}" for n in range(10)]


@pytest.mark.only_minio("STS: test_keys_that_last.py has what is done without it")
@pytest.mark.parametrize("many", [2, 10], ids=["by their keys", "by their digests"])
async def test_only_the_manifests_named_are_open(
    server: S3Server, store: ObjectStore, many: int
) -> None:
    keys = [layout.manifest_key(NAMESPACE, LONG, version) for version in WANTED[:many]]
    other = f"sha256:{'f' * 64}"
    shut = [
        layout.manifest_key(NAMESPACE, LONG, other),
        layout.manifest_key("elsewhere", LONG, WANTED[0]),
        layout.profile_key(NAMESPACE, LONG, WANTED[0]),
        layout.record_key(NAMESPACE, LONG, WANTED[0]),
    ]
    for key in (*keys, *shut):
        await store.put(key, b"x")
    policy = ingest_policy(server.config.bucket, NAMESPACE, "reader", "uid", keys)
    assert (policy.read_keys == tuple(keys)) is (many == 2)
    granted = assume_role(server.config, policy, 900)
    assert granted is not None
    scoped = ObjectStore(granted.config)
    for key in keys:
        assert await scoped.get(key) == b"x"
    for key in shut:
        with pytest.raises(errors.AccessDenied):
            await scoped.get(key)
    with pytest.raises(errors.AccessDenied):
        await scoped.put(keys[0], b"y")
