"""One pass over one TrainingRun: read the world, decide, act, write the status."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from tidemill.api.v1alpha1.conditions import ConditionType
from tidemill.api.v1alpha1.dataset_reference import DatasetReference
from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.api.v1alpha1.run_status import AppliedRun, TrainingRunStatus
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.children.credentials import trouble_of
from tidemill.children.naming import child_name
from tidemill.children.pods import Diagnosis
from tidemill.children.status import StatusWriter, invalid_spec, status_of
from tidemill.engine.key import Key
from tidemill.engine.result import Result
from tidemill.jobs import kueue
from tidemill.jobs.launcher import Launcher
from tidemill.jobs.manifests import RunnerJob
from tidemill.jobs.progress import ProgressBoard
from tidemill.jobs.view import POD_CHECK_AFTER, JobView, Phase
from tidemill.kube.resources import DATASETS, TRAINING_RUNS
from tidemill.store import layout
from tidemill.store.credentials import Policy
from tidemill.store.errors import NotFound, StoreError
from tidemill.training import brought, companions, expiry, given, rights, signer, user_code
from tidemill.training.cache import Cache
from tidemill.training.cache_key import cache_key
from tidemill.training.checkpoints import forget_checkpoint, forget_first_rank, forget_parts
from tidemill.training.decide import CHANGED, LATEST, Plan, decide
from tidemill.training.feature_tables import FeatureTables
from tidemill.training.images import image_of
from tidemill.training.observed import DatasetFacts, Observed
from tidemill.training.pins import annotations, spec_hash
from tidemill.training.record import end_of

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
        if expiry.is_kept_in_spite(live, spec):
            verdict = replace(verdict, message=f"{verdict.message} ({expiry.NOT_STAMPED})")
        await self.writer.write(live, status, verdict)
        self.progress.forget(_key(live))
        left = expiry.seconds_left(live, spec, status, self.launcher.context.clock())
        if left == 0:
            key, uid = _key(live), live["metadata"]["uid"]
            client = self.launcher.context.client
            await client.delete(TRAINING_RUNS, key.namespace, key.name, uid=uid)
        return Result(left or None)

    async def _act(
        self, live: Mapping[str, Any], spec: TrainingRunSpec, status: TrainingRunStatus
    ) -> Result:
        expiry.check(live, spec)
        image, now = image_of(spec, self.launcher.platform), self.launcher.context.clock()
        observed = await self._observe(live, spec, status)
        plan = decide(spec, status, observed, now, image)
        result = observed.result
        if plan.start:
            # Its Job may have ended and gone before anybody looked: one run, one record.
            result = await self.launcher.result(_output(live, _job_name(live, plan.start)))
            if result is None and observed.job is None:
                await self._permit(live, spec, plan.start)
                status = await self._pinned(live, spec, plan)
                result = await self._taken(live, spec, status.applied)
            plan = decide(spec, status, replace(observed, result=result), now, image)
            self.progress.forget(_key(live))
        await self._apply(live, spec, plan, observed.job)
        paused = spec.suspend and observed.job is None
        if (plan.ended or paused) and rights.workers(spec) > 1:
            await self._forget_parts(live, plan.status.applied)
        marks = {"job": _job_name(live, plan.start)} if plan.start else {}
        key = cache_key(spec, plan.status.applied)
        told = plan.status.model_copy(update={**marks, "cache_key": key})
        if plan.ended and result is not None:
            await self._noted(live, told, result)
            if user_code.is_code(spec.estimator):
                await forget_checkpoint(self.launcher.platform.store, _run_prefix(live))
        await self.writer.write(live, told, plan.verdict)
        # Who waits in a queue begins anew: how far its pod had come is not how far it is.
        if plan.ended or observed.waiting:
            self.progress.forget(_key(live))
        # Nothing else may happen to a run that has ended before it is to go.
        left = expiry.seconds_left(live, spec, told, now)
        return Result(plan.requeue_after if left is None else left)

    def _cache(self, live: Mapping[str, Any]) -> Cache:
        return Cache(self.launcher.platform, live["metadata"]["namespace"])

    async def _permit(
        self, live: Mapping[str, Any], spec: TrainingRunSpec, applied: AppliedRun
    ) -> None:
        """Ask before a result is taken, too: also for the memory that the run may come to have."""
        grown = spec.retry.grow_memory if spec.retry else None
        job = _runner_job(live, spec, applied)
        await self.launcher.permit(live, replace(job, memory=grown) if grown else job)

    async def _pinned(
        self, live: Mapping[str, Any], spec: TrainingRunSpec, plan: Plan
    ) -> TrainingRunStatus:
        """Pin how the tables are joined and whose key signs, too.

        Whoever may not join them, or has no key, takes no result either.
        """
        applied = plan.start
        if applied is None:
            return plan.status
        more: dict[str, Any] = {}
        if spec.join is not None:
            tables = await self._tables(live).pinned(spec.join, applied.tables or ())
            more["tables"] = list(tables)
        if spec.signing is not None:
            client, namespace = self.launcher.context.client, live["metadata"]["namespace"]
            more["signing_secret"] = await signer.state(client, namespace, spec.signing)
        return plan.status.model_copy(update={"applied": applied.model_copy(update=more)})

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
        queued = spec.queue_name if job.phase is Phase.SUSPENDED else None
        client, namespace = self.launcher.context.client, live["metadata"]["namespace"]
        waiting = await kueue.waiting(client, namespace, job, queued) if queued else None
        return Observed(
            dataset=None, job=job, result=result, trouble=trouble, report=report, waiting=waiting
        )

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
            found = await self.launcher.failure(live, job, deadline)
            if not user_code.is_code(spec.estimator):
                return found
            return user_code.told(found, sensitive=await self._sensitive(live, spec))
        age = (self.launcher.context.clock() - job.since).total_seconds()
        # Of ranks those are ready that have done their part; the others may lack something.
        idle = job.ready < user_code.parallelism(spec.estimator)
        if job.phase is Phase.RUNNING and idle and age >= POD_CHECK_AFTER:
            return await self.launcher.pod_trouble(live, job)
        return None

    async def _sensitive(self, live: Mapping[str, Any], spec: TrainingRunSpec) -> bool:
        """Tell whether a column of the run's data is not to be shown; code prints what it likes."""
        namespace = live["metadata"]["namespace"]
        joined = spec.join.tables if spec.join else ()
        for name in {spec.dataset.name, *(one.dataset.name for one in joined)}:
            dataset = await self.launcher.context.client.get(DATASETS, namespace, name)
            if dataset is None:
                return True  # nobody knows any more what it held
            declared = (dataset.get("spec") or {}).get("schema") or {}
            if any(column.get("sensitive") for column in declared.get("columns") or ()):
                return True
        return False

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
        together = user_code.parallelism(spec.estimator) > 1
        if together and (plan.ended or spec.suspend):
            await companions.remove(launcher.context.client, live, _name(live, None))
        applied = plan.start or plan.status.applied
        if applied is None or not (plan.start or plan.hold):
            return
        runner_job = _runner_job(live, spec, applied)
        if plan.start:
            namespace = live["metadata"]["namespace"]
            await given.check(launcher.context.client, namespace, spec, runner_job.name)
            await brought.check(launcher.context.client, namespace, spec)
        if together and plan.start:
            await forget_first_rank(launcher.platform.store, _run_prefix(live))
        if together:
            await companions.keep(launcher.context.client, live, _name(live, None))
        if plan.start:
            if rights.workers(spec) > 1:
                await self._forget_parts(live, applied)  # of a Job that was suspended or removed
            document = await self._document(live, spec, applied)
            await launcher.start(live, runner_job, document, self._policy(live, spec, applied))
        elif job is not None and job.phase in (Phase.RUNNING, Phase.SUSPENDED):
            await launcher.hold(live, job, runner_job)
            if launcher.wants_its_secret(job) and plan.requeue_after:
                document = await self._document(live, spec, applied)
                policy = self._policy(live, spec, applied)
                await launcher.keep_secret(live, runner_job, document, policy)

    async def _forget_parts(self, live: Mapping[str, Any], applied: AppliedRun | None) -> None:
        memory = applied.memory if applied else None
        outputs = (_output(live, _name(live, known)) for known in (None, memory))
        await forget_parts(self.launcher.platform.store, outputs)

    def _policy(
        self, live: Mapping[str, Any], spec: TrainingRunSpec, applied: AppliedRun
    ) -> Policy:
        joined = self._tables(live).manifests(applied.tables or ())
        bucket = self.launcher.platform.store_config.bucket
        return rights.policy(bucket, live["metadata"], spec, applied, joined)

    def _tables(self, live: Mapping[str, Any]) -> FeatureTables:
        return FeatureTables(self.launcher.platform.store, live["metadata"]["namespace"])

    async def _document(
        self, live: Mapping[str, Any], spec: TrainingRunSpec, applied: AppliedRun
    ) -> dict[str, Any]:
        metadata = live["metadata"]
        namespace, name, uid = metadata["namespace"], metadata["name"], metadata["uid"]
        url, run = self.launcher.platform.operator_url, layout.run_prefix(namespace, uid)
        manifest = layout.manifest_key(namespace, spec.dataset.name, applied.dataset_version)
        joined = (
            {"join": await self._tables(live).document(spec.join, applied.tables or ())}
            if spec.join
            else {}
        )
        platform = self.launcher.platform
        networks = self.launcher.context.settings.http_allowed_networks
        code = user_code.document(spec.estimator, platform.store_config, networks)
        prefix = layout.checkpoint_prefix(run)
        kept = {"checkpoint": prefix} if user_code.is_code(spec.estimator) else {}
        ranks = companions.ranks(spec, _job_name(live, applied), _name(live, None))
        left_out = {"suspend", "template", "join", "retry", "cache", "signing"}
        left_out |= {"queue_name", "distributed", "ttl_after_finished"}
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
            **({"code": code} if code else {}),
            **kept,
            **({"ranks": ranks.document()} if ranks else {}),
            "workers": rights.workers(spec),
            **brought.document(spec, platform.store_config),
            **signer.document(spec),
            "output": _output(live, _job_name(live, applied)),
            "models": layout.model_prefix(namespace, name),
            "image": applied.image,
            "progress": {"url": url} if url else None,
        }


def _runner_job(live: Mapping[str, Any], spec: TrainingRunSpec, applied: AppliedRun) -> RunnerJob:
    name = _job_name(live, applied)
    ranks = companions.ranks(spec, name, _name(live, None))
    return RunnerJob(
        kind="TrainingRun",
        name=name,
        verb="train",
        image=applied.image,
        template=spec.template,
        deadline_seconds=max(1, int(parse_duration(spec.deadline).total_seconds())),
        annotations=annotations(applied),
        retry_limit=spec.retry.limit if spec.retry else None,
        memory=applied.memory,
        middle=user_code.middle(spec, applied.image, ranks),
        source_secret=user_code.secret(spec.estimator) or brought.credentials(spec),
        queue=spec.queue_name,
        workers=ranks.count if ranks else rights.workers(spec),
        ranks=ranks,
        outside=user_code.is_elsewhere(spec.estimator),
        signing=spec.signing.key_ref if spec.signing else None,
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


def _run_prefix(live: Mapping[str, Any]) -> str:
    return layout.run_prefix(live["metadata"]["namespace"], live["metadata"]["uid"])


def _output(live: Mapping[str, Any], job_name: str) -> str:
    metadata = live["metadata"]
    return f"{layout.run_prefix(metadata['namespace'], metadata['uid'])}{job_name}/"
