"""A run that imports and signs, with the keys that its Job has, and the server's proof of it."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import skops.io
from sklearn.tree import DecisionTreeClassifier
from tests.contract.s3_server import S3Server
from tests.contract.test_scoped_keys import LINES, SPEC, grant, needs_sts
from tests.contract.workbench import NAMESPACE, Outcome, Workbench
from tests.unit.store import keys

from tidemill.store import credentials, layout
from tidemill.store.errors import PackageError
from tidemill.store.objects import ObjectStore
from tidemill_runner.exits import Exit
from tidemill_server.package.signed import prove_signed
from tidemill_server.settings import Settings


def imported(bench: Workbench, folder: Path) -> dict[str, Any]:
    """What the operator tells a Job that imports and signs."""
    (folder / "key").write_bytes(keys.private_pem())
    (folder / "AWS_ACCESS_KEY_ID").write_text(bench.server.config.access_key)
    (folder / "AWS_SECRET_ACCESS_KEY").write_text(bench.server.config.secret_key)
    place = {"endpoint": bench.server.config.endpoint, "bucket": bench.bucket, "pathStyle": True}
    return {
        "import": {**place, "key": f"{bench.prefix}model.skops", "keys": str(folder)},
        "signing": {"folder": str(folder), "called": "the key"},
    }


def fitted() -> bytes:
    features = np.arange(50, dtype=np.float64).reshape(-1, 1)
    target = (features[:, 0] > 20).astype(int)
    return bytes(skops.io.dumps(DecisionTreeClassifier().fit(features, target)))


def trained(server: S3Server, folder: Path) -> Outcome:
    bench = Workbench(server, folder, name="signed")
    bench.deliver("a.csv", LINES.encode())
    ingested = bench.ingest()
    bench.deliver("model.skops", fitted())
    uid = "uid-of-signed"
    policy = credentials.train_policy(
        server.config.bucket, NAMESPACE, bench.name, uid, dataset=bench.name
    )
    bench.config = grant(server, policy).config
    own = folder / "secret"
    own.mkdir()
    spec = {**SPEC, "estimator": {"import": {}}}
    told = {"uid": uid, "output": f"{layout.run_prefix(NAMESPACE, uid)}job/"}
    return bench.train(ingested.result, spec, **told, **imported(bench, own))


def prove(server: S3Server, artifact: dict[str, Any], *names: str) -> None:
    """Prove the signature as the server does, with the keys that its pods have."""
    bucket, prefix = layout.parse_uri(artifact["uri"])
    scoped = ObjectStore(grant(server, credentials.serve_policy(bucket, prefix)).config)
    told = SimpleNamespace(
        prefix=prefix,
        model_digest=artifact["digest"],
        public_keys=tuple(keys.public_pem(name) for name in names),
    )
    asyncio.run(prove_signed(scoped, cast("Settings", told), say=lambda _: None))


@needs_sts
def test_a_job_signs_what_it_imports_and_the_server_proves_it(
    server: S3Server, tmp_path: Path
) -> None:
    outcome = trained(server, tmp_path)
    assert outcome.exit is Exit.OK, outcome.termination
    artifact = outcome.result["artifact"]
    assert artifact["signed"] == {"keyId": keys.key_id()}
    assert json.dumps(outcome.result["import"]).count("model.skops") == 1
    prove(server, artifact, "other", "ours")
    with pytest.raises(PackageError, match="none of those"):
        prove(server, artifact, "other")
