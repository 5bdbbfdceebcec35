"""A materialisation as a Job does it: with keys as the operator gives, to a result in the store."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.contract.online_table import ENTITY, LOCAL, SECRET, moment
from tests.contract.redis_server import PASSWORD, USER, RedisServer
from tests.contract.s3_server import S3Server
from tests.contract.workbench import NAMESPACE, Outcome, Workbench

from tidemill.store import layout, online
from tidemill.store.credentials import assume_role, materialise_policy
from tidemill_runner.exits import Exit

pytestmark = pytest.mark.only_minio("STS: test_keys_that_last.py has what is done without it")
UID = "uid-online"
ROWS = b"site,ts,load\nnorth,2026-01-01T00:00:00Z,1\nnorth,2026-01-02T00:00:00Z,2\n"
MORE = b"site,ts,load\nnorth,2026-01-02T00:00:00Z,2\nsouth,2026-01-02T00:00:00Z,3\n"


def ingested(bench: Workbench, data: bytes) -> dict[str, Any]:
    bench.config, bench.secret = None, None
    bench.deliver("a.csv", data)
    done = bench.ingest(entity=ENTITY)
    assert done.exit is Exit.OK, done.termination
    return done.result


def materialise(
    bench: Workbench, redis: RedisServer, version: dict[str, Any], sequence: int
) -> Outcome:
    bucket = bench.server.config.bucket
    policy = materialise_policy(bucket, NAMESPACE, bench.name, UID)
    granted = assume_role(bench.server.config, policy, 900)
    assert granted is not None
    bench.config = granted.config
    document = {
        **bench._common("materialise"),
        "uid": UID,
        "output": f"{layout.run_prefix(NAMESPACE, UID)}job-{sequence}/",
        "cas": layout.cas_prefix(NAMESPACE),
        "version": {name: version[name] for name in ("version", "manifest")} | {"name": bench.name},
        "entity": ENTITY,
        "server": {
            "host": "localhost",
            "port": redis.port,
            "tls": "Disable",
            "secret": SECRET,
            "allowedNetworks": list(LOCAL),
            "apiServer": None,
        },
        "sequence": sequence,
        "moment": moment("2030-01-01"),
        "ttl": None,
    }
    return bench.run("materialise", document)


def test_two_versions_with_scoped_keys(
    server: S3Server, redis: RedisServer, tmp_path: Path
) -> None:
    bench = Workbench(server, tmp_path, name="online")
    first, second = ingested(bench, ROWS), ingested(bench, MORE)
    bench.secret = {"username": USER, "password": PASSWORD}
    done = materialise(bench, redis, first, 1)
    assert done.exit is Exit.OK, done.termination
    again = materialise(bench, redis, second, 2)
    assert again.exit is Exit.OK, again.termination
    counts = {name: again.result[name] for name in ("written", "removed", "unchanged", "rows")}
    assert counts == {"written": 1, "removed": 0, "unchanged": 1, "rows": 2}
    assert again.result["base"] == first["version"]
    table = online.Table(NAMESPACE, "online")
    values = {name: online.decode(text).values for name, text in redis.texts(table.rows).items()}
    assert values == {table.row(["north"]): {"load": 2}, table.row(["south"]): {"load": 3}}

    bench.secret = {"username": USER, "password": "not-the-password"}
    shut = materialise(bench, redis, second, 3)
    assert (shut.exit, shut.reason) == (Exit.USER, "AccessDenied")
    assert "not-the-password" not in json.dumps(shut.termination)


def test_keys_that_may_read_no_version_write_nothing(
    server: S3Server, redis: RedisServer, tmp_path: Path
) -> None:
    bench = Workbench(server, tmp_path, name="online-shut")
    version = ingested(bench, ROWS)
    bench.secret = {"username": USER, "password": PASSWORD}
    bench.name = "online-other"
    done = materialise(bench, redis, version, 1)
    assert (done.exit, done.reason) == (Exit.DATA, "DatasetCorrupt")
    assert redis.texts() == {}
