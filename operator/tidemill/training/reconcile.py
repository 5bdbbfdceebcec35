"""One pass over one TrainingRun: read the world, decide, act, write the status."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from tidemill.api.v1alpha1.conditions import ConditionType
from tidemill.api.v1alpha1.dataset_reference import DatasetReference
from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.training_run import AppliedRun, TrainingRunSpec, TrainingRunStatus
from tidemill.children.credentials import trouble_of
from tidemill.children.naming import child_name
from tidemill.children.pods import Diagnosis
from tidemill.children.status import StatusWriter, invalid_spec, status_of
from tidemill.engine.errors import Stalled
from tidemill.engine.key import Key
from tidemill.engine.result import Result
from tidemill.jobs.launcher import Launcher
from tidemill.jobs.manifests import RunnerJob
from tidemill.jobs.progress import ProgressBoard
from tidemill.jobs.view import POD_CHECK_AFTER, JobView, Phase
from tidemill.kube.resources import DATASETS, TRAINING_RUNS
from tidemill.store import layout
from tidemill.store.credentials import Policy, train_policy, with_manifests, with_trials
from tidemill.store.errors import NotFound, StoreError
from tidemill.training import given
from tidemill.training.cache import Cache
from tidemill.training.cache_key import cache_key
from tidemill.training.decide import (
    CHANGED,
    LATEST,
    Plan,
    annotations,
    decide,
    end_of,
    spec_hash,
)
from tidemill.training.feature_tables import FeatureTables
from tidemill.training.images import image_of
from tidemill.training.observed import DatasetFacts, Observed

RUNNER_API = "runner.tidemill.dev/v1"


@dataclass(frozen=True, slots=True)
class TrainingRunReconciler:
    """Reconciles TrainingRuns."""

    launcher: Launcher
    progress: ProgressBoard

    @property
    def writer(self) -> StatusWriter:
        """Give the writer of this kind's status."""
        return StatusWriter(self.launcher.context, TRAINING_RUNS, ConditionType.SUCCEEDED)

    async def reconcile(self, key: Key) -> Result:
        """Bring one run closer to its end."""
        live = await self.launcher.context.client.get(TRAINING_RUNS, key.namespace, key.name)
        if live is None or live["metadata"].get("deletionTimestamp"):
            self.progress.forget(key)
            return Result.done()
        status = status_of(TrainingRunStatus, live)
        try:
            spec = TrainingRunSpec.model_validate(live["spec"])
        except ValidationError as error:
            await self.writer.write(live, status, invalid_spec(error))
            return Result.done()
        if status.completed_at and (status.failure or status.artifact):
            return await self._keep_record(live, spec, status)
        return await self.writer.guard(live, status, self._act(live, spec, status))

    async def _keep_record(
        self, live: Mapping[str, Any], spec: TrainingRunSpec, status: TrainingRunStatus
    ) -> Result:
        """Say again how the run ended: its spec may have been touched since."""
        verdict = end_of(status)
        if status.applied and status.applied.spec_hash != spec_hash(spec):
            verdict = replace(verdict, message=f"{verdict.message} ({CHANGED})")
        await self.writer.write(live, status, verdict)
        self.progress.forget(_key(live))
        return Result.done()

    async def _act(
        self, live: Mapping[str, Any], spec: TrainingRunSpec, status: TrainingRunStatus
    ) -> Result:
        image, now = image_of(spec, self.launcher.platform), self.launcher.context.clock()
        observed = await self._observe(live, spec, status)
        plan = decide(spec, status, observed, now, image)
        result = observed.result
        if plan.start:
            # Its Job may have ended and gone before anybody looked: one run, one record.
            result = await self.launcher.result(_output(live, _job_name(live, plan.start)))
            if result is None and observed.job is None:
                status = await self._pinned(live, spec, plan)
                result = await self._taken(live, spec, status.applied)
            plan = decide(spec, status, replace(observed, result=result), now, image)
            self.progress.forget(_key(live))
        await self._apply(live, spec, plan, observed.job)
        marks = {"job": _job_name(live, plan.start)} if plan.start else {}
        key = cache_key(spec, plan.status.applied)
        told = plan.status.model_copy(update={**marks, "cache_key": key})
        if plan.ended and result is not None:
            await self._noted(live, told, result)
        await self.writer.write(live, told, plan.verdict)
        if plan.ended:
            self.progress.forget(_key(live))
        return Result(plan.requeue_after)

    def _cache(self, live: Mapping[str, Any]) -> Cache:
        return Cache(self.launcher.platform, live["metadata"]["namespace"])

    async def _pinned(
        self, live: Mapping[str, Any], spec: TrainingRunSpec, plan: Plan
    ) -> TrainingRunStatus:
        """Pin how the tables are joined, too; whoever may not join them takes no result either."""
        applied = plan.start
        if applied is None or spec.join is None:
            return plan.status
        tables = await self._tables(live).pinned(spec.join, applied.tables or ())
        pinned = applied.model_copy(update={"tables": list(tables)})
        return plan.status.model_copy(update={"applied": pinned})

    async def _taken(
        self, live: Mapping[str, Any], spec: TrainingRunSpec, applied: AppliedRun | None
    ) -> dict[str, Any] | None:
        """Take the result of a run with the same inputs, where there is one and it may be."""
        key = cache_key(spec, applied)
        if applied is None or key is None or applied.memory or spec.cache != "Use":
            return None
        output, now = _output(live, _job_name(live, applied)), self.launcher.context.clock()
        return await self._cache(live).take(key, applied.dataset_version, output, now)

    async def _noted(
        self, live: Mapping[str, Any], status: TrainingRunStatus, result: Mapping[str, Any]
    ) -> None:
        """Let later runs with the same inputs take this one's result."""
        key, applied = status.cache_key, status.applied
        if key is None or applied is None or not status.artifact or status.cached_from:
            return
        output = _output(live, _job_name(live, applied))
        await self._cache(live).note(key, live["metadata"], output, result)

    async def _observe(
        self, live: Mapping[str, Any], spec: TrainingRunSpec, status: TrainingRunStatus
    ) -> Observed:
        job = await self._job(live, spec)
        if job is None:
            if status.applied:
                return Observed(dataset=None, job=job)
            joined = spec.join.tables if spec.join else ()
            facts = await self._dataset(live, spec.dataset)
            tables = [await self._dataset(live, one.dataset) for one in joined]
            return Observed(dataset=facts, job=job, tables=tuple(tables))
        result = None
        if job.phase is Phase.SUCCEEDED:
            result = await self.launcher.result(_output(live, job.name))
        report = self.progress.latest(_key(live), live["metadata"]["uid"])
        trouble = await self._trouble(live, spec, job)
        return Observed(dataset=None, job=job, result=result, trouble=trouble, report=report)

    async def _job(self, live: Mapping[str, Any], spec: TrainingRunSpec) -> JobView | None:
        """Read the run's Job; the one that was given more memory, where there is one."""
        grown = spec.retry.grow_memory if spec.retry else None
        found = await self.launcher.job(live, _name(live, grown)) if grown else None
        return found or await self.launcher.job(live, _name(live, None))

    async def _dataset(
        self, live: Mapping[str, Any], wanted: DatasetReference
    ) -> DatasetFacts | None:
        context, namespace = self.launcher.context, live["metadata"]["namespace"]
        name, version = wanted.name, wanted.version
        context.waiters.subscribe(Key("Dataset", namespace, name), _key(live))
        dataset = await context.client.get(DATASETS, namespace, name)
        if dataset is None or dataset["metadata"].get("deletionTimestamp"):
            return None
        latest = dataset.get("status", {}).get("version")
        if version == LATEST:
            return DatasetFacts(latest)
        try:
            await self.launcher.platform.store.head(layout.manifest_key(namespace, name, version))
        except NotFound:
            return DatasetFacts(latest, has_version=False)
        except StoreError as error:
            raise trouble_of(error) from error
        return DatasetFacts(latest, has_version=True)

    async def _trouble(
        self, live: Mapping[str, Any], spec: TrainingRunSpec, job: JobView
    ) -> Diagnosis | None:
        if job.phase is Phase.FAILED:
            deadline = f"the {spec.deadline} of spec.deadline: raise it, or do less"
            return await self.launcher.failure(live, job, deadline)
        age = (self.launcher.context.clock() - job.created).total_seconds()
        if job.phase is Phase.RUNNING and not job.ready and age >= POD_CHECK_AFTER:
            return await self.launcher.pod_trouble(live, job)
        return None

    async def _apply(
        self,
        live: Mapping[str, Any],
        spec: TrainingRunSpec,
        plan: Plan,
        job: JobView | None,
    ) -> None:
        launcher = self.launcher
        if plan.stop and job is not None:
            await launcher.delete(live, job)
        applied = plan.start or plan.status.applied
        if applied is None or not (plan.start or plan.hold):
            return
        runner_job = _runner_job(live, spec, applied)
        if plan.start:
            namespace = live["metadata"]["namespace"]
            await given.check(launcher.context.client, namespace, spec.template, runner_job.name)
            document = await self._document(live, spec, applied)
            await launcher.start(live, runner_job, document, self._policy(live, spec, applied))
        elif job is not None and job.phase in (Phase.RUNNING, Phase.SUSPENDED):
            await launcher.hold(live, job, runner_job)
            # A pod that has not started may wait for a Secret that somebody removed or edited.
            waiting = job.phase is Phase.RUNNING and not job.ready and plan.requeue_after
            if waiting:
                document = await self._document(live, spec, applied)
                policy = self._policy(live, spec, applied)
                await launcher.keep_secret(live, runner_job, document, policy)

    def _policy(
        self, live: Mapping[str, Any], spec: TrainingRunSpec, applied: AppliedRun
    ) -> Policy:
        metadata = live["metadata"]
        policy = train_policy(
            self.launcher.platform.store_config.bucket,
            metadata["namespace"],
            metadata["name"],
            metadata["uid"],
            spec.dataset.name,
        )
        if spec.search:
            run = layout.run_prefix(metadata["namespace"], metadata["uid"])
            policy = with_trials(policy, run)
        joined = self._tables(live).manifests(applied.tables or ())
        policy = with_manifests(policy, metadata["namespace"], joined)
        if not policy.fits:
            message = (
                f"spec.join.tables names {len(joined)} versions, more than the keys of one Job can "
                "be cut to: name fewer, or give the Datasets shorter names"
            )
            raise Stalled(Reason.SPEC_INVALID, message)
        return policy

    def _tables(self, live: Mapping[str, Any]) -> FeatureTables:
        return FeatureTables(self.launcher.platform.store, live["metadata"]["namespace"])

    async def _document(
        self, live: Mapping[str, Any], spec: TrainingRunSpec, applied: AppliedRun
    ) -> dict[str, Any]:
        metadata = live["metadata"]
        namespace, name, uid = metadata["namespace"], metadata["name"], metadata["uid"]
        url = self.launcher.platform.operator_url
        manifest = layout.manifest_key(namespace, spec.dataset.name, applied.dataset_version)
        joined = (
            {"join": await self._tables(live).document(spec.join, applied.tables or ())}
            if spec.join
            else {}
        )
        left_out = {"suspend", "template", "join", "retry", "cache"}
        return {
            "apiVersion": RUNNER_API,
            "verb": "train",
            "namespace": namespace,
            "name": name,
            "uid": uid,
            "dataset": {
                "name": spec.dataset.name,
                "version": applied.dataset_version,
                "manifest": manifest,
                "cas": layout.cas_prefix(namespace),
            },
            "spec": spec.model_dump(
                mode="json", by_alias=True, exclude_none=True, exclude=left_out
            ),
            **joined,
            "output": _output(live, _job_name(live, applied)),
            "models": layout.model_prefix(namespace, name),
            "image": applied.image,
            "progress": {"url": url} if url else None,
        }


def _runner_job(live: Mapping[str, Any], spec: TrainingRunSpec, applied: AppliedRun) -> RunnerJob:
    return RunnerJob(
        kind="TrainingRun",
        name=_job_name(live, applied),
        verb="train",
        image=applied.image,
        template=spec.template,
        deadline_seconds=max(1, int(parse_duration(spec.deadline).total_seconds())),
        annotations=annotations(applied),
        retry_limit=spec.retry.limit if spec.retry else None,
        memory=applied.memory,
    )


def _job_name(live: Mapping[str, Any], applied: AppliedRun) -> str:
    return _name(live, applied.memory)


def _name(live: Mapping[str, Any], memory: str | None) -> str:
    metadata = live["metadata"]
    purpose = (metadata["uid"], "memory") if memory else (metadata["uid"],)
    return child_name("TrainingRun", metadata["name"], *purpose)


def _key(live: Mapping[str, Any]) -> Key:
    metadata = live["metadata"]
    return Key("TrainingRun", metadata["namespace"], metadata["name"])


def _output(live: Mapping[str, Any], job_name: str) -> str:
    metadata = live["metadata"]
    return f"{layout.run_prefix(metadata['namespace'], metadata['uid'])}{job_name}/"
