"""Short-lived keys against a real STS: what they open, and what stays shut."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract.s3_server import S3Server
from tests.contract.workbench import NAMESPACE, Workbench

from tidemill.store import credentials, errors, layout
from tidemill.store.credentials import Policy, TemporaryStore, assume_role
from tidemill.store.objects import ObjectStore
from tidemill_runner.exits import Exit

needs_sts = pytest.mark.only_minio("STS: test_keys_that_last.py has what is done without it")
LINES = "a,y\n" + "".join(f"{i},{int(i > 20)}\n" for i in range(50))
SPEC = {
    "task": "Classification",
    "target": "y",
    "estimator": {
        "sklearn": {"steps": [{"name": "m", "class": "sklearn.tree.DecisionTreeClassifier"}]}
    },
}


def grant(server: S3Server, policy: Policy) -> TemporaryStore:
    granted = assume_role(server.config, policy, 900)
    assert granted is not None
    return granted


@needs_sts
def test_keys_end_by_themselves(server: S3Server) -> None:
    granted = grant(server, Policy(server.config.bucket, read=("x/",)))
    left = granted.expires - dt.datetime.now(dt.UTC)
    assert dt.timedelta(minutes=58) < left <= dt.timedelta(minutes=61)
    assert granted.config.session_token
    assert granted.config.access_key != server.config.access_key


@needs_sts
async def test_only_the_prefixes_named_are_open(server: S3Server, store: ObjectStore) -> None:
    for key in ("open/a", "opened/a", "shut/a"):
        await store.put(key, b"x")
    policy = Policy(server.config.bucket, read=("open/",), write=("mine/",))
    scoped = ObjectStore(grant(server, policy).config)
    assert await scoped.get("open/a") == b"x"
    assert [info.key for info in await scoped.list("open/")] == ["open/a"]
    await scoped.put("mine/a", b"x")
    await scoped.put("mine/b", b"x", create=True)
    with pytest.raises(errors.NotFound):
        await scoped.get("open/nothing")
    for refused in (
        scoped.get("shut/a"),
        scoped.get("opened/a"),
        scoped.get("mine/a"),
        scoped.put("open/a", b"y"),
        scoped.delete("mine/a"),
        scoped.delete("open/a"),
        scoped.list("shut/"),
        scoped.list(""),
    ):
        with pytest.raises(errors.AccessDenied):
            await refused
    assert await store.get("open/a") == b"x"


@needs_sts
def test_no_key_can_grant_itself_another(server: S3Server) -> None:
    granted = grant(server, Policy(server.config.bucket, read=("open/",)))
    with pytest.raises(errors.AccessDenied):
        assume_role(granted.config, Policy(server.config.bucket, read=("",)), 900)


@needs_sts
def test_wrong_keys_are_told(server: S3Server) -> None:
    with pytest.raises(errors.AccessDenied, match="STS"):
        assume_role(replace(server.config, secret_key="wrong-wrong"), Policy("b", ("x/",)), 900)


def test_a_store_that_is_away_is_told(server: S3Server) -> None:
    with pytest.raises(errors.Unavailable, match="does not answer"):
        assume_role(
            replace(server.config, endpoint="http://127.0.0.1:9"), Policy("b", ("x/",)), 900
        )


@needs_sts
def test_a_run_needs_no_more_than_its_policy(server: S3Server, tmp_path: Path) -> None:
    """Both verbs from begin to end with the keys that the operator would give."""
    bench = Workbench(server, tmp_path, name="scoped")
    bench.deliver("a.csv", LINES.encode())
    bucket = server.config.bucket

    def scoped(verb: str) -> dict[str, str]:
        uid = f"uid-of-{verb}"
        names = (bucket, NAMESPACE, bench.name, uid)
        policy = (
            credentials.ingest_policy(*names)
            if verb == "ingest"
            else credentials.train_policy(*names, dataset=bench.name)
        )
        bench.config = grant(server, policy).config
        return {"uid": uid, "output": f"{layout.run_prefix(NAMESPACE, uid)}job/"}

    ingested = bench.ingest(**scoped("ingest"))
    assert ingested.exit is Exit.OK, ingested.termination
    trained = bench.train(ingested.result, SPEC, **scoped("train"))
    assert trained.exit is Exit.OK, trained.termination
    again = bench.train(ingested.result, SPEC, **scoped("train"))
    assert again.result["artifact"] == trained.result["artifact"]


@needs_sts
def test_a_search_needs_no_more_to_find_its_trials(server: S3Server, tmp_path: Path) -> None:
    bench = Workbench(server, tmp_path, name="searched")
    bench.deliver("data.csv", LINES.encode())
    ingested = bench.ingest()
    uid = "uid-of-a-search"
    run = layout.run_prefix(NAMESPACE, uid)
    policy = credentials.train_policy(
        server.config.bucket, NAMESPACE, bench.name, uid, dataset=bench.name
    )
    granted = grant(server, credentials.with_trials(policy, run))
    scoped = replace(bench, config=granted.config)
    space = {"m__max_depth": {"values": ["None", 1, 2]}}
    search = {"method": "Grid", "metric": "accuracy", "space": space, "cv": {"folds": 2}}
    for _ in range(2):
        asked = {"uid": uid, "output": f"{run}job/"}
        trained = scoped.train(ingested.result, {**SPEC, "search": search}, **asked)
        assert trained.exit is Exit.OK, trained.termination
        assert trained.result["search"]["best"]["value"] is not None
