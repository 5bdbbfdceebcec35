"""A store without STS: the namespace's own keys, as its administrator cut them, do for every verb.

This is what manifests/README.md tells an administrator to make: a user of the store for each
namespace, and a policy of the bucket that names the namespace's prefixes.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract.s3_server import BUCKET
from tests.contract.versity_server import VersityServer
from tests.contract.workbench import NAMESPACE, Workbench

from tidemill.store import errors
from tidemill.store.config import StoreConfig
from tidemill.store.credentials import Policy, assume_role
from tidemill.store.objects import ObjectStore
from tidemill_runner.exits import Exit

USER, SECRET = "user-of-power", "secret-of-power"
LINES = "a,y\n" + "".join(f"{i},{int(i > 20)}\n" for i in range(50))
SPEC = {
    "task": "Classification",
    "target": "y",
    "estimator": {
        "sklearn": {"steps": [{"name": "m", "class": "sklearn.tree.DecisionTreeClassifier"}]}
    },
}


@pytest.fixture(scope="module")
def versity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VersityServer]:
    server = VersityServer(tmp_path_factory.mktemp("versitygw"))
    server.start()
    try:
        server.client().make_bucket(BUCKET)
        server.add_user(USER, SECRET)
        server.client().set_bucket_policy(BUCKET, bucket_policy(NAMESPACE))
        yield server
    finally:
        server.stop()


def bucket_policy(namespace: str) -> str:
    """What a namespace's user may do: all under its own prefixes, nothing beside them."""
    arn = f"arn:aws:s3:::{BUCKET}"
    kinds = ("cas", "datasets", "runs", "models")
    may = {"Effect": "Allow", "Principal": {"AWS": [USER]}}
    objects = [
        "s3:GetObject",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ]
    statements = [
        {**may, "Action": objects, "Resource": [f"{arn}/{kind}/{namespace}/*" for kind in kinds]},
        {**may, "Action": ["s3:ListBucket"], "Resource": [arn]},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture
def keys(versity: VersityServer) -> StoreConfig:
    return replace(versity.config, access_key=USER, secret_key=SECRET)


def test_it_grants_nothing(versity: VersityServer) -> None:
    assert assume_role(versity.config, Policy(BUCKET, ("x/",)), 900) is None


async def test_keys_of_a_namespace_open_no_other(versity: VersityServer, keys: StoreConfig) -> None:
    everything, own = ObjectStore(versity.config), ObjectStore(keys)
    await everything.put("cas/other/x", b"x")
    await own.put(f"cas/{NAMESPACE}/x", b"x", create=True)
    assert await own.get(f"cas/{NAMESPACE}/x") == b"x"
    for refused in (
        own.get("cas/other/x"),
        own.put("cas/other/x", b"y"),
        own.put(f"cas/{NAMESPACE}x/x", b"y"),
        own.delete(f"cas/{NAMESPACE}/x"),
    ):
        with pytest.raises(errors.AccessDenied):
            await refused
    assert await everything.get("cas/other/x") == b"x"


def test_they_do_for_both_verbs(versity: VersityServer, keys: StoreConfig, tmp_path: Path) -> None:
    bench = Workbench(versity, tmp_path, name="lasting", config=keys)
    bench.deliver("a.csv", LINES.encode())
    ingested = bench.ingest()
    assert ingested.exit is Exit.OK, ingested.termination
    trained = bench.train(ingested.result, SPEC)
    assert trained.exit is Exit.OK, trained.termination
    again = bench.train(ingested.result, SPEC)
    assert again.result["artifact"] == trained.result["artifact"]
