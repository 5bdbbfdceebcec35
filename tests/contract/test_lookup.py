"""A server that looks features up in a real store: by key, in time, and what if that is away."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contract.redis_server import RedisServer, redis_server
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.features.table import column, entry, key
from tests.unit.server.servers import Reply, Server, serve

from tidemill.store import digests, online
from tidemill_server.exits import Exit

NAMESPACE, DATASET = "ns", "grid"
READER, PASSWORD = "reader", "pass-of-the-reader"
HOUR = 3_600_000_000
MODEL = packages.boosted()
JOINED = ("demand", "peak")
LINEAGE = {
    "join": [
        entry(
            DATASET,
            [key("site", "String"), key("unit", "Integer")],
            [column("demand", "Float", "load"), column("peak", "Boolean")],
            maxAge="1h",
        )
    ]
}
OWN = {"price": ("FP64", [0.5, -0.5, 1.5, 0.5]), "day": ("INT64", [1, 2, 3, 1])}
KEYS = {"site": ("BYTES", ["nörd", "süd", "west", None]), "unit": ("INT64", [1, 2, 3, 1])}


def tensors(*parts: dict[str, tuple[str, list[Any]]]) -> dict[str, Any]:
    every = [item for part in parts for item in part.items()]
    return {
        "inputs": [
            {"name": name, "datatype": datatype, "shape": [len(data)], "data": data}
            for name, (datatype, data) in every
        ]
    }


BY_KEY = tensors(OWN, KEYS)


def features(demand: list[float | None], peak: list[bool | None]) -> dict[str, Any]:
    return tensors(OWN, {"demand": ("FP64", demand), "peak": ("BOOL", peak)})


BY_HAND = features([2.5, -1.5, None, None], [True, None, None, None])
NOTHING = features([None] * 4, [None] * 4)


def fill(redis: RedisServer, *, age: int = 0, **texts: str) -> None:
    """The rows of two of the keys; `texts` by site are in place of theirs."""
    table, now = online.Table(NAMESPACE, DATASET), time.time_ns() // 1000
    rows = {
        table.row(["nörd", 1]): online.encode(now - age, {"load": 2.5, "peak": True}),
        table.row(["süd", 2]): online.encode(now - age, {"load": -1.5, "peak": None}),
    }
    rows |= {table.row([site, 3]): text for site, text in texts.items()}
    redis.client().mset(rows)


def let_read(redis: RedisServer) -> None:
    """A user with no more rights than looking up takes."""
    rights = f"user {READER} on >{PASSWORD} ~tidemill:* +mget".split()
    redis.client().execute_command("ACL", "SETUSER", *rights[1:])


@contextmanager
def reading() -> Iterator[RedisServer]:
    """A store of the test's own."""
    with redis_server() as redis:
        let_read(redis)
        yield redis


@contextmanager
def serving(
    folder: Path, redis: RedisServer, files: dict[str, bytes] | None = None, **env: str
) -> Iterator[Server]:
    """A server of the model that may look features up."""
    secret = folder / "online"
    secret.mkdir(parents=True, exist_ok=True)
    for name, content in {"username": READER, "password": PASSWORD}.items():
        (secret / name).write_text(content)
    lineage = {"lineage.json": digests.canonical_json(LINEAGE)}
    with Bucket() as bucket:
        digest = packages.publish(
            bucket, {**MODEL.files(), **(lineage if files is None else files)}
        )
        told = {
            "TIDEMILL_ONLINE_ADDRESS": f"{redis.host}:{redis.port}",
            "TIDEMILL_ONLINE_NAMESPACE": NAMESPACE,
            "TIDEMILL_ONLINE_TLS": "Disable",
            "TIDEMILL_ONLINE_SECONDS": "2",
            "TIDEMILL_ONLINE_SECRET": str(secret),
            "TIDEMILL_HTTP_ALLOWED_NETWORKS": "127.0.0.0/8",
            **env,
        }
        with serve(bucket, digest, folder, **told) as server:
            yield server


@pytest.fixture(scope="module")
def process(
    redis_process: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    let_read(redis_process)
    with serving(tmp_path_factory.mktemp("lookup"), redis_process) as server:
        yield server.ready()


@pytest.fixture
def looking(process: Server, redis: RedisServer) -> Server:
    """One whose store is empty."""
    assert redis.client().dbsize() == 0
    return process


def outputs(reply: Reply) -> list[Any]:
    assert reply.status == 200, reply.body
    return [output["data"] for output in reply.json["outputs"]]


def told(reply: Reply) -> Any:
    return reply.json["parameters"].get("features")


def counted(server: Server) -> dict[str, float]:
    lines = server.get("/metrics").body.decode().splitlines()
    start = 'tidemill_server_feature_rows_total{outcome="'
    found = (line.removeprefix(start).split('"} ') for line in lines if line.startswith(start))
    return {outcome: float(count) for outcome, count in found}


def test_by_key_and_by_hand_are_the_same_prediction(looking: Server, redis: RedisServer) -> None:
    fill(redis)
    before = counted(looking)
    found = looking.infer(BY_KEY)
    assert outputs(found) == outputs(looking.infer(BY_HAND))
    assert outputs(found) != outputs(looking.infer(NOTHING))
    assert told(found) == {DATASET: {"found": 2, "missing": 2, "stale": 0}}
    assert told(looking.infer(BY_HAND)) is None
    after = counted(looking)
    assert after["found"] - before.get("found", 0) == 2
    assert after["missing"] - before.get("missing", 0) == 2
    assert b"tidemill_server_feature_seconds_count" in looking.get("/metrics").body


def test_a_column_that_is_sent_counts_and_the_other_is_looked_up(
    looking: Server, redis: RedisServer
) -> None:
    fill(redis)
    own = {"demand": ("FP64", [9.5, None, 9.5, 9.5])}
    found = looking.infer(tensors(OWN, KEYS, own))
    wanted = features([9.5, None, 9.5, 9.5], [True, None, None, None])
    assert outputs(found) == outputs(looking.infer(wanted))
    assert told(found)[DATASET]["found"] == 2


def test_a_matrix_brings_all_and_nothing_is_looked_up(looking: Server, redis: RedisServer) -> None:
    fill(redis)
    rows = np.where(np.isnan(MODEL.rows[:5]), 0.0, MODEL.rows[:5]).tolist()
    sent = {"name": "x", "datatype": "FP64", "shape": [5, 4], "data": rows}
    found = looking.infer({"inputs": [sent]})
    assert len(outputs(found)[0]) == 5
    assert told(found) is None


def test_keys_that_are_asked_for_twice_are_told_by_rows(
    looking: Server, redis: RedisServer
) -> None:
    fill(redis)
    many = {"price": ("FP64", [0.5] * 300), "day": ("INT64", [1] * 300)}
    keys = {"site": ("BYTES", ["nörd"] * 300), "unit": ("INT64", [1] * 299 + [7])}
    redis.client().config_resetstat()
    found = looking.infer(tensors(many, keys))
    assert told(found) == {DATASET: {"found": 299, "missing": 1, "stale": 0}}
    assert redis.client().info("commandstats")["cmdstat_mget"]["calls"] == 1
    assert redis.client().info("stats")["keyspace_hits"] == 1  # of 299 rows


def test_a_row_of_long_ago_is_stale(looking: Server, redis: RedisServer) -> None:
    fill(redis, age=2 * HOUR)
    found = looking.infer(BY_KEY)
    assert told(found) == {DATASET: {"found": 0, "missing": 2, "stale": 2}}
    assert outputs(found) == outputs(looking.infer(NOTHING))


@pytest.mark.parametrize(
    "text",
    ["", "\x00", "{}", '{"t":1,"v":{"load":"many","peak":true}}', '{"t":1,"v":{"load":1}}'],
    ids=["empty", "no JSON", "no row", "a value of another type", "a column less"],
)
def test_a_row_of_no_use_is_missing_and_counted(
    looking: Server, redis: RedisServer, text: str
) -> None:
    fill(redis, west=text)
    before = counted(looking).get("invalid", 0)
    found = looking.infer(BY_KEY)
    assert outputs(found) == outputs(looking.infer(BY_HAND))
    assert told(found) == {DATASET: {"found": 2, "missing": 2, "stale": 0}}
    assert counted(looking)["invalid"] - before == 1


def test_a_row_that_is_no_text_in_the_store_is_missing(looking: Server, redis: RedisServer) -> None:
    fill(redis)
    redis.client().rpush(online.Table(NAMESPACE, DATASET).row(["west", 3]), "1")
    assert outputs(looking.infer(BY_KEY)) == outputs(looking.infer(BY_HAND))


def test_a_request_without_key_names_it(looking: Server) -> None:
    reply = looking.infer(tensors(OWN, {"site": KEYS["site"]}))
    assert reply.status == 400
    assert "'demand', 'peak': send them, or the key" in reply.json["error"]
    assert "'grid': 'unit'" in reply.json["error"]


def test_the_metadata_tells_what_may_be_left_out(looking: Server) -> None:
    found = looking.get("/v2/models/power").json
    assert [each["name"] for each in found["inputs"]] == list(packages.COLUMNS)
    optional = {each["name"] for each in found["inputs"] if each.get("parameters")}
    assert optional == set(JOINED)
    assert found["inputs"][1]["parameters"] == {"optional": True, "dataset": DATASET}
    assert found["parameters"]["features"] == [
        {
            "dataset": DATASET,
            "key": [
                {"name": "site", "datatype": "BYTES", "shape": [-1], "type": "String"},
                {"name": "unit", "datatype": "INT64", "shape": [-1], "type": "Integer"},
            ],
            "columns": list(JOINED),
        }
    ]


def test_a_store_that_goes_and_comes_back(tmp_path: Path) -> None:
    with reading() as redis, serving(tmp_path, redis) as server:
        server.ready()
        fill(redis)
        good = outputs(server.infer(BY_KEY))

        redis.stop()
        for _ in range(3):
            refused = server.infer(BY_KEY)
            assert refused.status == 503
            assert refused.headers["retry-after"] == "1"
            assert f"the online store {redis.host}:{redis.port}" in refused.json["error"]
        assert server.get("/v2/health/ready").status == 200
        assert outputs(server.infer(BY_HAND)) == good  # who brings all needs no store
        assert counted(server)["unavailable"] == 12
        warning = server.wait_for_log("the online store")
        assert warning["level"] == "warning"

        redis.start()
        let_read(redis)
        fill(redis)
        assert outputs(server.infer(BY_KEY)) == good
        # The next line of the log: three refusals made one.
        assert server.wait_for_log("")["message"] == "the online store answers again"


def test_a_store_that_is_away_makes_features_missing_if_so_wanted(tmp_path: Path) -> None:
    with redis_server() as redis:
        redis.stop()
        away = {"TIDEMILL_ONLINE_UNAVAILABLE": "Missing"}
        with serving(tmp_path, redis, **away) as server:
            found = server.ready().infer(BY_KEY)
            assert outputs(found) == outputs(server.infer(NOTHING))
            gone = {"found": 0, "missing": 4, "stale": 0, "unavailable": True}
            assert told(found) == {DATASET: gone}


def test_a_store_that_does_not_answer_is_waited_for_no_longer_than_said(
    tmp_path: Path, redis: RedisServer
) -> None:
    let_read(redis)
    with serving(tmp_path, redis, TIDEMILL_ONLINE_SECONDS="0.05") as server:
        server.ready()
        fill(redis)
        redis.client().execute_command("CLIENT", "PAUSE", "2000")
        started = time.monotonic()
        reply = server.infer(BY_KEY)
        assert (reply.status, time.monotonic() - started < 1.5) == (503, True)
        assert "it does not answer in time" in reply.json["error"]
        server.until(lambda one: one.infer(BY_KEY).status == 200)
        assert told(server.infer(BY_KEY))[DATASET]["found"] == 2


def test_a_wrong_password_is_told_without_it_and_mended_in_the_secret(
    tmp_path: Path, redis: RedisServer
) -> None:
    let_read(redis)
    with serving(tmp_path, redis) as server:
        (tmp_path / "online" / "password").write_text("not-the-password")
        server.ready()
        fill(redis)
        reply = server.infer(BY_KEY)
        assert reply.status == 503
        assert "it refuses the login of the Secret" in reply.json["error"]
        assert "not-the-password" not in reply.body.decode() + str(server.lines)
        assert READER not in reply.body.decode() + str(server.lines)
        (tmp_path / "online" / "password").write_text(PASSWORD)
        assert told(server.infer(BY_KEY))[DATASET]["found"] == 2


@pytest.mark.parametrize(
    ("tls", "authority", "tells"),
    [
        ("VerifyFull", True, None),
        ("Require", False, None),
        ("VerifyFull", False, "its certificate does not prove its name"),
        ("Disable", False, "it cannot be connected to"),
    ],
    ids=["proved", "encrypted", "not proved", "in the open"],
)
def test_an_encrypted_store(tmp_path: Path, tls: str, authority: bool, tells: str | None) -> None:
    with redis_server(encrypted=True) as redis:
        let_read(redis)
        fill(redis)
        with serving(tmp_path, redis, TIDEMILL_ONLINE_TLS=tls) as server:
            if authority:
                (tmp_path / "online" / "ca.crt").write_text(redis.authority)
            reply = server.ready().infer(BY_KEY)
            if tells is None:
                assert told(reply)[DATASET]["found"] == 2
            else:
                assert reply.status == 503
                assert tells in reply.json["error"]


def test_an_address_of_the_machine_is_refused(tmp_path: Path, redis: RedisServer) -> None:
    with serving(tmp_path, redis, TIDEMILL_HTTP_ALLOWED_NETWORKS="") as server:
        reply = server.ready().infer(BY_KEY)
        assert reply.status == 503
        assert "TIDEMILL_HTTP_ALLOWED_NETWORKS" in reply.json["error"]


def test_a_model_that_joined_nothing_is_refused(tmp_path: Path, redis: RedisServer) -> None:
    with serving(tmp_path, redis, files={}) as server:
        assert server.end() == Exit.USER_ERROR
        assert server.refusal["reason"] == "SpecInvalid"
        assert server.refusal["message"].startswith("spec.features: ")


def test_without_an_online_store_features_are_sent(tmp_path: Path, redis: RedisServer) -> None:
    lineage = {"lineage.json": json.dumps(LINEAGE).encode()}
    with serving(tmp_path, redis, lineage, TIDEMILL_ONLINE_ADDRESS="") as server:
        reply = server.ready().infer(BY_KEY)
        assert reply.status == 400
        assert "no column 'site'" in reply.json["error"]
        assert outputs(server.infer(BY_HAND))
        assert "parameters" not in server.get("/v2/models/power").json
