"""A Job as the decisions see it, and what it left behind when it failed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis

POD_CHECK_AFTER = 10.0
# Kubernetes' own, of a pod failure policy.
_POLICY_WORDS = re.compile(
    r"Container (?P<container>\S+) for pod [^/\s]+/(?P<pod>\S+) failed with exit code (?P<code>\d+)"
)
JOB_UID_LABEL = "batch.kubernetes.io/controller-uid"


class Phase(StrEnum):
    """Where a Job stands."""

    RUNNING = "Running"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    DELETING = "Deleting"


@dataclass(frozen=True, slots=True)
class JobView:
    """The facts about a Job that matter; the annotations are its pods', which nobody can edit."""

    name: str
    uid: str
    phase: Phase
    created: datetime
    ready: int = 0
    reason: str = ""
    message: str = ""
    finished: datetime | None = None
    # When its pods could first be there: a Job that was suspended begins anew.
    started: datetime | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def since(self) -> datetime:
        """Give the time from which pods can be expected."""
        return self.started or self.created


def view(job: Mapping[str, Any]) -> JobView:
    """Read a Job."""
    metadata, status = job["metadata"], job.get("status", {})
    conditions = {c["type"]: c for c in status.get("conditions") or () if c["status"] == "True"}
    end = conditions.get("Complete") or conditions.get("Failed")
    return JobView(
        name=metadata["name"],
        uid=metadata["uid"],
        phase=_phase(job, conditions),
        created=parse_time(metadata["creationTimestamp"]),
        ready=int(status.get("ready") or 0),
        reason=str(end.get("reason", "")) if end else "",
        message=str(end.get("message", "")) if end else "",
        finished=parse_time(end["lastTransitionTime"]) if end else None,
        started=parse_time(status["startTime"]) if status.get("startTime") else None,
        annotations=job["spec"]["template"].get("metadata", {}).get("annotations") or {},
        spec=job["spec"],
        metadata=metadata,
    )


def _phase(job: Mapping[str, Any], conditions: Mapping[str, Any]) -> Phase:
    # A finished Job stays what it was while it is being deleted; an unfinished one is gone already.
    if "Complete" in conditions:
        return Phase.SUCCEEDED
    if "Failed" in conditions:
        return Phase.FAILED
    if job["metadata"].get("deletionTimestamp"):
        return Phase.DELETING
    return Phase.SUSPENDED if job["spec"].get("suspend") else Phase.RUNNING


def parse_time(text: str) -> datetime:
    """Read a Kubernetes timestamp."""
    return datetime.fromisoformat(text)


def explain_failure(job: JobView, diagnosis: Diagnosis | None, deadline: str) -> Diagnosis:
    """Say why a Job failed, from the Job's own words and its pod's.

    `deadline` completes "did not end within": how long it may take, and what can be done about it.
    """
    if job.reason == "DeadlineExceeded":
        cause = f"; {diagnosis.message}" if diagnosis else ""
        message = f"the Job did not end within {deadline}{cause}"
        log = diagnosis.log if diagnosis else ()
        return Diagnosis(Reason.DEADLINE_EXCEEDED, message, job.name, final=True, log=log)
    if diagnosis is not None:
        return diagnosis
    message = f"the Job {job.name} failed: {job.message or job.reason or 'no reason given'}"
    told = _POLICY_WORDS.search(job.message)
    if told is None:
        return Diagnosis(Reason.CONTAINER_FAILED, message, job.name, final=True)
    # The pod is gone, and what it was ended with stands in the Job's words alone.
    code, container = int(told["code"]), told["container"]
    return Diagnosis(Reason.CONTAINER_FAILED, message, told["pod"], True, code, container=container)
