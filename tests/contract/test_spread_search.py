"""A training whose search three pods share, each a process with the keys of its Job alone."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.contract.pods import Pods
from tests.contract.s3_server import S3Server
from tests.contract.workbench import NAMESPACE, Outcome, Workbench

from tidemill.store import credentials, layout
from tidemill_runner.exits import Exit

ROWS = "a,b,y\n" + "".join(f"{n % 17},{n % 5},{int(n % 17 > 8)}\n" for n in range(400))
WORKERS = 3
FOREST = "sklearn.ensemble.RandomForestClassifier"
PARAMS = {"n_estimators": 30}
SPEC: dict[str, Any] = {
    "task": "Classification",
    "target": "y",
    "estimator": {"sklearn": {"steps": [{"name": "m", "class": FOREST, "params": PARAMS}]}},
    "search": {
        "method": "Random",
        "trials": 12,
        "parallelism": WORKERS,
        "space": {"m__ccp_alpha": {"low": "0", "high": "0.2", "type": "Float"}},
    },
}


@pytest.fixture
def ingested(workbench: Workbench) -> dict[str, Any]:
    workbench.deliver("data.csv", ROWS.encode())
    return workbench.ingest().result


@pytest.fixture
def run(workbench: Workbench, server: S3Server, ingested: dict[str, Any]) -> Iterator[Pods]:
    uid = f"uid-of-{workbench.prefix.rstrip('/')}"
    output = f"{layout.run_prefix(NAMESPACE, uid)}job/"
    asked = {"uid": uid, "output": output, "workers": WORKERS}
    document = workbench.to_train(ingested, SPEC, **asked)
    names = (server.config.bucket, NAMESPACE, workbench.name, uid)
    policy = credentials.train_policy(*names, dataset=workbench.name)
    run_prefix, manifest = layout.run_prefix(NAMESPACE, uid), ingested["manifest"]
    shared = credentials.shortened(credentials.with_parts(policy, run_prefix), NAMESPACE, manifest)
    # A store without STS gives its pods the keys of the namespace.
    granted = credentials.assume_role(server.config, shared, 3600)
    bench = replace(workbench, config=granted.config) if granted else workbench
    pods = Pods(bench, document)
    yield pods
    pods.close()


def same(run: Pods, ingested: dict[str, Any], outcome: Outcome) -> None:
    assert outcome.exit is Exit.OK, outcome.termination
    alone = replace(run.bench, config=None).train(ingested, SPEC).result
    for fact in ("metrics", "artifact"):
        assert outcome.result[fact] == alone[fact], fact
    assert outcome.result["search"]["best"] == alone["search"]["best"]


def test_three_pods_make_the_model_of_one_and_end(run: Pods, ingested: dict[str, Any]) -> None:
    helpers, leader = [run.waiting(1), run.waiting(2)], run.start(0)
    same(run, ingested, run.outcome(leader))
    assert [pod.end() for pod in helpers] == [Exit.OK, Exit.OK]
    assert all(any("working for" in line for line in pod.lines) for pod in helpers)
    prefix = layout.run_prefix(NAMESPACE, run.document["uid"])
    listed = run.bench.client.list_objects(run.bench.server.config.bucket, prefix, recursive=True)
    left = {str(one.object_name).removeprefix(prefix) for one in listed}
    # Among what they left for each other was the key of their connections.
    assert not [name for name in left if "/parts/" in name]
    assert {"job/log.gz", "job/log-1.gz", "job/log-2.gz"} <= left


@pytest.mark.only_minio("what becomes of pods is the same with any store")
def test_the_first_pod_is_lost_and_another_goes_on(run: Pods, ingested: dict[str, Any]) -> None:
    other, leader = run.waiting(1), run.start(0)
    other.await_line("working for")
    leader.kill()
    other.await_line("is gone")
    same(run, ingested, run.outcome(run.start(0)))
    assert other.end() is Exit.OK


@pytest.mark.only_minio("what is refused is the same with any store")
def test_every_pod_refuses_what_one_refuses(run: Pods) -> None:
    run.document["spec"] = {**SPEC, "target": "z"}
    pods = [run.start(number) for number in (0, 1)]
    assert [pod.end() for pod in pods] == [Exit.USER, Exit.USER]
    assert all("TargetMissing" in "".join(pod.lines) for pod in pods)
