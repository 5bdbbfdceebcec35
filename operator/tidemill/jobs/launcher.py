"""Starting runner Jobs and reading what they leave: the I/O that the kinds with Jobs share."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.credentials import trouble_of
from tidemill.children.foreign import first_to_fail
from tidemill.children.mounting import unmounted
from tidemill.children.ownership import child_metadata, selector
from tidemill.children.platform import Platform
from tidemill.children.pods import (
    MAX_LOG_LINE,
    MAX_LOG_LINES,
    Diagnosis,
    diagnose,
    is_over,
    overdue,
    overflowed,
    works,
)
from tidemill.children.store_secret import StoreSecrets, Wanted
from tidemill.engine.context import Context
from tidemill.engine.key import Key
from tidemill.jobs import source_keys
from tidemill.jobs.manifests import RunnerJob, job_manifest, secret_values
from tidemill.jobs.progress import Tokens
from tidemill.jobs.view import JOB_UID_LABEL, JobView, Phase, explain_failure, view
from tidemill.kube.apply import ensure
from tidemill.kube.drift import drift
from tidemill.kube.owners import owner_of
from tidemill.kube.resources import JOBS, PODS
from tidemill.policy.permit import Permits
from tidemill.store.credentials import Policy
from tidemill.store.errors import NotFound, StoreError, TooLarge

RESULT_FILE = "result.json"
MAX_RESULT_BYTES = 4 * 1024 * 1024
CREDENTIALS_MARGIN_SECONDS = 900
# Half of the shortest life that a store gives keys: no sooner do any want others.
KEYS_CHECK_AFTER = 450.0
MUTABLE_JOB_FIELDS = ("suspend", "activeDeadlineSeconds", "backoffLimit", "parallelism")
MARKS = ("labels", "annotations", "ownerReferences")
NO_POD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Launcher:
    """Jobs of one operator."""

    context: Context
    platform: Platform
    tokens: Tokens

    @property
    def secrets(self) -> StoreSecrets:
        """Give the writer of the Jobs' Secrets."""
        return StoreSecrets(self.context, self.platform)

    async def jobs_of(self, parent: Mapping[str, Any]) -> list[JobView]:
        """List the Jobs of a parent, oldest first."""
        metadata = parent["metadata"]
        found = await self.context.client.list(
            JOBS, metadata["namespace"], labels=selector(metadata["uid"])
        )
        return sorted((view(job) for job in found), key=lambda job: (job.created, job.name))

    async def job(self, parent: Mapping[str, Any], name: str) -> JobView | None:
        """Read the Job of a parent by its name: one object, where a list looks at all there are."""
        metadata = parent["metadata"]
        found = await self.context.client.get(JOBS, metadata["namespace"], name)
        return view(found) if found and owner_of(found) == metadata["uid"] else None

    async def start(
        self,
        parent: Mapping[str, Any],
        job: RunnerJob,
        document: Mapping[str, Any],
        policy: Policy,
    ) -> None:
        """Create the Job and its Secret, if it may be; done twice, it is as done once."""
        await self.permit(parent, job)
        uncopied = await self._uncopied(parent, document)
        told = source_keys.tell(document, uncopied.secrets)
        await self.secrets.begin(self._secret(parent, job, told, policy))
        outside = job.outside or uncopied.elsewhere
        opened = replace(job, source_secrets=uncopied.secrets, outside=outside)
        await ensure(self.context.client, job_manifest(parent, opened), None)

    def wants_its_secret(self, job: JobView) -> bool:
        """Tell whether the Secret of a Job is to be looked at.

        A pod that has not started may wait for one that somebody removed or edited; of a Job that
        waits in a queue the keys must not end before it begins; one that works for long needs new
        ones before the old ones end.
        """
        age = (self.context.clock() - job.created).total_seconds()
        begins = job.phase in (Phase.RUNNING, Phase.SUSPENDED)
        return begins and (not job.ready or age >= KEYS_CHECK_AFTER)

    async def permit(self, parent: Mapping[str, Any], job: RunnerJob) -> None:
        """See that the administrator's policy allows a Job; raises Stalled where it does not."""
        await Permits(self.context).check(parent, job_manifest(parent, job))

    async def keep_secret(
        self,
        parent: Mapping[str, Any],
        job: RunnerJob,
        document: Mapping[str, Any],
        policy: Policy,
    ) -> None:
        """Mend the Secret of a Job, and renew its keys at half their life."""
        uncopied = await self._uncopied(parent, document)
        told = source_keys.tell(document, uncopied.secrets)
        await self.secrets.keep(self._secret(parent, job, told, policy))

    async def _uncopied(
        self, parent: Mapping[str, Any], document: Mapping[str, Any]
    ) -> source_keys.Uncopied:
        client, namespace = self.context.client, parent["metadata"]["namespace"]
        return await source_keys.uncopied(client, namespace, source_keys.read_by(document))

    def _secret(
        self,
        parent: Mapping[str, Any],
        job: RunnerJob,
        document: Mapping[str, Any],
        policy: Policy,
    ) -> Wanted:
        metadata = parent["metadata"]
        key = Key(job.kind, metadata["namespace"], metadata["name"])
        # Keys are renewed when half of their life is over: whenever a queue lets the Job go, they
        # are to last as long as it may take.
        lasting = job.deadline_seconds * (2 if job.queue else 1)
        return Wanted(
            metadata=child_metadata(job.kind, parent, job.name),
            policy=policy,
            seconds=lasting + CREDENTIALS_MARGIN_SECONDS,
            values=secret_values(document, self.tokens.issue(key, metadata["uid"])),
        )

    async def hold(self, parent: Mapping[str, Any], job: JobView, desired: RunnerJob) -> bool:
        """Put back what somebody edited in a running Job; tell whether there was anything.

        A Job's pod template cannot be changed, so only the fields around it can have been.
        """
        manifest = job_manifest(parent, desired)
        wanted = manifest["spec"]
        change: dict[str, Any] = {}
        # Whether a Job in a queue is suspended is for Kueue to say.
        held = [k for k in MUTABLE_JOB_FIELDS if k != "suspend" or not desired.queue]
        if edited := {k: wanted[k] for k in held if job.spec.get(k) != wanted[k]}:
            change["spec"] = edited
        marks = {k: manifest["metadata"][k] for k in MARKS}
        if drift(marks, job.metadata):
            change["metadata"] = marks
        if change:
            namespace = parent["metadata"]["namespace"]
            await self.context.client.patch(JOBS, namespace, job.name, change)
        return bool(change)

    async def delete(self, parent: Mapping[str, Any], job: JobView) -> None:
        """Remove a Job with its pods and its Secret.

        The Secret goes first: without its Job, nothing would remember it.
        """
        namespace = parent["metadata"]["namespace"]
        await self.secrets.remove(parent, job.name)
        await self.context.client.delete(JOBS, namespace, job.name, uid=job.uid)

    async def pod_trouble(
        self, parent: Mapping[str, Any], job: JobView, limit: float | None = None
    ) -> Diagnosis | None:
        """Say what keeps the pods of a Job from working, if anything does.

        `limit` is how many seconds a container of the user's may take in them.
        """
        pods = await self._pods(parent, job)
        if full := overflowed(pods):
            return full
        age = (self.context.clock() - job.since).total_seconds()
        if not pods and age >= NO_POD_SECONDS:
            message = (
                f"the Job {job.name} has no pod: a quota or a policy may forbid it, see "
                f"`kubectl describe job {job.name}`"
            )
            return Diagnosis(Reason.POD_NOT_CREATED, message, job.name)
        # What keeps the present pod from working says more than how the one before it ended.
        present = [pod for pod in pods if not is_over(pod)]
        now = self.context.clock()
        if limit is not None and (late := overdue(present, limit, now)):
            return late
        waiting = unmounted(present, now)
        if found := diagnose(present) or waiting:
            return found
        before = diagnose(pods)
        return replace(before, aside=any(map(works, present))) if before else None

    async def failure(self, parent: Mapping[str, Any], job: JobView, deadline: str) -> Diagnosis:
        """Say why a Job failed, with the last lines of its log."""
        pods = await self._pods(parent, job)
        if full := overflowed(pods):
            return replace(full, overdue=False)
        blamed = first_to_fail(pods)
        told = diagnose([blamed] if blamed else _blamed(job, pods))
        found = explain_failure(job, told or diagnose(pods), deadline)
        if found.log or found.pod == job.name:
            return found
        namespace = parent["metadata"]["namespace"]
        text = await self.context.client.logs(
            namespace, found.pod, tail_lines=MAX_LOG_LINES, container=found.container
        )
        lines = tuple(line[:MAX_LOG_LINE] for line in text.splitlines()[-MAX_LOG_LINES:])
        return replace(found, log=lines)

    async def result(self, output: str) -> dict[str, Any] | None:
        """Read the result that a Job left under its prefix; None when there is none to be read.

        Raises Passing while the store does not answer, Stalled when it refuses the operator.
        """
        try:
            data = await self.platform.store.get(
                f"{output}{RESULT_FILE}", max_bytes=MAX_RESULT_BYTES
            )
            document = await asyncio.to_thread(json.loads, data)
        except (NotFound, TooLarge, ValueError):
            return None
        except StoreError as error:
            raise trouble_of(error) from error
        return document if isinstance(document, dict) else None

    async def _pods(self, parent: Mapping[str, Any], job: JobView) -> list[dict[str, Any]]:
        namespace = parent["metadata"]["namespace"]
        return await self.context.client.list(PODS, namespace, labels={JOB_UID_LABEL: job.uid})


def _blamed(job: JobView, pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the pod that a Job says it failed for: others may have ended since, or before."""
    return [pod for pod in pods if f"/{pod['metadata']['name']} " in job.message]
