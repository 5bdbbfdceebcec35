"""Many TrainingRuns whose pods cost nothing: they go to fake nodes and end at once.

A fake pod leaves no result, so the result of each run is put into the bucket as soon as its Job is
there: not sooner, since a run whose result is there needs no Job. The Dataset is suspended and has
a version by decree: nothing reads its data.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.bench.place import Place
from tests.e2e import specs
from tests.e2e.world import API_VERSION

from tidemill.children.naming import child_name
from tidemill.children.ownership import child_metadata, labels
from tidemill.kube.client import Client
from tidemill.kube.connection import Connection
from tidemill.kube.resources import DATASETS, JOBS, NAMESPACES, TRAINING_RUNS
from tidemill.store import layout

Body = dict[str, Any]
DATASET = "data"
VERSION = "sha256:" + hashlib.sha256(b"version").hexdigest()
PACKAGE = "sha256:" + hashlib.sha256(b"package").hexdigest()
AT_ONCE = 32
POLL_SECONDS = 3.0
ASK_SECONDS, STATUS_SECONDS = 0.2, 60.0
TEMPLATE = {
    "nodeSelector": {"type": "kwok"},
    "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}],
    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
}


JOB_LINE = (
    r'{.metadata.name}{" "}{.metadata.ownerReferences[0].uid}{" "}'
    r'{.metadata.ownerReferences[0].name}{"\n"}'
)


@dataclass(frozen=True)
class Fleet:
    """The runs of one namespace."""

    place: Place
    client: Client
    namespace: str

    async def prepare(self) -> None:
        """Make the Dataset that the runs name."""
        spec = {**specs.dataset("none/"), "suspend": True}
        body = self.body("Dataset", DATASET, spec)
        await self.client.create(DATASETS, body)
        # Not before the operator has written its own, in which the version would be missing.
        status = {**await self._first_status(), "version": VERSION}
        await self.client.apply_status(DATASETS, {**body, "status": status})

    async def _first_status(self) -> Body:
        async with asyncio.timeout(STATUS_SECONDS):
            while True:
                live = await self.client.get(DATASETS, self.namespace, DATASET)
                if live and live.get("status", {}).get("conditions"):
                    status: Body = live["status"]
                    return status
                await asyncio.sleep(ASK_SECONDS)

    async def launch(self, count: int) -> None:
        """Create so many runs at once."""
        spec = specs.training_run(DATASET, template=TEMPLATE)
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with turns:
                body = self.body("TrainingRun", f"run-{number:05d}", spec)
                await self.client.create(TRAINING_RUNS, body)

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(one(number))

    @asynccontextmanager
    async def training(self) -> AsyncIterator[None]:
        """Do the runner's part meanwhile: a result for each Job that comes."""
        kubectl = self.place.kubectl
        watch = await asyncio.create_subprocess_exec(
            *(kubectl.program, f"--kubeconfig={kubectl.kubeconfig}", "-n", self.namespace),
            *("get", "jobs", "--watch", "-o", f"jsonpath={JOB_LINE}"),
            stdout=asyncio.subprocess.PIPE,
        )
        assert watch.stdout is not None  # it is a pipe
        work = asyncio.create_task(self._results(watch.stdout))
        try:
            yield
        finally:
            if watch.returncode is None:
                watch.terminate()
            await watch.wait()
            await work

    async def _results(self, lines: asyncio.StreamReader) -> None:
        seen: set[str] = set()
        async with asyncio.TaskGroup() as group:
            async for line in lines:
                job, uid, run = line.decode().split()
                if job not in seen:
                    seen.add(job)
                    key = f"{layout.run_prefix(self.namespace, uid)}{job}/result.json"
                    result = json.dumps(self.result(run)).encode()
                    group.create_task(self.place.put_later(key, result))

    async def imitate(self, count: int) -> None:
        """Make so many runs as they are when they have ended, each with its Job; no pod has run.

        The one run that is there has really ended: all are like it. For this the operator must
        not work meanwhile.
        """
        (model,) = await self.runs()
        (job,) = await self.client.list(JOBS, self.namespace)
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with turns:
                body = self.body("TrainingRun", f"ended-{number:05d}", model["spec"])
                made = await self.client.create(TRAINING_RUNS, body)
                body["metadata"]["uid"] = made["metadata"]["uid"]
                await self.client.apply_status(TRAINING_RUNS, {**body, "status": model["status"]})
                await self.client.create(JOBS, ended_job(made, job))

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(one(number))

    async def succeeded(self) -> int:
        """Count the runs that have ended well; raises when one has ended badly."""
        reasons = [_summary(run) for run in await self.runs()]
        bad = {reason for status, reason in reasons if status == "False"}
        if bad:
            raise SystemExit(f"runs have failed: {sorted(bad)}")
        return sum(status == "True" for status, _ in reasons)

    async def runs(self) -> list[Body]:
        """List all runs."""
        return await self.client.list(TRAINING_RUNS, self.namespace)

    def body(self, kind: str, name: str, spec: Body) -> Body:
        """Write an object of ours."""
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}

    def result(self, name: str) -> Body:
        """Write what the runner leaves behind."""
        package = layout.package_prefix(self.namespace, name, PACKAGE)
        metric = {"name": "accuracy", "value": 0.93, "low": 0.91, "high": 0.95, "n": 60}
        return {
            "apiVersion": "runner.tidemill.dev/v1",
            "verb": "train",
            "outcome": "Succeeded",
            "datasetVersion": VERSION,
            "metrics": [metric, {**metric, "name": "roc_auc"}, {**metric, "name": "log_loss"}],
            "rows": {"train": 240, "holdout": 60},
            "features": ["a", "b"],
            "artifact": {
                "uri": layout.uri("tidemill", package),
                "digest": PACKAGE,
                "bytes": 12345,
            },
            "report": layout.uri("tidemill", f"{package}report.html"),
            "seconds": {"load": 0.1, "fit": 0.1, "evaluate": 0.1, "upload": 0.1},
        }


def ended_job(run: Body, model: Body) -> Body:
    """Make a Job of a run like another one; nobody manages it, so it stays as it is."""
    metadata = run["metadata"]
    template = {
        **model["spec"]["template"],
        "metadata": {"labels": labels("TrainingRun", metadata["uid"])},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            **child_metadata(
                "TrainingRun", run, child_name("TrainingRun", metadata["name"], metadata["uid"])
            ),
            "annotations": model["metadata"]["annotations"],
        },
        "spec": {"managedBy": "tidemill.dev/bench", "template": template},
    }


def _summary(run: Body) -> tuple[str, str]:
    for condition in run.get("status", {}).get("conditions", ()):
        if condition["type"] == "Succeeded":
            return condition["status"], f"{condition['reason']}: {condition['message']}"
    return "Unknown", ""


@asynccontextmanager
async def fleet(place: Place, namespace: str) -> AsyncIterator[Fleet]:
    """Give an empty namespace; it is deleted afterwards, without waiting for that."""
    body: Body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    async with Client(await Connection.load(str(place.kubectl.kubeconfig))) as client:
        await client.create(NAMESPACES, body)
        try:
            made = Fleet(place, client, namespace)
            await made.prepare()
            async with made.training():
                yield made
        finally:
            await client.delete(NAMESPACES, None, namespace)
