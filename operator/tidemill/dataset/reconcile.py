"""One pass over one Dataset: read the world, decide, act, write the status."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from tidemill.api.v1alpha1.conditions import ConditionType, Verdict, ready
from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.credentials import trouble_of
from tidemill.children.naming import child_name
from tidemill.children.pods import Diagnosis
from tidemill.children.status import (
    Passing,
    StatusWriter,
    invalid_spec,
    requested_at,
    status_of,
)
from tidemill.dataset import online, online_plan, policies, prepared, references
from tidemill.dataset.decide import decide
from tidemill.dataset.gate import Gate
from tidemill.dataset.look import looks
from tidemill.dataset.materialising import Materialising
from tidemill.dataset.observe import list_source
from tidemill.dataset.observed import Listing, Observed, SourceProblem
from tidemill.dataset.origin import Origin
from tidemill.dataset.plan import (
    ATTEMPT_ANNOTATION,
    ENGINE_ANNOTATION,
    FINGERPRINT_ANNOTATION,
    KEY_ANNOTATION,
    PREVIOUS_ANNOTATION,
    WHY_ANNOTATION,
    WORKERS_ANNOTATION,
    Plan,
    StartIngest,
    attempt_of,
    ingest_key,
    job_for,
    workers_of,
)
from tidemill.dataset.references import PINS_ANNOTATION, Pin
from tidemill.dataset.shelves import Shelves
from tidemill.dataset.upstream import Beside, Datasets
from tidemill.engine.errors import Stalled
from tidemill.engine.key import Key
from tidemill.engine.result import Result
from tidemill.jobs.launcher import Launcher
from tidemill.jobs.manifests import RunnerJob
from tidemill.jobs.view import POD_CHECK_AFTER, JobView, Phase
from tidemill.kube.resources import DATASETS
from tidemill.store import layout
from tidemill.store.credentials import Policy, ingest_policy, with_manifests, with_parts
from tidemill.store.errors import StoreError

INGEST_DEADLINE_SECONDS = 6 * 3600
RUNNER_API = "runner.tidemill.dev/v1"


@dataclass(frozen=True, slots=True)
class DatasetReconciler:
    """Reconciles Datasets."""

    launcher: Launcher
    gate: Gate
    shelves: Shelves
    materialising: Materialising

    @property
    def writer(self) -> StatusWriter:
        """Give the writer of this kind's status."""
        return StatusWriter(self.launcher.context, DATASETS, ConditionType.READY)

    async def reconcile(self, key: Key) -> Result:
        """Bring one Dataset closer to its spec."""
        live = await self.launcher.context.client.get(DATASETS, key.namespace, key.name)
        if live is None or live["metadata"].get("deletionTimestamp"):
            self.materialising.forget(key)
            return Result.done()
        status = status_of(DatasetStatus, live)
        try:
            spec = DatasetSpec.model_validate(live["spec"])
        except ValidationError as error:
            await self.writer.write(live, status, invalid_spec(error))
            return Result.done()
        if spec.suspend:
            status = status.model_copy(update={"next_refresh_time": None})
            await self.writer.write(live, status, _suspended(status))
            return Result.done()
        token = requested_at(live)
        requested = token is not None and token != status.last_handled_reconcile_at
        # First, and whatever comes of the source: the version in use is what is looked up.
        keep = self.materialising.keep
        status, wait = await keep(live, spec, status, requested=requested)
        work = self._act(live, spec, status, requested=requested)
        return sooner(await self.writer.guard(live, status, work), wait)

    async def _act(
        self,
        live: Mapping[str, Any],
        spec: DatasetSpec,
        status: DatasetStatus,
        *,
        requested: bool,
    ) -> Result:
        context = self.launcher.context
        observed, began = Observed(source=None), context.clock()
        if looks(spec, status, began, requested=requested):
            observed = replace(await self._observe(live, spec, status), began=began)
        plan = decide(spec, status, observed, context.clock(), requested=requested)
        if plan.passing:
            raise Passing(plan.verdict.reason, plan.verdict.message)
        await self._apply(live, spec, plan)
        key = Key("Dataset", live["metadata"]["namespace"], live["metadata"]["name"])
        told = self.shelves.told(key, plan.status, asked=spec.retention is not None)
        noted = await self._noted(live, spec, told)
        newer = spec.online is not None and noted.version != status.version
        noted = online.overtaken(noted) if newer else noted
        await self.writer.write(live, noted, online.told(plan.verdict, noted.online))
        return sooner(Result(plan.requeue_after), online_plan.SOON if newer else None)

    async def _noted(
        self, live: Mapping[str, Any], spec: DatasetSpec, status: DatasetStatus
    ) -> DatasetStatus:
        """Note in the store what is to become of the versions when the Dataset is gone."""
        if status.deletion_policy == spec.deletion_policy:
            return status
        try:
            store = self.launcher.platform.store
            await policies.write(store, live["metadata"], spec.deletion_policy)
        except StoreError as error:
            if status.version is None:
                return status  # nothing is lost yet, and the ingest will say what is wrong
            raise trouble_of(error) from error
        return status.model_copy(update={"deletion_policy": spec.deletion_policy})

    async def _observe(
        self, live: Mapping[str, Any], spec: DatasetSpec, status: DatasetStatus
    ) -> Observed:
        launcher = self.launcher
        jobs = tuple(job for job in await launcher.jobs_of(live) if not online_plan.mine(job))
        key = Key("Dataset", live["metadata"]["namespace"], live["metadata"]["name"])
        source = await list_source(launcher.context, launcher.platform, key, spec, status)
        if isinstance(source, Listing):
            datasets = Datasets(launcher.context, key)
            source = await Beside(datasets, launcher.platform.store, spec).pin(source, status)
        if isinstance(source, SourceProblem):
            return Observed(source=source, jobs=jobs)
        job = job_for(jobs, ingest_key(spec, source.mark))
        result = await self._result(live, job) if job else None
        trouble = await self._trouble(live, spec, job) if job else None
        return Observed(source=source, jobs=jobs, result=result, trouble=trouble)

    async def _result(self, live: Mapping[str, Any], job: JobView) -> Mapping[str, Any] | None:
        if job.phase is not Phase.SUCCEEDED:
            return None
        return await self.launcher.result(_output(live, job.name))

    async def _trouble(
        self, live: Mapping[str, Any], spec: DatasetSpec, job: JobView
    ) -> Diagnosis | None:
        if job.phase is Phase.FAILED:
            lessening = self._origin(live, spec).lessening
            more = " and spec.prepare.deadline" if prepared.container(spec) else ""
            deadline = f"{INGEST_DEADLINE_SECONDS // 3600} hours{more}: {lessening}"
            return prepared.told(spec, await self.launcher.failure(live, job, deadline))
        age = (self.launcher.context.clock() - job.created).total_seconds()
        if job.phase is Phase.RUNNING and not job.ready and age >= POD_CHECK_AFTER:
            return await self.launcher.pod_trouble(live, job, prepared.limit(spec))
        return None

    async def _apply(self, live: Mapping[str, Any], spec: DatasetSpec, plan: Plan) -> None:
        await self._do(live, spec, plan)
        # Last: while the Job before is there, it says which attempt comes next.
        for old in plan.delete:
            await self.launcher.delete(live, old)

    async def _do(self, live: Mapping[str, Any], spec: DatasetSpec, plan: Plan) -> None:
        work = plan.start or (_again(spec, plan.hold) if plan.hold else None)
        if work is None:
            return
        origin = self._origin(live, spec)
        job, document = self._runner_job(live, spec, work, origin)
        metadata = live["metadata"]
        policy = _policy(self.launcher.platform.store_config.bucket, metadata, work, origin)
        if not policy.fits:
            message = (
                f"spec names {len(work.pins)} versions of other Datasets, more than the keys of "
                "one Job can be cut to: name fewer in spec.prepare.inputs and spec.checks"
            )
            raise Stalled(Reason.SPEC_INVALID, message)
        if plan.start:
            async with self.gate.ingest(metadata["namespace"]):
                await self.launcher.start(live, job, document, policy)
        elif plan.hold:
            await self.launcher.hold(live, plan.hold, job)
            if self.launcher.wants_its_secret(plan.hold):
                await self.launcher.keep_secret(live, job, document, policy)

    def _origin(self, live: Mapping[str, Any], spec: DatasetSpec) -> Origin:
        launcher = self.launcher
        return Origin(
            spec,
            live["metadata"]["namespace"],
            launcher.platform.store_config,
            launcher.context.settings.http_allowed_networks,
        )

    def _runner_job(
        self, live: Mapping[str, Any], spec: DatasetSpec, start: StartIngest, origin: Origin
    ) -> tuple[RunnerJob, dict[str, Any]]:
        metadata, platform = live["metadata"], self.launcher.platform
        namespace, name, uid = metadata["namespace"], metadata["name"], metadata["uid"]
        job_name = child_name("Dataset", name, uid, start.key, str(start.attempt))
        document = {
            "apiVersion": RUNNER_API,
            "verb": "ingest",
            "namespace": namespace,
            "name": name,
            "uid": uid,
            "source": origin.document(start.fingerprint),
            "fingerprint": start.fingerprint,
            "output": _output(live, job_name),
            "manifests": layout.manifests_prefix(namespace, name),
            "cas": layout.cas_prefix(namespace),
            "copies": spec.pin == "Copy",
            "progress": None,
            "why": start.why,
            "previous": start.previous,
            **_asked(spec, start.pins, namespace),
            **({"workers": start.workers} if start.workers > 1 else {}),
            **({"engine": start.engine} if start.engine else {}),
        }
        job = RunnerJob(
            kind="Dataset",
            name=job_name,
            verb="ingest",
            image=platform.runner_image,
            template=spec.template,
            deadline_seconds=INGEST_DEADLINE_SECONDS + int(prepared.limit(spec) or 0),
            workers=start.workers,
            middle=prepared.middle(spec),
            source_secret=origin.secret,
            source_claim=origin.claim,
            outside=origin.outside,
            annotations={
                KEY_ANNOTATION: start.key,
                ATTEMPT_ANNOTATION: str(start.attempt),
                FINGERPRINT_ANNOTATION: start.fingerprint,
                WHY_ANNOTATION: start.why,
                PREVIOUS_ANNOTATION: start.previous or "",
                **({PINS_ANNOTATION: references.noted(start.pins)} if start.pins else {}),
                **({WORKERS_ANNOTATION: str(start.workers)} if start.workers > 1 else {}),
                **({ENGINE_ANNOTATION: start.engine} if start.engine else {}),
            },
        )
        return job, document


def sooner(result: Result, wait: float | None) -> Result:
    """Give the earlier of two times to look again."""
    times = [one for one in (result.requeue_after, wait) if one is not None]
    return Result(min(times, default=None))


def _policy(bucket: str, metadata: Mapping[str, Any], work: StartIngest, origin: Origin) -> Policy:
    """Say what the keys of a Job open."""
    namespace, uid = metadata["namespace"], metadata["uid"]
    policy = ingest_policy(bucket, namespace, metadata["name"], uid)
    if work.workers > 1:
        policy = with_parts(policy, layout.run_prefix(namespace, uid))
    return with_manifests(policy, namespace, _manifests(origin, work, namespace))


def _manifests(origin: Origin, work: StartIngest, namespace: str) -> list[str]:
    """Name the manifests of other Datasets that a Job reads."""
    source = origin.upstream_manifest(work.fingerprint)
    return [*([source] if source else []), *(pin.manifest(namespace) for pin in work.pins)]


def _asked(spec: DatasetSpec, pins: tuple[Pin, ...], namespace: str) -> dict[str, Any]:
    """Say what is asked of the rows, for the input document."""
    asked = {"schema_", "checks", "describe", "entity"}
    document = spec.model_dump(mode="json", by_alias=True, exclude_none=True, include=asked)
    if spec.prepare:
        document["prepare"] = prepared.document(spec.prepare)
    references.fill(document, pins, namespace)
    return document


def _again(spec: DatasetSpec, job: JobView) -> StartIngest:
    """Say again what a Job was started for."""
    notes = job.annotations
    return StartIngest(
        notes[KEY_ANNOTATION],
        notes.get(FINGERPRINT_ANNOTATION, ""),
        attempt_of(job),
        notes.get(WHY_ANNOTATION, "Created"),
        notes.get(PREVIOUS_ANNOTATION) or None,
        references.restored(spec, notes.get(PINS_ANNOTATION)),
        workers_of(job),
        notes.get(ENGINE_ANNOTATION),
    )


def _output(live: Mapping[str, Any], job_name: str) -> str:
    metadata = live["metadata"]
    return f"{layout.run_prefix(metadata['namespace'], metadata['uid'])}{job_name}/"


def _suspended(status: DatasetStatus) -> Verdict:
    message = "spec.suspend is true: the source is not looked at"
    if status.version:
        return ready(f"{message}; version {status.short_version} stays in use", Reason.SUSPENDED)
    return Verdict("Unknown", Reason.SUSPENDED, message)
