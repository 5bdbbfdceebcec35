"""What to do about a TrainingRun, given what is true: no I/O, no clock, no chance.

A run has one Job, whose name depends on the run alone and whose annotations hold what was pinned
when it started: the data set's version and a hash of the spec. Whatever is forgotten in between,
the Job says what was decided, and when it is gone, the result in the store does. A run that has
ended is a record and is not touched again.

A suspended run has no Job: one that runs is removed, and a new one starts on what was pinned. To
suspend the Job itself would end it for good where its pod does not stop in time.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidemill.api.v1alpha1.conditions import ConditionType, Verdict, progressing, ready, stalled
from tidemill.api.v1alpha1.dataset_reference import DatasetReference
from tidemill.api.v1alpha1.join import JoinedVersion
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.run_cache import CachedFrom
from tidemill.api.v1alpha1.training_run import (
    AppliedRun,
    Artifact,
    Failure,
    MetricValue,
    RunProgress,
    TrainingRunSpec,
    TrainingRunStatus,
)
from tidemill.children.pods import Diagnosis
from tidemill.jobs.progress import Report, format_eta
from tidemill.jobs.view import POD_CHECK_AFTER, JobView, Phase, parse_time
from tidemill.store.digests import canonical_json
from tidemill.training import attempts, judgement, searched
from tidemill.training.observed import DatasetFacts, Observed

VERSION_ANNOTATION = "tidemill.dev/dataset-version"
SPEC_HASH_ANNOTATION = "tidemill.dev/spec-hash"
IMAGE_ANNOTATION = "tidemill.dev/runner-image"
TABLES_ANNOTATION = "tidemill.dev/joined-versions"
MEMORY_ANNOTATION = "tidemill.dev/memory"
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


def spec_hash(spec: TrainingRunSpec) -> str:
    """Hash what makes the run what it is: all but whether it is suspended."""
    # Defaults are left out: a field that comes with a later version changes no hash.
    content = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    content.pop("suspend", None)
    return hashlib.sha256(canonical_json(content)).hexdigest()[:16]


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
        if observed.result is not None and (known := _recorded(spec, status, observed.result)):
            return known
        return _not_started(spec, status, observed, image)
    applied = _pinned(job) or status.applied
    if applied is None:
        message = f"the Job {job.name} is not one that Tidemill made: remove it"
        return Plan(status, stalled(Reason.NAME_CONFLICT, message))
    # A run that was given more memory began with the Job before.
    since = status.started_at if applied.memory and status.started_at else job.created
    begun = status.model_copy(update={"applied": applied, "job": job.name, "started_at": since})
    if job.phase is Phase.SUCCEEDED:
        return _succeeded(begun, job, observed.result)
    if job.phase is Phase.FAILED:
        again = _again(spec, begun, applied, observed)
        return again or _failed(begun, job, observed.trouble)
    if applied.spec_hash != spec_hash(spec):
        return Plan(begun, stalled(Reason.SPEC_INVALID, CHANGED))
    return _stopped(spec, begun, job) or _running(begun, job, observed, now)


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


CHANGED = (
    "the spec was changed after the run had started: a run is a record; take the change back, or "
    "create a new TrainingRun"
)


def _pinned(job: JobView) -> AppliedRun | None:
    notes = job.annotations
    if not {VERSION_ANNOTATION, IMAGE_ANNOTATION, SPEC_HASH_ANNOTATION} <= notes.keys():
        return None
    return AppliedRun(
        dataset_version=notes[VERSION_ANNOTATION],
        tables=_joined(json.loads(notes.get(TABLES_ANNOTATION, "null"))),
        image=notes[IMAGE_ANNOTATION],
        spec_hash=notes[SPEC_HASH_ANNOTATION],
        memory=notes.get(MEMORY_ANNOTATION),
    )


def annotations(applied: AppliedRun) -> dict[str, str]:
    """Give what a Job bears, so that a forgotten status is known again."""
    tables = [one.to_dict() for one in applied.tables or ()]
    return {
        VERSION_ANNOTATION: applied.dataset_version,
        SPEC_HASH_ANNOTATION: applied.spec_hash,
        IMAGE_ANNOTATION: applied.image,
        **({TABLES_ANNOTATION: json.dumps(tables, separators=(",", ":"))} if tables else {}),
        **({MEMORY_ANNOTATION: applied.memory} if applied.memory else {}),
    }


def _joined(noted: list[Mapping[str, Any]] | None) -> list[JoinedVersion] | None:
    return [JoinedVersion.model_validate(one) for one in noted] if noted else None


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
    due = POD_CHECK_AFTER - (now - job.created).total_seconds()
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


def _recorded(
    spec: TrainingRunSpec, status: TrainingRunStatus, result: Mapping[str, Any]
) -> Plan | None:
    """Take the result of a Job that is gone: it had ended before anybody looked."""
    try:
        applied = status.applied or AppliedRun(
            dataset_version=result["datasetVersion"],
            tables=_joined(result.get("join")),
            image=result.get("image", ""),
            spec_hash=spec_hash(spec),
        )
        times = {
            "started_at": status.started_at or parse_time(result["startedAt"]),
            "completed_at": parse_time(result["completedAt"]),
        }
        ended = _with_result(status.model_copy(update={"applied": applied, **times}), result)
    except _UNREADABLE:
        return None
    return Plan(ended, end_of(ended), ended=True)


# What reading a document that is not as it should be can raise.
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)


def _succeeded(status: TrainingRunStatus, job: JobView, result: Mapping[str, Any] | None) -> Plan:
    try:
        if result is None:
            raise KeyError(job.name)
        ended = _with_result(status, result).model_copy(update={"completed_at": job.finished})
    except _UNREADABLE:
        message = f"the Job {job.name} succeeded but left no result in the store: run it again"
        return _failed(status, job, Diagnosis(Reason.RESULT_MISSING, message, job.name))
    return Plan(ended, end_of(ended), ended=True)


def _with_result(status: TrainingRunStatus, result: Mapping[str, Any]) -> TrainingRunStatus:
    if result["outcome"] != "Succeeded":
        raise ValueError(result["outcome"])
    metrics = [_metric(entry) for entry in result["metrics"]]
    cached_from = result.get("cachedFrom")
    return status.model_copy(
        update={
            "metrics": metrics,
            "score": f"{metrics[0].name}={short_number(metrics[0].value)}" if metrics else None,
            "judgement": judgement.summary(result.get("judgement")),
            "search": searched.summary(result.get("search")),
            "artifact": Artifact.model_validate(result["artifact"]),
            "report": result.get("report"),
            "progress": RunProgress(percent=100, message="done"),
            "failure": None,
            "cached_from": cached_from and CachedFrom.model_validate(cached_from),
        }
    )


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


def _stood_at(status: TrainingRunStatus) -> str:
    last = next((c for c in status.conditions if c.type == ConditionType.SUCCEEDED), None)
    if last is not None and last.reason != Reason.TRAINING:
        return f"; last seen: {last.message}"
    progress = status.progress
    return f"; last seen: {progress.percent} %, {progress.message}" if progress else ""


def end_of(status: TrainingRunStatus) -> Verdict:
    """Say how a run ended, from its record."""
    if status.failure is not None:
        reason = Reason.named(status.failure.reason) or Reason.INTERNAL_ERROR
        return stalled(reason, status.failure.message)
    version = f"model {short(status.artifact.digest)}" if status.artifact else "it ended"
    score = f", {status.score}" if status.score else ""
    source = status.cached_from
    taken = f": of TrainingRun {source.name}, which had the same inputs" if source else ""
    doubts = judgement.words(status.judgement)
    told = f"{version}{score}{taken}{'; ' if doubts else ''}{doubts}"
    return ready(told, Reason.SUCCEEDED)


def _metric(entry: Mapping[str, Any]) -> MetricValue:
    return MetricValue(
        name=str(entry["name"]),
        value=decimal(entry["value"]),
        low=None if entry.get("low") is None else decimal(entry["low"]),
        high=None if entry.get("high") is None else decimal(entry["high"]),
        rows=int(entry["n"]),
    )


def decimal(value: float) -> str:
    """Write a number with six significant digits, as status holds it."""
    return f"{value:.6g}"


def short_number(text: str) -> str:
    """Write a decimal with three significant digits, as a table shows it."""
    return f"{float(text):.3g}"


def short(digest: str) -> str:
    """Give the first twelve digits of a digest, as tables show it."""
    return digest.removeprefix("sha256:")[:12]
