"""An operator with toy reconcilers, for tests of the process: `python -m tests.apiserver.toy`.

Each object of ours gets a Job and a Service and is Ready once both are there. Each reconcile is
written to the standard output as a line of JSON, so that a test can see what woke it.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry

from tidemill.__main__ import Operator
from tidemill.engine import logs
from tidemill.engine.context import Context
from tidemill.engine.key import Key
from tidemill.engine.metrics import Metrics
from tidemill.engine.result import Result
from tidemill.kinds import NAMES, Kinds
from tidemill.kube.apply import ensure
from tidemill.kube.connection import Connection
from tidemill.kube.resources import JOBS, SERVICES, Resource
from tidemill.settings import Settings
from tidemill.wiring import OWN

Body = dict[str, Any]
SLOW = "slow"  # an object of this name takes a while
SLOW_SECONDS = 3.0
MANAGED = {"app.kubernetes.io/managed-by": "tidemill"}


@dataclass(frozen=True)
class Toy:
    """Reconciles one kind."""

    context: Context
    resource: Resource

    async def reconcile(self, key: Key) -> Result:
        """Make the children; write the status when it changes."""
        say({"reconciled": str(key)})
        client = self.context.client
        live = await client.get(self.resource, key.namespace, key.name)
        if live is None or "deletionTimestamp" in live["metadata"]:
            return Result.done()
        if key.name == SLOW:
            await asyncio.sleep(SLOW_SECONDS)
        for manifest, resource in ((a_job(live), JOBS), (a_service(live), SERVICES)):
            name = manifest["metadata"]["name"]
            child = await client.get(resource, key.namespace, name)
            await ensure(client, manifest, child)
        await self._write_status(live)
        return Result.done()

    async def _write_status(self, live: Body) -> None:
        metadata = live["metadata"]
        type_ = "Succeeded" if live["kind"] == "TrainingRun" else "Ready"
        condition = {
            "type": type_,
            "status": "True",
            "reason": "Ready",
            "message": "as it should be",
            "observedGeneration": metadata["generation"],
            "lastTransitionTime": metadata["creationTimestamp"],
        }
        status = {"observedGeneration": metadata["generation"], "conditions": [condition]}
        if live.get("status") == status:
            return
        identity = {name: metadata[name] for name in ("name", "namespace", "uid")}
        body = {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": identity}
        await self.context.client.apply_status(self.resource, {**body, "status": status})
        await self.context.events.emit(live, kind=live["kind"], reason="Ready", message="ready")


def a_job(live: Body) -> Body:
    """Give the Job of an object."""
    container = {"name": "c", "image": "none", "resources": {"limits": {"cpu": "1000m"}}}
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"parallelism": 1, "template": pod}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": child(live), "spec": spec}


def a_service(live: Body) -> Body:
    """Give the Service of an object."""
    port = {"name": "http", "port": 80, "targetPort": "http"}
    selector = {"app": live["metadata"]["name"]}
    spec = {"clusterIP": "None", "selector": selector, "ports": [port]}  # thousands need no address
    return {"apiVersion": "v1", "kind": "Service", "metadata": child(live), "spec": spec}


def child(live: Body) -> Body:
    """Give the metadata of a child."""
    metadata = live["metadata"]
    owner = {"apiVersion": live["apiVersion"], "kind": live["kind"], "controller": True}
    return {
        "name": f"{live['kind'].lower()[0]}-{metadata['name']}",
        "namespace": metadata["namespace"],
        "labels": MANAGED,
        "ownerReferences": [{**owner, "name": metadata["name"], "uid": metadata["uid"]}],
    }


def say(line: Body) -> None:
    """Write a line for the test."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def assemble(context: Context) -> Kinds:
    """Make the reconcilers; what is no kind of the API's has nothing to do."""
    toys = {resource.kind: Toy(context, resource).reconcile for resource in OWN}
    return Kinds({name: toys.get(name, _nothing) for name in NAMES})


async def _nothing(_: Key) -> Result:
    return Result.done()


async def main() -> int:
    """Run like `python -m tidemill`."""
    settings = Settings.parse()
    logs.configure(settings.log_level)
    connection = await Connection.load(settings.kubeconfig)
    registry = CollectorRegistry()
    return await Operator(settings, connection, registry, Metrics(registry), assemble).run()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
