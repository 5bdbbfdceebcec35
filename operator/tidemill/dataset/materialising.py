"""Keeps a Dataset's online store: looks at it now and then, starts Jobs, tells what was found.

What goes wrong here is told in `status.online` and stops nothing else: a version is of use to those
who train whether or not a store has its rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tidemill.api.v1alpha1.dataset import DatasetSpec, Refresh
from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.api.v1alpha1.online_store import FilledStore
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.naming import child_name
from tidemill.children.pods import Diagnosis
from tidemill.children.status import Passing
from tidemill.dataset import online
from tidemill.dataset.decide import DEFAULT_POLL, HEAL_CHECK_SECONDS
from tidemill.dataset.online_metrics import OnlineMetrics
from tidemill.dataset.online_plan import (
    Facts,
    Goal,
    OnlinePlan,
    StartOnline,
    Trouble,
    last,
    mine,
    restored,
    running,
)
from tidemill.dataset.online_probe import OnlineProbe
from tidemill.engine.errors import Stalled
from tidemill.engine.key import Key
from tidemill.jobs.launcher import Launcher
from tidemill.jobs.manifests import RunnerJob
from tidemill.jobs.view import POD_CHECK_AFTER, JobView, Phase
from tidemill.store import layout
from tidemill.store.credentials import Policy, materialise_policy
from tidemill.store.database_addresses import api_server
from tidemill.store.online import Meta, Table
from tidemill.store.online_errors import OnlineError

DEADLINE_SECONDS = 6 * 3600
LEAST_PERIOD_SECONDS = 10.0
RUNNER_API = "runner.tidemill.dev/v1"


@dataclass(frozen=True, slots=True)
class _Look:
    """What a look at the store has found; `basis` is what it was asked about."""

    basis: tuple[str, ...]
    at: datetime
    goal: Goal | None
    found: Meta | Trouble | None


@dataclass(frozen=True, slots=True)
class _Subject:
    """A Dataset as it is reconciled."""

    live: Mapping[str, Any]
    spec: DatasetSpec
    status: DatasetStatus
    store: FilledStore
    requested: bool

    @property
    def key(self) -> Key:
        """Give its key."""
        metadata = self.live["metadata"]
        return Key("Dataset", metadata["namespace"], metadata["name"])

    @property
    def table(self) -> Table:
        """Give where its rows are."""
        return Table(self.key.namespace, self.key.name)

    @property
    def period(self) -> float:
        """Give how often its store is looked at, in seconds."""
        text = (self.spec.refresh or Refresh()).poll_interval or DEFAULT_POLL
        return max(parse_duration(text).total_seconds(), LEAST_PERIOD_SECONDS)

    def basis(self, jobs: tuple[JobView, ...]) -> tuple[str, ...]:
        """Tell one state of what a look depends on from another; a Job that ends is one."""
        ingest = self.status.ingest
        ended = sorted(job.uid for job in jobs if job.phase in (Phase.SUCCEEDED, Phase.FAILED))
        judged = ingest.key if ingest and ingest.outcome else ""
        return (self.status.version or "", self.store.model_dump_json(), judged, *ended)


@dataclass(frozen=True, slots=True)
class Materialising:
    """Keeps the online stores of all Datasets.

    What it has seen is a hint in memory: a new process looks again.
    """

    launcher: Launcher
    metrics: OnlineMetrics
    _looks: dict[Key, _Look] = field(default_factory=dict)

    def forget(self, key: Key) -> None:
        """Let go of a Dataset that is gone, or has no online store any more."""
        self._looks.pop(key, None)
        self.metrics.see(key, None)

    async def keep(
        self,
        live: Mapping[str, Any],
        spec: DatasetSpec,
        status: DatasetStatus,
        *,
        requested: bool,
    ) -> tuple[DatasetStatus, float | None]:
        """Bring the store closer to the version in use; gives when to look again."""
        if spec.online is None or status.version is None:
            return await self._drop(live, status), None
        subject = _Subject(live, spec, status, spec.online, requested)
        jobs = await self._jobs(live)
        facts = await self._facts(subject, jobs)
        plan = online.decide(spec, status.online, facts, self.launcher.context.clock())
        try:
            await self._apply(subject, plan)
        except (Stalled, Passing) as error:
            # Not begun, so that it does not count as a try.
            before = status.online or plan.status.model_copy(update={"attempts": 0})
            told = before.model_copy(update={"reason": error.reason, "message": error.message})
            plan = OnlinePlan(told, wait=HEAL_CHECK_SECONDS)
        self.metrics.see(subject.key, plan.status)
        return status.model_copy(update={"online": plan.status}), plan.wait

    async def _drop(self, live: Mapping[str, Any], status: DatasetStatus) -> DatasetStatus:
        metadata = live["metadata"]
        self.forget(Key("Dataset", metadata["namespace"], metadata["name"]))
        if status.online is None:
            return status
        for job in await self._jobs(live):
            await self.launcher.delete(live, job)
        return status.model_copy(update={"online": None})

    async def _jobs(self, live: Mapping[str, Any]) -> tuple[JobView, ...]:
        return tuple(job for job in await self.launcher.jobs_of(live) if mine(job))

    async def _facts(self, subject: _Subject, jobs: tuple[JobView, ...]) -> Facts:
        look = await self._look(subject, jobs)
        failure = await self._failure(subject.live, jobs, look.goal)
        return Facts(look.goal, look.found, jobs, failure, subject.requested, subject.period)

    async def _look(self, subject: _Subject, jobs: tuple[JobView, ...]) -> _Look:
        now, basis = self.launcher.context.clock(), subject.basis(jobs)
        before = self._looks.get(subject.key)
        period = subject.period
        if before is not None and isinstance(before.found, Trouble):
            period = min(period, HEAL_CHECK_SECONDS)
        if before is not None and before.basis == basis and not subject.requested:
            fresh = (now - before.at).total_seconds() < period
            # While a Job writes, its end is what there is to be seen.
            if fresh or running(jobs):
                return before
        look = await self._asked(subject, basis, now)
        self._looks[subject.key] = look
        return look

    async def _asked(self, subject: _Subject, basis: tuple[str, ...], now: datetime) -> _Look:
        context, platform = self.launcher.context, self.launcher.platform
        networks = context.settings.http_allowed_networks
        probe = OnlineProbe(context.client, platform.store, subject.table, networks)
        goal: Goal | None = None
        found: Meta | Trouble | None
        try:
            goal = await probe.goal(subject.store, subject.status)
            found = await probe.meta(subject.store)
        except OnlineError as error:
            reason = Reason.named(error.reason.value) or Reason.ONLINE_STORE_UNAVAILABLE
            found = Trouble(reason, error.message)
        except (Stalled, Passing) as error:
            found = Trouble(error.reason, error.message)
        return _Look(basis, now, goal, found)

    async def _failure(
        self, live: Mapping[str, Any], jobs: tuple[JobView, ...], goal: Goal | None
    ) -> Diagnosis | None:
        job = running(jobs)
        if job is not None:
            age = (self.launcher.context.clock() - job.created).total_seconds()
            if job.phase is Phase.RUNNING and not job.ready and age >= POD_CHECK_AFTER:
                return await self.launcher.pod_trouble(live, job)
            return None
        job = last(jobs, goal) if goal else None
        if job is None or job.phase is not Phase.FAILED:
            return None
        deadline = f"{DEADLINE_SECONDS // 3600} hours: keep fewer rows with spec.online.ttl"
        return await self.launcher.failure(live, job, deadline)

    async def _apply(self, subject: _Subject, plan: OnlinePlan) -> None:
        launcher, live = self.launcher, subject.live
        if plan.start is not None:
            job, document, policy = self._job(subject, plan.start)
            await launcher.start(live, job, document, policy)
        start = restored(plan.hold, subject.store) if plan.hold else None
        if plan.hold is not None and start is not None:
            job, document, policy = self._job(subject, start)
            await launcher.hold(live, plan.hold, job)
            if launcher.wants_its_secret(plan.hold):
                await launcher.keep_secret(live, job, document, policy)
        for old in plan.delete:
            await launcher.delete(live, old)

    def _job(
        self, subject: _Subject, start: StartOnline
    ) -> tuple[RunnerJob, dict[str, Any], Policy]:
        platform, key = self.launcher.platform, subject.key
        uid = subject.live["metadata"]["uid"]
        name = child_name("Dataset", key.name, uid, "online", str(start.sequence))
        job = RunnerJob(
            kind="Dataset",
            name=name,
            verb="materialise",
            image=platform.runner_image,
            template=subject.spec.template,
            deadline_seconds=DEADLINE_SECONDS,
            source_secret=_secret(subject.store),
            annotations=start.notes,
            outside=True,
        )
        bucket = platform.store_config.bucket
        policy = materialise_policy(bucket, key.namespace, key.name, uid)
        return job, self._document(subject, start, name), policy

    def _document(self, subject: _Subject, start: StartOnline, name: str) -> dict[str, Any]:
        key, goal = subject.key, start.goal
        uid = subject.live["metadata"]["uid"]
        manifest = layout.manifest_key(key.namespace, key.name, goal.version)
        return {
            "apiVersion": RUNNER_API,
            "verb": "materialise",
            "namespace": key.namespace,
            "name": key.name,
            "uid": uid,
            "output": f"{layout.run_prefix(key.namespace, uid)}{name}/",
            "progress": None,
            "cas": layout.cas_prefix(key.namespace),
            "version": {"name": key.name, "version": goal.version, "manifest": manifest},
            "entity": {"key": list(goal.key), "timestamp": goal.timestamp},
            "server": self._server(subject.store),
            "sequence": start.sequence,
            "moment": start.moment,
            "ttl": goal.ttl,
        }

    def _server(self, store: FilledStore) -> dict[str, Any]:
        return {
            "host": store.host,
            "port": store.port,
            "tls": store.tls,
            "secret": _secret(store),
            "allowedNetworks": list(self.launcher.context.settings.http_allowed_networks),
            "apiServer": api_server(),
        }


def _secret(store: FilledStore) -> str | None:
    return store.credentials_ref.name if store.credentials_ref else None
