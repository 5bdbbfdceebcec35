"""The three processes of ours around a user's code, as its pod has them, on a real store."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.contract.workbench import NAMESPACE, Workbench

from tidemill.store import layout
from tidemill.store.objects import ObjectStore
from tidemill.training.checkpoints import forget_checkpoint
from tidemill_runner.exits import Exit
from tidemill_runner.paths import Paths
from tidemill_runner.run import Run

ROWS = "a,b,y\n" + "".join(f"{n},{n % 7},{int(n > 30)}\n" for n in range(60))
SCRIPT = """
from sklearn.linear_model import LogisticRegression

def train(data, params, context):
    context.progress(50, "half")
    (context.checkpoint / "deep").mkdir(exist_ok=True)
    (context.checkpoint / "deep" / "kept").write_text("so far")
    return LogisticRegression().fit(data.features, data.target)
"""


def asked(workbench: Workbench, uid: str = "uid-of-code") -> dict[str, Any]:
    """The input document of a run whose model a script fits."""
    workbench.deliver("a.csv", ROWS.encode())
    ingested = workbench.ingest().result
    run = layout.run_prefix(NAMESPACE, uid)
    spec = {
        "task": "Classification",
        "target": "y",
        "estimator": {"script": {"configMap": {"name": "code", "key": "train.py"}}},
    }
    version = {k: ingested[k] for k in ("version", "manifest")}
    return {
        "apiVersion": "runner.tidemill.dev/v1",
        "verb": "train",
        "namespace": NAMESPACE,
        "name": workbench.name,
        "uid": uid,
        "dataset": {"name": workbench.name, **version, "cas": layout.cas_prefix(NAMESPACE)},
        "spec": spec,
        "models": layout.model_prefix(NAMESPACE, workbench.name),
        "image": "registry.example/runner@sha256:0",
        "output": f"{run}job-1/",
        "checkpoint": layout.checkpoint_prefix(run),
        "progress": None,
    }


def mounted(workbench: Workbench, document: dict[str, Any], script: str) -> Paths:
    paths = workbench.mount(document)
    for name in ("checkpoint", "code"):
        (paths.work / name).mkdir()
    (paths.work / "code" / "script").write_text(script)
    return replace(paths, code=paths.work / "code")


def verb(name: str, paths: Paths, worker: int = 0) -> Exit:
    return Run(name, paths, lambda: datetime.now(UTC), worker)()


def users(paths: Paths, told: Mapping[str, str] | None = None) -> int:
    """The user's container, which has three folders and no more."""
    named = {"IN": "in", "OUT": "out", "CHECKPOINT": "checkpoint"}
    environ = {f"TIDEMILL_{name}": str(paths.work / folder) for name, folder in named.items()}
    command = [sys.executable, str(paths.work / "in" / "tidemill_call.py")]
    path = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    environ = {**path, **environ, **(told or {})}
    return subprocess.run(command, env=environ, check=False, timeout=300).returncode


def ours(verb: str, paths: Paths, told: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """One of ours, as a process."""
    said = {f"TIDEMILL_{name.upper()}": str(path) for name, path in vars(paths).items()}
    command = [sys.executable, "-m", "tidemill_runner", verb]
    environ = {**os.environ, **said, **(told or {})}
    return subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)


def ended_on_signal(process: subprocess.Popen[str], words: str) -> None:
    """Wait until it says so, then end it as the kubelet does."""
    assert process.stderr
    for line in process.stderr:
        if words in line:
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)


def followed(paths: Paths, told: Mapping[str, str] | None = None) -> int:
    """The one beside it, from its start to the end of its pod."""
    process = ours("follow", paths, told)
    ended_on_signal(process, "follows")
    return process.returncode


def test_a_script_trains_and_its_record_is_kept(workbench: Workbench, store: ObjectStore) -> None:
    document = asked(workbench)
    paths = mounted(workbench, document, SCRIPT)
    assert verb("provide", paths) is Exit.OK
    assert users(paths) == 0
    assert followed(paths) == 0
    index = json.loads(workbench.read(f"{document['checkpoint']}index.json"))
    assert list(index["files"]) == ["deep/kept"]

    after = mounted(workbench, document, SCRIPT)
    assert verb("provide", after) is Exit.OK
    assert (after.work / "checkpoint" / "deep" / "kept").read_text() == "so far"
    assert users(after) == 0
    assert verb("judge", after) is Exit.OK
    outcome = workbench.outcome(Exit.OK, document, after)
    assert outcome.result["code"]["digest"].startswith("sha256:")
    assert outcome.result["outcome"] == "Succeeded"
    for name in ("collect-log.gz", "follow-log.gz", "log.gz"):
        assert workbench.read(f"{document['output']}{name}")
    # The operator does, when the Job has ended and nobody keeps anything more.
    asyncio.run(forget_checkpoint(store, layout.run_prefix(NAMESPACE, document["uid"])))
    assert asyncio.run(store.list(document["checkpoint"])) == []


def test_what_is_wrong_with_its_model_is_told_by_reason_and_exit(workbench: Workbench) -> None:
    document = asked(workbench)
    paths = mounted(workbench, document, "import os\nos._exit(0)\n")
    assert verb("provide", paths) is Exit.OK
    assert users(paths) == 0
    assert verb("judge", paths) is Exit.USER
    told = json.loads(Path(paths.termination).read_text())
    assert told["reason"] == "FitFailed"
    assert "wrote no model" in told["message"]


def test_another_rank_leaves_neither_model_nor_checkpoint_and_stays(
    workbench: Workbench, store: ObjectStore
) -> None:
    """It has trained as the first has; what it has made is not looked at."""
    document = {**asked(workbench, "uid-of-ranks"), "ranks": {"hosts": ["localhost", "localhost"]}}
    document["spec"]["estimator"]["script"]["parallelism"] = 2
    paths = mounted(workbench, document, SCRIPT)
    before = asyncio.run(store.list(document["models"]))  # of others of this name
    second = {"JOB_COMPLETION_INDEX": "1"}
    assert verb("provide", paths, 1) is Exit.OK
    assert (paths.work / "in" / "hosts").read_text() == "localhost slots=1\n" * 2
    assert users(paths, {"RANK": "1", "WORLD_SIZE": "2"}) == 0
    assert (paths.work / "checkpoint" / "deep" / "kept").exists()
    assert followed(paths, second) == 0
    process = ours("judge", paths, second)
    ended_on_signal(process, "ends the run")
    assert process.returncode == 143  # as the Job does when the first is done
    run = layout.run_prefix(NAMESPACE, document["uid"])
    left = [one.key.removeprefix(run) for one in asyncio.run(store.list(run))]
    assert sorted(left) == ["job-1/collect-log-1.gz", "job-1/follow-log-1.gz"]
    assert asyncio.run(store.list(document["models"])) == before
