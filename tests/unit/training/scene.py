"""What happens around a TrainingRun: its Dataset, and the Job that trains."""

import json
from collections.abc import Callable
from typing import Any

from tests.unit.children.world import NAMESPACE, Reconcile, World

from tidemill.jobs.launcher import Launcher
from tidemill.jobs.progress import ProgressBoard, Tokens
from tidemill.kube.resources import JOBS, TRAINING_RUNS
from tidemill.store import digests, package
from tidemill.training.reconcile import TrainingRunReconciler

VERSION = "sha256:" + "1" * 64
NEWER = "sha256:" + "2" * 64
DIGEST = "sha256:" + "d" * 64
SPEC: dict[str, Any] = {
    "dataset": {"name": "data"},
    "task": "Classification",
    "target": "label",
    "estimator": {"sklearn": {"steps": [{"name": "m", "class": "sklearn.dummy.DummyClassifier"}]}},
}
RESULT: dict[str, Any] = {
    "outcome": "Succeeded",
    "datasetVersion": VERSION,
    "metrics": [{"name": "accuracy", "value": 0.75, "low": 0.7, "high": 0.8, "n": 40}],
    "artifact": {
        "uri": f"s3://tidemill/models/{NAMESPACE}/r/{'d' * 64}/",
        "digest": DIGEST,
        "bytes": 1000,
    },
    "report": f"s3://tidemill/runs/{NAMESPACE}/u/j/report.html",
    "startedAt": "2025-01-01T00:00:00Z",
    "completedAt": "2025-01-01T00:01:00Z",
}
FILES = {"model.skops": b"model", "signature.json": b"{}", "environment.json": b"{}"}
MANIFEST = digests.canonical_json(
    {
        "files": [
            {"path": name, "sha256": digests.sha256_digest(data), "size": len(data)}
            for name, data in FILES.items()
        ],
        "format": package.FORMAT,
    }
)
PACKAGE_DIGEST = digests.sha256_digest(MANIFEST)
PACKAGE = f"models/{NAMESPACE}/r/{PACKAGE_DIGEST[7:]}/"
# The result of a run whose package can be there.
PACKAGED = {
    **RESULT,
    "artifact": {"uri": f"s3://tidemill/{PACKAGE}", "digest": PACKAGE_DIGEST, "bytes": 9},
}


def process(world: World, board: ProgressBoard | None = None) -> Callable[[], Reconcile]:
    """Give what starts an operator's process."""

    def start() -> Reconcile:
        context, tokens = world.context(), Tokens("s")
        launcher = Launcher(context, world.platform, tokens)
        mine = board or ProgressBoard(tokens, context.queue.add)
        return TrainingRunReconciler(launcher, mine).reconcile

    return start


def put_dataset(world: World, version: str | None = VERSION) -> dict[str, Any]:
    """Have a Dataset with a version, or without one."""
    spec = {"source": {"s3": {"bucket": "raw", "format": "CSV"}}}
    body = world.put("Dataset", "data", spec)
    body["status"] = {"version": version} if version else {}
    return body


def leave_result(world: World, job: dict[str, Any], result: dict[str, Any]) -> None:
    """Put the result where the Job's pod puts it."""
    uid = world.api.one(TRAINING_RUNS)["metadata"]["uid"]
    key = f"runs/{NAMESPACE}/{uid}/{job['metadata']['name']}/result.json"
    world.store.objects[key] = json.dumps(result).encode()


def cluster(world: World) -> Callable[[], None]:
    """Run the Jobs: each leaves its result and ends."""

    def run() -> None:
        for job in world.api.all(JOBS):
            if "status" not in job:
                leave_result(world, job, RESULT)
                world.end_job(job, "Complete")

    return run


def leave_package(world: World) -> None:
    """Put the package that the result tells of."""
    for name, data in {**FILES, package.MANIFEST: MANIFEST}.items():
        world.store.objects[f"{PACKAGE}{name}"] = data
