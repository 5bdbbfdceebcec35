"""Several workers of one ingest on a real store, with the keys that the operator gives them."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.contract.s3_server import S3Server
from tests.contract.workbench import NAMESPACE, Outcome, Workbench

from tidemill.store import credentials, layout
from tidemill.store.credentials import assume_role
from tidemill_runner.exits import Exit
from tidemill_runner.run import Run
from tidemill_runner.storage import Storage

UID = "uid-of-several"
WORKERS = 3
needs_sts = pytest.mark.only_minio("STS: scoped keys; the rest of this file runs on each make")
TIMES = {"startedAt", "completedAt"}


def deliver(bench: Workbench, *last: bytes) -> None:
    files = [f"a,b\n{n},x\n{n + 1},y\n".encode() for n in range(5)]
    for number, data in enumerate((*files, b"a,b\n0.5,\n", *last)):
        bench.deliver(f"{number}.csv", data)


def several(bench: Workbench, **asked: Any) -> Outcome:
    """Run the other workers, then the first one."""
    output = f"{layout.run_prefix(NAMESPACE, UID)}job/"
    document = {**bench.asked(**asked), "uid": UID, "output": output, "workers": WORKERS}
    for worker in (2, 1, 0):
        paths = bench.mount(document)
        code = Run("ingest", paths, lambda: datetime.now(UTC), worker)()
        if worker:
            assert code is Exit.OK
            assert not paths.termination.exists()
    return bench.outcome(code, document, paths)


def left(bench: Workbench) -> set[str]:
    """The names of what is there below the run."""
    prefix = layout.run_prefix(NAMESPACE, UID)
    with Storage(bench.server.config) as storage:
        return {info.key.removeprefix(prefix) for info in storage.list(prefix)}


def test_the_result_is_that_of_one_and_no_part_is_left(workbench: Workbench) -> None:
    deliver(workbench)
    outcome = several(workbench)
    assert outcome.exit is Exit.OK, outcome.message
    alone = workbench.ingest().result
    for fact in alone.keys() - TIMES:
        assert outcome.result[fact] == alone[fact], fact
    names = {"job/result.json", "job/log.gz", "job/log-1.gz", "job/log-2.gz"}
    assert left(workbench) == names


def test_a_refusal_is_told_by_the_first_and_no_part_is_left(workbench: Workbench) -> None:
    deliver(workbench, b"a,b\n1,2,3\n")
    outcome = several(workbench)
    assert (outcome.exit, outcome.reason) == (Exit.DATA, "RaggedRows")
    assert "6.csv, row 2" in outcome.message
    assert not any("parts/" in name for name in left(workbench))


@needs_sts
def test_they_need_no_more_than_their_policy(server: S3Server, tmp_path: Path) -> None:
    bench = Workbench(server, tmp_path, name="shared")
    deliver(bench)
    alone = credentials.ingest_policy(server.config.bucket, NAMESPACE, bench.name, UID)
    policy = credentials.with_parts(alone, layout.run_prefix(NAMESPACE, UID))
    granted = assume_role(server.config, policy, 900)
    assert granted is not None
    outcome = several(replace(bench, config=granted.config))
    assert outcome.exit is Exit.OK, outcome.message
    assert not any("parts/" in name for name in left(bench))
