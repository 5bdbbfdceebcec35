"""Kueue: its real API, its real controller as a process, and a stand-in for that controller.

All is of one Go module, pinned in tests/cluster/modules/kueue. The controller runs without its
webhooks: a Job that names a queue is created suspended anyway. The stand-in does to a Job and its
Workload, under a field manager of its own, what Kueue does: it makes a Workload for a suspended
one, takes the suspension away and adds to the pod template when it admits it, and takes both back
when it preempts it.
"""

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.apiserver.control_plane import REPOSITORY, binary
from tests.apiserver.kubectl import Body, Kubectl, RefusedError
from tests.support.children import with_parent
from tests.support.ports import free_port

MODULE = REPOSITORY / "tests" / "cluster" / "modules" / "kueue"
API_VERSION = "kueue.x-k8s.io/v1beta2"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
NO_QUOTA = (
    "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor any"
)
PREEMPTED = "Preempted to accommodate a workload (UID: 1) due to prioritization in the ClusterQueue"
KNOWN_SECONDS = 60.0
AT = "2026-01-01T00:00:00Z"


def definitions() -> Path:
    """Give the folder of Kueue's CRDs; the module is fetched the first time."""
    program = shutil.which("go") or "/usr/local/go/bin/go"
    command = [program, "mod", "download", "-json", "sigs.k8s.io/kueue"]
    done = subprocess.run(
        command, cwd=MODULE, capture_output=True, text=True, check=True, timeout=300
    )
    return Path(json.loads(done.stdout)["Dir"]) / "config" / "components" / "crd" / "bases"


def install(kubectl: Kubectl) -> None:
    """Let the API server know Kueue's kinds."""
    kubectl("apply", "--server-side", "-f", str(definitions()))
    end = time.monotonic() + KNOWN_SECONDS
    while True:
        try:
            kubectl("get", "workloads.kueue.x-k8s.io", "--all-namespaces")
        except RefusedError:  # not served yet
            if time.monotonic() > end:
                raise
        else:
            return


def remove(kubectl: Kubectl) -> None:
    """Let it forget them, with all objects; also those that wait for a controller that is gone."""
    for kind in ("workloads", "localqueues", "clusterqueues", "resourceflavors"):
        resource = f"{kind}.kueue.x-k8s.io"
        for one in kubectl.get(resource, "--all-namespaces")["items"]:
            where = ("-n", one["metadata"].get("namespace", "default"))
            change = ("--type=merge", "-p", '{"metadata": {"finalizers": null}}')
            kubectl("patch", resource, one["metadata"]["name"], *where, *change)
    kubectl("delete", "-f", str(definitions()), "--ignore-not-found", "--wait=true")


@contextlib.contextmanager
def running(kubectl: Kubectl, folder: Path) -> Iterator[None]:
    """Run Kueue's controller, for Jobs alone. Its certificates lie where it looks, for it only."""
    files = folder / "etc"
    for certificates in (folder / "webhook", files / "kueue" / "metrics" / "certs"):
        certificates.mkdir(parents=True)
        _certificate(certificates)
    configuration = folder / "kueue.yaml"
    configuration.write_text(json.dumps(_configuration(folder / "webhook")))
    # It knows one place for them, below /etc: it has an /etc of its own with ours over it.
    overlaid = f'mount -t overlay overlay -o lowerdir={files}:/etc /etc && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", overlaid, "sh", str(binary("kueue"))]
    flags = (f"--config={configuration}", "--feature-gates=VisibilityOnDemand=false")
    environ = {**os.environ, "KUBECONFIG": str(kubectl.kubeconfig), "POD_NAMESPACE": "default"}
    with (folder / "kueue.log").open("w") as log:
        process = subprocess.Popen(
            with_parent(*command, *flags), env=environ, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        assert process.poll() is None, (folder / "kueue.log").read_text()[-4000:]
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _certificate(folder: Path) -> None:
    key, certificate = folder / "tls.key", folder / "tls.crt"
    asked = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=kueue"]
    command = ["openssl", "req", *asked, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)


def _configuration(certificates: Path) -> Body:
    return {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "health": {"healthProbeBindAddress": "0"},
        "metrics": {"bindAddress": "0"},
        "webhook": {"port": free_port(), "certDir": str(certificates)},
        "leaderElection": {"leaderElect": False},
        "internalCertManagement": {"enable": False},
        "integrations": {"frameworks": ["batch/job"]},
    }


def queues(kubectl: Kubectl, namespace: str, cpu: str, labels: dict[str, str]) -> None:
    """Have a queue `ml` in a namespace with so many CPUs, on nodes with some labels."""
    kinds: dict[str, Body] = {
        "ResourceFlavor": {"nodeLabels": labels},
        "ClusterQueue": {
            "namespaceSelector": {},
            "preemption": {"withinClusterQueue": "LowerPriority"},
            "resourceGroups": [
                {
                    "coveredResources": ["cpu", "memory"],
                    "flavors": [
                        {
                            "name": namespace,
                            "resources": [
                                {"name": "cpu", "nominalQuota": cpu},
                                {"name": "memory", "nominalQuota": "1Ti"},
                            ],
                        }
                    ],
                }
            ],
        },
    }
    for kind, spec in kinds.items():
        metadata = {"name": namespace}
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
        kubectl.apply(body)
    place = {"name": "ml", "namespace": namespace}
    spec = {"clusterQueue": namespace}
    body = {"apiVersion": API_VERSION, "kind": "LocalQueue", "metadata": place, "spec": spec}
    kubectl.apply(body)


@dataclass(frozen=True)
class StandIn:
    """What Kueue's controller does, by hand."""

    kubectl: Kubectl
    namespace: str

    def take(self, job: Body, why: str = NO_QUOTA) -> Body:
        """Make the Workload of a suspended Job: it waits."""
        assert job["spec"]["suspend"] is True
        template = job["spec"]["template"]
        metadata = {
            "name": f"job-{job['metadata']['name']}",
            "namespace": self.namespace,
            "labels": {"kueue.x-k8s.io/job-uid": job["metadata"]["uid"]},
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": job["metadata"]["name"],
                    "uid": job["metadata"]["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        }
        pods = {"name": "main", "count": job["spec"]["parallelism"], "template": template}
        spec = {"queueName": job["metadata"]["labels"][QUEUE_LABEL], "podSets": [pods]}
        body = {"apiVersion": API_VERSION, "kind": "Workload", "metadata": metadata, "spec": spec}
        self.kubectl.apply(body, "--server-side", "--field-manager=kueue")
        return self._says(job, _condition("QuotaReserved", "False", "Pending", why))

    def admit(self, job: Body) -> None:
        """Give it quota, and start it on nodes of a flavor."""
        reserved = {"clusterQueue": "all", "podSetAssignments": [{"name": "main"}]}
        self._says(
            job,
            _condition("QuotaReserved", "True", "QuotaReserved", "Quota reserved in all"),
            _condition("Admitted", "True", "Admitted", "The workload is admitted"),
            admission=reserved,
        )
        pod = {"nodeSelector": {"kubernetes.io/os": "linux"}}
        labels = {"labels": {"kueue.x-k8s.io/podset": "main"}}
        self._change(job, {"suspend": False, "template": {"metadata": labels, "spec": pod}})

    def preempt(self, job: Body) -> None:
        """Stop it, for one that comes first; its Workload waits again."""
        self._says(
            job,
            _condition("QuotaReserved", "False", "Pending", NO_QUOTA),
            _condition("Admitted", "False", "NoReservation", "The workload has no reservation"),
            _condition("Evicted", "True", "Preempted", PREEMPTED),
        )
        self._change(job, {"suspend": True})
        # Once it stands still, its template is as it was before.
        plain = {"metadata": {"labels": {"kueue.x-k8s.io/podset": None}}}
        # Refused as long as it has a start time, until the Job controller has seen it.
        with contextlib.suppress(RefusedError):
            self._change(job, {"template": {**plain, "spec": {"nodeSelector": None}}})

    def _says(self, job: Body, *conditions: Body, **status: Any) -> Body:
        name = f"job-{job['metadata']['name']}"
        change = json.dumps({"status": {"admission": None, **status, "conditions": conditions}})
        flags = ("--subresource=status", "--type=merge", "--field-manager=kueue", "-p", change)
        self.kubectl("patch", "workload", name, "-n", self.namespace, *flags)
        return self.kubectl.get("workload", name, "-n", self.namespace)

    def _change(self, job: Body, spec: Body) -> None:
        name, change = job["metadata"]["name"], json.dumps({"spec": spec})
        flags = ("--type=merge", "--field-manager=kueue", "-p", change)
        self.kubectl("patch", "job", name, "-n", self.namespace, *flags)


def _condition(kind: str, status: str, reason: str, message: str) -> Body:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": AT,
    }
