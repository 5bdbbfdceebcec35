"""The manifests of a runner Job: the Secret that is its input, and the Job itself.

The Secret holds the input document, scoped credentials for the store and the token for progress; it
bears the Job's name. Pods get no API token. Which exit codes are worth another try is the
runner's documented enum, carried here as the Job's pod failure policy.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.api.v1alpha1.meta import Template
from tidemill.api.v1alpha1.signing import SigningKey
from tidemill.children.ownership import CREW, OUTSIDE, RANKS, child_metadata
from tidemill.children.pod_spec import CONTAINER_SECURITY, resources, restricted_pod
from tidemill.jobs import between
from tidemill.jobs.between import Middle
from tidemill.jobs.kueue import QUEUE_LABEL
from tidemill.jobs.ranks import Ranks
from tidemill.jobs.template import merged

INPUT_DIR = "/etc/tidemill/input"
STORE_DIR = "/etc/tidemill/store"
SOURCE_DIR = "/etc/tidemill/source"
SOURCES_DIR = "/etc/tidemill/sources"
SIGNING_DIR = "/etc/tidemill/signing"
VOLUME_DIR = "/volume"
SCRATCH_DIR = "/scratch"
INPUT_FILE = "input.json"
TOKEN_FILE = "progress-token"  # noqa: S105 - the name of a file
SCRATCH_LIMIT = "20Gi"

# User error, data error, fault of the runner, out of memory: the same again would end the same.
FINAL_EXIT_CODES = [10, 20, 70, 137]
# The infrastructure's fault, such as a store that does not answer.
PASSING_EXIT_CODES = [30]

# Of each rank: it ends with every other one that is lost.
RANK_RETRIES = 6

DEFAULT_RESOURCES: dict[str, dict[str, Any]] = {
    "ingest": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    "materialise": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    "train": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
}


@dataclass(frozen=True, slots=True)
class RunnerJob:
    """What one runner Job is to be."""

    kind: str
    name: str
    verb: str
    image: str
    template: Template | None
    deadline_seconds: int
    retries: int = 2
    source_secret: str | None = None
    source_claim: str | None = None
    # Secrets that open the sources of Datasets, by their names.
    source_secrets: Mapping[str, str] = field(default_factory=dict)
    # The user's own, between what lays out its data and what judges what it wrote.
    middle: Middle | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    # Pods that share the work; the first of them ends it.
    workers: int = 1
    # What those pods are to each other, where they run a user's code together.
    ranks: Ranks | None = None
    # How often it is tried again after what may pass; None: until the deadline.
    retry_limit: int | None = None
    # The queue of Kueue that it waits in.
    queue: str | None = None
    # Instead of what the template or the default says, as request and as limit.
    memory: str | None = None
    # Whether its pods reach addresses that are neither the store's nor the operator's.
    outside: bool = False
    # Whose key signs what it leaves: for the container that does, and for no other.
    signing: SigningKey | None = None


def secret_values(document: Mapping[str, Any], token: str) -> dict[str, str]:
    """Give what the Job's Secret holds beside the keys: its input, and the token for progress."""
    return {INPUT_FILE: json.dumps(document, sort_keys=True), TOKEN_FILE: token}


def job_manifest(parent: Mapping[str, Any], job: RunnerJob) -> dict[str, Any]:
    """Build the Job; it refers to its Secret by name."""
    metadata = child_metadata(job.kind, parent, job.name)
    metadata["annotations"] = dict(job.annotations)
    # Nobody edits a pod template but Kueue, which adds: what was decided is read from there.
    together = (RANKS if job.ranks else CREW) if job.workers > 1 else {}
    reached = {**(OUTSIDE if job.outside else {}), **together}
    labels = {**metadata["labels"], **reached}
    noted = {"labels": labels, "annotations": dict(job.annotations)}
    if job.queue:
        metadata["labels"][QUEUE_LABEL] = job.queue
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "suspend": job.queue is not None,
            "parallelism": job.workers,
            **_shared(job.workers),
            "activeDeadlineSeconds": job.deadline_seconds,
            **_tries(job),
            "podFailurePolicy": _failure_policy(job),
            "template": {"metadata": noted, "spec": _pod(job)},
        },
    }


def _shared(workers: int) -> dict[str, Any]:
    """Number the pods: the Job is done when the first one is, whether the others came or not."""
    if workers == 1:
        return {}
    return {
        "completionMode": "Indexed",
        "completions": workers,
        "successPolicy": {"rules": [{"succeededIndexes": "0"}]},
    }


def _tries(job: RunnerJob) -> dict[str, Any]:
    """Say how often what may pass is tried again: of ranks each for itself.

    Where one of them is lost the others end as well, which is one loss, not as many as there are.
    Those others are counted, though the one that was lost may not be: they have more tries.
    """
    retries = RANK_RETRIES if job.ranks else job.retries
    limit = retries if job.retry_limit is None else job.retry_limit
    if job.ranks is None:
        return {"backoffLimit": limit}
    whole = {"backoffLimit": limit * job.ranks.count, "maxFailedIndexes": 0}
    return {**whole, "backoffLimitPerIndex": limit}


def _failure_policy(job: RunnerJob) -> dict[str, Any]:
    ours = [between.COLLECT, "runner"] if job.middle else ["runner"]
    codes = [{"containerName": name, "operator": "In"} for name in ours]
    passing = "Ignore" if job.retry_limit is None else "Count"
    return {
        "rules": [
            # First: a pod that the cluster took away says nothing about the run.
            {"action": passing, "onPodConditions": [{"type": "DisruptionTarget"}]},
            # An outage is over when it is over: the deadline ends the waiting, unless the spec
            # sets a count.
            *(
                {"action": passing, "onExitCodes": {**one, "values": PASSING_EXIT_CODES}}
                for one in codes
            ),
            *(
                {"action": "FailJob", "onExitCodes": {**one, "values": FINAL_EXIT_CODES}}
                for one in codes
            ),
            *between.ending(job.middle),
        ]
    }


def _pod(job: RunnerJob) -> dict[str, Any]:
    volumes, mounts = _volumes(job)
    container = {
        "name": "runner",
        "image": job.image,
        "args": [job.verb],
        "env": [{"name": "TIDEMILL_TOKEN", "value": f"{INPUT_DIR}/{TOKEN_FILE}"}, *_found(job)],
        "resources": _resources(job),
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
    more = between.surround(container, job.middle, SCRATCH_LIMIT) if job.middle else {}
    pod = {
        **restricted_pod(job.template),
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 10,
        **({"subdomain": job.ranks.service} if job.ranks else {}),
        "containers": [container],
        **more,
        "volumes": [*volumes, *more.get("volumes", ())],
    }
    return merged(pod, job.template, job.middle.name if job.middle else "runner")


def _found(job: RunnerJob) -> list[dict[str, Any]]:
    """Tell a pod that has others beside it where they reach it."""
    address = {"fieldRef": {"fieldPath": "status.podIP"}}
    return [{"name": "TIDEMILL_POD_IP", "valueFrom": address}] if job.workers > 1 else []


def _resources(job: RunnerJob) -> dict[str, Any]:
    found = resources(job.template, DEFAULT_RESOURCES[job.verb])
    if job.memory is None:
        return found
    # What it is known to need is set aside, else a node may take it that has not so much.
    return {kind: {**amounts, "memory": job.memory} for kind, amounts in found.items()}


def _volumes(job: RunnerJob) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    own = [INPUT_FILE, TOKEN_FILE]
    volumes: list[dict[str, Any]] = [
        {
            "name": "input",
            "secret": {"secretName": job.name, "items": [{"key": k, "path": k} for k in own]},
        },
        {"name": "store", "secret": {"secretName": job.name}},
        {"name": "scratch", "emptyDir": {"sizeLimit": SCRATCH_LIMIT}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "input", "mountPath": INPUT_DIR, "readOnly": True},
        {"name": "store", "mountPath": STORE_DIR, "readOnly": True},
        {"name": "scratch", "mountPath": SCRATCH_DIR},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
    ]
    if job.source_secret:
        volumes.append({"name": "source", "secret": {"secretName": job.source_secret}})
        mounts.append({"name": "source", "mountPath": SOURCE_DIR, "readOnly": True})
    for place, (dataset, secret) in enumerate(sorted(job.source_secrets.items())):
        volumes.append({"name": f"source-{place}", "secret": {"secretName": secret}})
        path = f"{SOURCES_DIR}/{dataset}"
        mounts.append({"name": f"source-{place}", "mountPath": path, "readOnly": True})
    if job.signing:
        volumes.append({"name": "signing", "secret": _of_key(job.signing)})
        mounts.append({"name": "signing", "mountPath": SIGNING_DIR, "readOnly": True})
    if job.source_claim:
        claim = {"claimName": job.source_claim, "readOnly": True}
        volumes.append({"name": "volume", "persistentVolumeClaim": claim})
        mounts.append({"name": "volume", "mountPath": VOLUME_DIR, "readOnly": True})
    return volumes, mounts


def _of_key(key: SigningKey) -> dict[str, Any]:
    """Give the one key, and its password, under the names that the runner looks for."""
    items = [{"key": key.key, "path": "key"}]
    if key.password_key:
        items.append({"key": key.password_key, "path": "password"})
    return {"secretName": key.name, "items": items}
