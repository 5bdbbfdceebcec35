"""Why a Job waits in a queue of Kueue, in Kueue's own words.

A Job that is queued is created suspended, with a label that names its queue. Kueue makes a Workload
of it and takes the suspension away once there is quota for it, and puts it back when it preempts
the Job. Both are Kueue's alone to write. Here is only read what it says: of Workloads the
conditions, and the place in the queue where its visibility API is served.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill.jobs.view import JobView
from tidemill.kube.client import Client
from tidemill.kube.errors import ApiError, NotFound
from tidemill.kube.resources import PENDING_WORKLOADS, WORKLOADS, WORKLOADS_BEFORE

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
JOB_UID_LABEL = "kueue.x-k8s.io/job-uid"
MAX_MESSAGE = 1024


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a Job waits; `needs_somebody` where it stays so until somebody acts."""

    message: str
    needs_somebody: bool = False


async def waiting(client: Client, namespace: str, job: JobView, queue: str) -> Waiting:
    """Ask Kueue why a Job has not started; a cluster without Kueue has an answer, too."""
    workloads, position = await asyncio.gather(
        _workloads(client, namespace, job), _position(client, namespace, job, queue)
    )
    return told(workloads, position, queue)


async def _workloads(
    client: Client, namespace: str, job: JobView
) -> Sequence[Mapping[str, Any]] | None:
    """List the Workloads of a Job; None where the cluster knows no such kind."""
    for resource in (WORKLOADS, WORKLOADS_BEFORE):
        with contextlib.suppress(NotFound):
            return await client.list(resource, namespace, labels={JOB_UID_LABEL: job.uid})
    return None


async def _position(client: Client, namespace: str, job: JobView, queue: str) -> int | None:
    """Count how many are before it in its queue; None where Kueue does not tell."""
    try:
        found = await client.get_part(PENDING_WORKLOADS, namespace, queue, "pendingworkloads")
    except ApiError:
        # An addition that many clusters lack, or that is down: the rest is told without it.
        return None
    for item in (found or {}).get("items") or ():
        owners = item.get("metadata", {}).get("ownerReferences") or ()
        if any(owner.get("uid") == job.uid for owner in owners):
            return int(item.get("positionInLocalQueue") or 0)
    return None


def told(
    workloads: Sequence[Mapping[str, Any]] | None, position: int | None, queue: str
) -> Waiting:
    """Say why a Job waits, from its Workloads and its place; pure."""
    if workloads is None:
        message = (
            "the Job is suspended and there is no Kueue in this cluster that would start it: "
            "install Kueue, or create a run without spec.queueName"
        )
        return Waiting(message, needs_somebody=True)
    if not workloads:
        message = (
            f"the Job waits for Kueue to take it into the queue {queue}: where this lasts, Kueue "
            "does not run, or does not manage this namespace"
        )
        return Waiting(message)
    newest = max(workloads, key=lambda one: str(one["metadata"].get("creationTimestamp", "")))
    ahead = "" if position is None else f", {position} before it"
    evicted = _true(newest, "Evicted")
    before = f"; it was stopped: {evicted}" if evicted else ""
    if newest.get("spec", {}).get("active") is False:
        message = (
            f"Kueue has deactivated the Job{before}: set spec.active of Workload "
            f"{newest['metadata']['name']} to true, or create another run"
        )
        return Waiting(message[:MAX_MESSAGE], needs_somebody=True)
    message = f"the Job waits in the queue {queue}{ahead}: {_why(newest)}{before}"
    return Waiting(message[:MAX_MESSAGE])


def _why(workload: Mapping[str, Any]) -> str:
    """Give the message of the first of Kueue's conditions that is in the way."""
    for kind in ("QuotaReserved", "Admitted"):
        condition = _condition(workload, kind)
        if condition is None or condition["status"] != "True":
            return _words(condition) or f"Kueue has not said why ({kind})"
    return "it is admitted and about to start"


def _true(workload: Mapping[str, Any], kind: str) -> str:
    condition = _condition(workload, kind)
    return _words(condition) if condition and condition["status"] == "True" else ""


def _condition(workload: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    conditions = workload.get("status", {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == kind), None)


def _words(condition: Mapping[str, Any] | None) -> str:
    if condition is None:
        return ""
    return str(condition.get("message") or condition.get("reason") or "").strip()
