"""What to do about a TrainingRun, given what is true: no I/O, no clock, no chance.

A run has one Job, whose name depends on the run alone and whose annotations hold what was pinned
when it started: the data set's version and a hash of the spec. Whatever is forgotten in between,
the Job says what was decided, and when it is gone, the result in the store does. A run that has
ended is a record and is not touched again.

A suspended run has no Job: one that runs is removed, and a new one starts on what was pinned. To
suspend the Job itself would end it for good where its pod does not stop in time. A Job in a queue
of Kueue is suspended and resumed by Kueue, and by nobody else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidemill.api.v1alpha1.conditions import ConditionType, Verdict, progressing, stalled
from tidemill.api.v1alpha1.dataset_reference import DatasetReference
from tidemill.api.v1alpha1.join import JoinedVersion
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.run_status import AppliedRun, Failure, RunProgress, TrainingRunStatus
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.children.pods import Diagnosis
from tidemill.jobs.kueue import Waiting
from tidemill.jobs.progress import Report, format_eta
from tidemill.jobs.view import POD_CHECK_AFTER, JobView, Phase
from tidemill.training import attempts
from tidemill.training.observed import DatasetFacts, Observed
from tidemill.training.pins import pinned, spec_hash
from tidemill.training.record import UNREADABLE, end_of, recorded, short, with_result

LATEST = "latest"
PENDING_CHECK = 30.0
RUNNING_CHECK = 60.0  # a node that is lost makes no event


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, and what the status says then."""

    status: TrainingRunStatus
    verdict: Verdict
    start: AppliedRun | None = None
    hold: bool = False
    stop: bool = False
    requeue_after: float | None = None
    ended: bool = False


def decide(
    spec: TrainingRunSpec,
    status: TrainingRunStatus,
    observed: Observed,
    now: datetime,
    image: str,
) -> Plan:
    """Decide; `image` is the runner image that a Job started now would use."""
    job = observed.job
    if job is None:
        if observed.result is not None and (known := recorded(spec, status, observed.result)):
            return Plan(known, end_of(known), ended=True)
        return _not_started(spec, status, observed, image)
    applied = pinned(job) or status.applied
    if applied is None:
        message = f"the Job {job.name} is not one that Tidemill made: remove it"
        return Plan(status, stalled(Reason.NAME_CONFLICT, message))
    # A run that was given more memory began with the Job before.
    since = status.started_at if applied.memory and status.started_at else job.created
    begun = status.model_copy(update={"applied": applied, "job": job.name, "started_at": since})
    if job.phase is Phase.SUCCEEDED:
        return _succeeded(begun, job, observed.result)
    if job.phase is Phase.FAILED:
        again = _again(spec, begun, applied, observed) or _anew(spec, begun, applied, observed)
        return again or _failed(begun, job, observed.trouble)
    if applied.spec_hash != spec_hash(spec):
        return Plan(begun, stalled(Reason.SPEC_INVALID, CHANGED))
    if observed.trouble is not None and observed.trouble.overdue:
        return _ended_by_us(begun, observed.trouble, now)
    return (
        _stopped(spec, begun, job)
        or _queued(spec, begun, job, observed.waiting)
        or _running(begun, job, observed, now)
    )


def _stopped(spec: TrainingRunSpec, status: TrainingRunStatus, job: JobView) -> Plan | None:
    gone = job.phase is Phase.DELETING
    if spec.suspend:
        stopped = status.model_copy(update={"progress": None})
        verdict = _suspended("its Job is stopped; a new one starts when it is resumed")
        return Plan(stopped, verdict, stop=not gone)
    if gone:
        message = f"the Job {job.name} is being removed; a new one starts when it is gone"
        return Plan(status, progressing(Reason.TRAINING, message), requeue_after=PENDING_CHECK)
    return None


def _queued(
    spec: TrainingRunSpec, status: TrainingRunStatus, job: JobView, waiting: Waiting | None
) -> Plan | None:
    """Say why the Job waits, at first or again after it was preempted; nothing is done to it."""
    if job.phase is not Phase.SUSPENDED or not spec.queue_name:
        return None
    progress = RunProgress(percent=0, message=f"waiting in the queue {spec.queue_name}")
    known = waiting or Waiting(f"the Job {job.name} waits in the queue {spec.queue_name}")
    say = stalled if known.needs_somebody else progressing
    verdict = say(Reason.QUEUED, known.message)
    queued = status.model_copy(update={"progress": progress})
    return Plan(queued, verdict, hold=True, requeue_after=PENDING_CHECK)


def _again(
    spec: TrainingRunSpec, status: TrainingRunStatus, applied: AppliedRun, observed: Observed
) -> Plan | None:
    """Try once more with more memory, if that was missing and the spec allows it."""
    trouble, start = observed.trouble, attempts.with_more_memory(spec, applied, observed.trouble)
    if start is None or trouble is None or applied.spec_hash != spec_hash(spec):
        return None
    if spec.suspend:
        return Plan(status, _suspended("the next attempt starts when it is resumed"))
    progress = RunProgress(percent=0, message="starting again")
    counted = attempts.after(status, trouble)
    begun = counted.model_copy(update={"applied": start, "progress": progress})
    message = f"starts again with {start.memory} of memory: {trouble.message}"
    verdict = progressing(Reason.TRAINING, message)
    return Plan(begun, verdict, start=start, requeue_after=POD_CHECK_AFTER)


def _anew(
    spec: TrainingRunSpec, status: TrainingRunStatus, applied: AppliedRun, observed: Observed
) -> Plan | None:
    """Remove a Job whose pod was killed from outside: another follows when it is gone."""
    trouble = observed.trouble
    if trouble is None or not attempts.killed(trouble) or applied.spec_hash != spec_hash(spec):
        return None
    counted = attempts.once_more(spec, status, trouble)
    if counted is None:
        return None
    begun = counted.model_copy(
        update={"progress": RunProgress(percent=0, message="starting again")}
    )
    verdict = progressing(Reason.TRAINING, f"starts again: {trouble.message}")
    if spec.suspend:
        verdict = _suspended("the next attempt starts when it is resumed")
    return Plan(begun, verdict, stop=True, requeue_after=PENDING_CHECK)


CHANGED = (
    "the spec was changed after the run had started: a run is a record; take the change back, or "
    "create a new TrainingRun"
)


def _not_started(
    spec: TrainingRunSpec, status: TrainingRunStatus, observed: Observed, image: str
) -> Plan:
    if spec.suspend:
        return Plan(status, _suspended("no Job is started"))
    applied = status.applied
    if applied is not None and applied.spec_hash != spec_hash(spec):
        return Plan(status, stalled(Reason.SPEC_INVALID, CHANGED))
    if wrong := attempts.too_small(spec):
        return Plan(status, stalled(Reason.SPEC_INVALID, wrong))
    # A Job that somebody deleted starts again on what was pinned, whatever is the latest now.
    found = applied or _found(spec, observed)
    if isinstance(found, Verdict):
        return Plan(status, found)
    start = found.model_copy(update={"image": image, "spec_hash": spec_hash(spec)})
    message = f"starts on version {short(start.dataset_version)} of Dataset {spec.dataset.name}"
    verdict = progressing(Reason.TRAINING, message)
    progress = RunProgress(percent=0, message="starting")
    begun = status.model_copy(update={"applied": start, "progress": progress})
    return Plan(begun, verdict, start=start, requeue_after=POD_CHECK_AFTER)


def _found(spec: TrainingRunSpec, observed: Observed) -> AppliedRun | Verdict:
    """Find the versions meant; the rest of what is applied is filled in at the start."""
    version = _version("spec.dataset", spec.dataset, observed.dataset)
    if isinstance(version, Verdict):
        return version
    tables: list[JoinedVersion] = []
    for place, table in enumerate(spec.join.tables if spec.join else ()):
        field = f"spec.join.tables[{place}].dataset"
        theirs = _version(field, table.dataset, observed.tables[place])
        if isinstance(theirs, Verdict):
            return theirs
        tables.append(JoinedVersion(name=table.dataset.name, version=theirs))
    return AppliedRun(dataset_version=version, tables=tables or None, image="", spec_hash="")


def _version(field: str, wanted: DatasetReference, found: DatasetFacts | None) -> str | Verdict:
    name = wanted.name
    if found is None:
        message = f"{field}.name: there is no Dataset {name} in this namespace yet: create it"
        return progressing(Reason.WAITING_FOR_DATASET, message)
    if wanted.version != LATEST:
        if found.has_version:
            return wanted.version
        message = (
            f"{field}.version: Dataset {name} has no version {short(wanted.version)}: see "
            f"`kubectl get tmds {name} -o jsonpath={{.status.versions}}`"
        )
        return stalled(Reason.VERSION_NOT_FOUND, message)
    if found.latest is None:
        message = f"{field}: Dataset {name} has no version yet: see `kubectl describe tmds {name}`"
        return progressing(Reason.WAITING_FOR_DATASET, message)
    return found.latest


def _suspended(what: str) -> Verdict:
    return Verdict("Unknown", Reason.SUSPENDED, f"spec.suspend is true: {what}")


def _running(status: TrainingRunStatus, job: JobView, observed: Observed, now: datetime) -> Plan:
    trouble = observed.trouble
    status = attempts.while_it_runs(status, trouble)
    if trouble is not None and not trouble.aside:
        say = stalled if trouble.needs_somebody else progressing
        verdict = say(trouble.reason, trouble.message)
        return Plan(status, verdict, hold=True, requeue_after=PENDING_CHECK)
    # How the pod before ended is told as an attempt.
    beside = trouble.message if trouble and not trouble.final else ""
    which = "; ".join(told for told in (attempts.told(status), beside) if told)
    message = f"the Job {job.name} trains" + (f": {which}" if which else "")
    verdict = progressing(Reason.TRAINING, message)
    due = POD_CHECK_AFTER - (now - job.since).total_seconds()
    wait = RUNNING_CHECK if job.ready else due if due > 0 else PENDING_CHECK
    works = bool(job.ready or trouble)
    status = status.model_copy(update={"progress": _progress(status, works, observed.report)})
    return Plan(status, verdict, hold=True, requeue_after=wait)


def _progress(status: TrainingRunStatus, works: bool, report: Report | None) -> RunProgress:
    if report is not None:
        return RunProgress(
            percent=report.percent,
            message=report.message,
            eta=format_eta(report.eta_seconds),
            step=report.step,
            metric=report.metric,
        )
    if not works:
        return RunProgress(percent=0, message="waiting for the pod")
    # After a restart of the operator nothing is known until the next report.
    known = status.progress
    return known if known and known.percent else RunProgress(percent=0, message="started")


def _succeeded(status: TrainingRunStatus, job: JobView, result: Mapping[str, Any] | None) -> Plan:
    try:
        if result is None:
            raise KeyError(job.name)
        ended = with_result(status, result).model_copy(update={"completed_at": job.finished})
    except UNREADABLE:
        message = f"the Job {job.name} succeeded but left no result in the store: run it again"
        return _failed(status, job, Diagnosis(Reason.RESULT_MISSING, message, job.name))
    return Plan(ended, end_of(ended), ended=True)


def _failed(status: TrainingRunStatus, job: JobView, trouble: Diagnosis | None) -> Plan:
    if trouble is None:
        message = f"the Job {job.name} failed and left no word: {job.message}"
        trouble = Diagnosis(Reason.CONTAINER_FAILED, message, job.name)
    status = attempts.at_the_end(status, trouble)
    message = trouble.message + (f" ({attempts.told(status)})" if status.attempt else "")
    if trouble.reason is Reason.DEADLINE_EXCEEDED:
        # Its pods are gone, and with them all that could tell what took so long.
        message += _stood_at(status)
    failure = Failure(
        reason=trouble.reason,
        message=message[:4096],
        exit_code=trouble.exit_code,
        log=list(trouble.log) or None,
    )
    ended = status.model_copy(
        update={"failure": failure, "progress": None, "completed_at": job.finished}
    )
    return Plan(ended, end_of(ended), ended=True)


def _ended_by_us(status: TrainingRunStatus, trouble: Diagnosis, now: datetime) -> Plan:
    """End a run whose Job would try again what cannot end otherwise."""
    failure = Failure(reason=trouble.reason, message=trouble.message[:4096])
    ended = status.model_copy(
        update={"failure": failure, "progress": None, "completed_at": now.replace(microsecond=0)}
    )
    return Plan(ended, end_of(ended), stop=True, ended=True)


def _stood_at(status: TrainingRunStatus) -> str:
    last = next((c for c in status.conditions if c.type == ConditionType.SUCCEEDED), None)
    if last is not None and last.reason != Reason.TRAINING:
        return f"; last seen: {last.message}"
    progress = status.progress
    return f"; last seen: {progress.percent} %, {progress.message}" if progress else ""
