"""What happens around a Dataset: its bucket, and the Jobs that run."""

import json
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry
from tests.unit.children.world import NAMESPACE, Reconcile, World

from tidemill.dataset.gate import Gate
from tidemill.dataset.materialising import Materialising
from tidemill.dataset.online_metrics import OnlineMetrics
from tidemill.dataset.reconcile import DatasetReconciler
from tidemill.dataset.shelves import Shelves
from tidemill.jobs.launcher import Launcher
from tidemill.jobs.progress import Tokens
from tidemill.kube.resources import DATASETS, JOBS

VERSION = "sha256:" + "1" * 64
SPEC: dict[str, Any] = {"source": {"s3": {"bucket": "raw", "prefix": "d/", "format": "CSV"}}}
RESULT: dict[str, Any] = {
    "outcome": "Succeeded",
    "version": VERSION,
    "manifest": "datasets/ns/d/manifests/1.jsonl",
    "rows": 3,
    "bytes": 9,
    "objects": 1,
    "columns": [{"name": "a", "type": "Integer", "nullable": False}],
}


def process(world: World) -> Callable[[], Reconcile]:
    """Give what starts an operator's process."""

    def start() -> Reconcile:
        launcher = Launcher(world.context(), world.platform, Tokens("s"))
        return DatasetReconciler(
            launcher, Gate(), Shelves(), Materialising(launcher, OnlineMetrics(CollectorRegistry()))
        ).reconcile

    return start


def leave_result(world: World, job: dict[str, Any], result: dict[str, Any]) -> None:
    """Put the result where the Job's pod puts it."""
    uid = world.api.one(DATASETS)["metadata"]["uid"]
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
