"""What to do about a Dataset, given what is true: no I/O, no clock, no chance.

The heart is the ingest key, a hash over the source's spec and its listing. One key is ingested
once: a listing that was ingested is at rest, one that was refused stays refused until it changes
(or the pod's template does, or a reconcile is asked for), one that failed for a fault outside of it
is tried again with growing pauses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tidemill.api.v1alpha1.conditions import (
    MESSAGE_LIMIT,
    Verdict,
    progressing,
    ready,
    stalled,
)
from tidemill.api.v1alpha1.dataset import DatasetSpec, Refresh
from tidemill.api.v1alpha1.dataset_status import (
    DatasetStatus,
    IngestStatus,
    RejectedVersion,
    SourceStatus,
)
from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis
from tidemill.dataset import prepared
from tidemill.dataset.look import remembered, timed
from tidemill.dataset.observed import Listing, Observed, SourceProblem
from tidemill.dataset.outcome import version_fields
from tidemill.dataset.plan import (
    WHY_ANNOTATION,
    Plan,
    StartIngest,
    attempt_of,
    ingest_key,
    job_for,
    template_hash,
)
from tidemill.dataset.timetable import Timetable, timetable_of
from tidemill.jobs.view import POD_CHECK_AFTER, JobView, Phase

MAX_ATTEMPTS = 5
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=5)
HEAL_CHECK_SECONDS = 30.0
DEFAULT_POLL = "1m"
SHORTEST_POLL_SECONDS = 1.0
SCHEDULED = "Scheduled"
RUNNING_CHECK = 60.0  # a node that is lost makes no event
PASSING = {
    Reason.SOURCE_CHANGED,
    Reason.SOURCE_UNAVAILABLE,
    Reason.STORE_UNAVAILABLE,
    Reason.EVICTED,
    Reason.SCRATCH_FULL,
    Reason.NODE_LOST,
    Reason.RESULT_MISSING,
    Reason.CONTAINER_FAILED,
}
# A delivery was read whole and is not wanted.
REJECTED = {Reason.CHECKS_FAILED, Reason.STRUCTURE_CHANGED}
# Somebody must act, but not on the data: the same delivery succeeds once they have.
MENDED_ELSEWHERE = {
    Reason.ACCESS_DENIED,
    Reason.ADDRESS_FORBIDDEN,
    Reason.BUCKET_MISSING,
    Reason.QUERY_INVALID,
    Reason.SOURCE_MISSING,
    Reason.SOURCE_MUTATED,
}


def decide(
    spec: DatasetSpec,
    status: DatasetStatus,
    observed: Observed,
    now: datetime,
    *,
    requested: bool = False,
) -> Plan:
    """Decide; `requested` when the user asks for a reconcile that was not yet honoured."""
    if isinstance(observed.source, SourceProblem):
        return _source_problem(spec, status, observed.source)
    refresh = spec.refresh or Refresh()
    timetable = timetable_of(spec.refresh)
    listing = observed.source or remembered(status)
    case = _Case(spec, status, observed, listing, refresh, timetable, now, requested)
    plan = case.plan() if observed.source else case.between()
    return timed(plan, timetable, observed, now)


def _source_problem(spec: DatasetSpec, status: DatasetStatus, problem: SourceProblem) -> Plan:
    message = problem.message + _still_in_use(status)
    if problem.passing:
        verdict = progressing(problem.reason, message, summary="False")
        return Plan(status, verdict, passing=True)
    if problem.waits:
        return Plan(status, progressing(problem.reason, message))
    wait = min(_poll_seconds(spec.refresh or Refresh()), HEAL_CHECK_SECONDS)
    return Plan(status, stalled(problem.reason, message), requeue_after=wait)


def _poll_seconds(refresh: Refresh) -> float:
    return max(
        parse_duration(refresh.poll_interval or DEFAULT_POLL).total_seconds(), SHORTEST_POLL_SECONDS
    )


def _still_in_use(status: DatasetStatus) -> str:
    return f" (version {status.short_version} stays in use)" if status.version else ""


@dataclass(frozen=True, slots=True)
class _Case:
    """One decision about a source that could be listed."""

    spec: DatasetSpec
    status: DatasetStatus
    observed: Observed
    listing: Listing
    refresh: Refresh
    timetable: Timetable | None
    now: datetime
    requested: bool

    def plan(self) -> Plan:
        key = ingest_key(self.spec, self.listing.mark)
        job = job_for(self.observed.jobs, key)
        ingest = self.status.ingest
        known = ingest if ingest and ingest.key == key else None
        if known and known.outcome == "Succeeded":
            if not (self.listing.weak and (self.requested or self._due())):
                return self._at_rest(job)
            if job is None or attempt_of(job) <= known.attempts:
                return self._start(key, known.attempts + 1)
        if known and known.outcome == "Failed" and not self._anew(known):
            return self._still_refused(known)
        if known and known.outcome == "Failed" and job and job.phase is Phase.SUCCEEDED:
            return self._start(key, attempt_of(job) + 1)  # it was rejected, and is judged anew
        if job is None:
            return self._start_when_settled(key, _next_attempt(known))
        if job.phase is Phase.SUCCEEDED:
            return self._finished(key, job)
        if job.phase is Phase.FAILED:
            return self._failed(key, job)
        return self._running(key, job)

    def between(self) -> Plan:
        """Say again how the last look ended."""
        ingest = self.status.ingest
        if ingest and ingest.outcome == "Failed":
            return self._still_refused(ingest)
        return self._at_rest(None)

    def _due(self) -> bool:
        """Tell whether a time of the schedule waits to be honoured."""
        return bool(self.timetable and self.timetable.due(self.status.last_refresh_time, self.now))

    def _anew(self, ingest: IngestStatus | None) -> bool:
        """Tell whether a delivery that was refused is to be tried again as it is."""
        refused = ingest is not None and ingest.outcome == "Failed"
        template = ingest.template if ingest else None
        again = self.requested or (self.listing.weak and self._due())
        return again or (refused and template != template_hash(self.spec))

    def _but(self, kept: JobView | None) -> tuple[JobView, ...]:
        jobs = self.observed.jobs
        return tuple(job for job in jobs if job != kept and job.phase is not Phase.DELETING)

    def _source(self) -> SourceStatus:
        seen = self.status.source
        same = seen is not None and seen.fingerprint == self.listing.fingerprint
        since = seen.since if seen is not None and same else self.now.replace(microsecond=0)
        return SourceStatus(
            fingerprint=self.listing.fingerprint,
            objects=self.listing.objects,
            bytes=self.listing.bytes,
            since=since,
        )

    def _with(self, **changes: Any) -> DatasetStatus:  # noqa: ANN401 - fields of the status
        return self.status.model_copy(update={"source": self._source(), **changes})

    def _at_rest(self, job: JobView | None) -> Plan:
        message = (
            f"version {self.status.short_version}: {self.status.rows} rows in "
            f"{self.status.objects} object(s)"
        )
        return Plan(self._with(), ready(message), delete=self._but(job), requeue_after=self._poll())

    def _still_refused(self, ingest: IngestStatus) -> Plan:
        reason = Reason.named(ingest.reason) or Reason.MALFORMED_FILE
        message = ingest.message or "the delivery was refused"
        return Plan(self._with(), self._refusal(reason, message), requeue_after=self._poll())

    def _refusal(self, reason: Reason, message: str) -> Verdict:
        """Say that a delivery was refused; one that was read and judged leaves what is in use."""
        if reason in REJECTED and self.status.version:
            told = (
                f"version {self.status.short_version} is in use; a newer delivery was rejected "
                f"({reason}): {message}"
            )
            return ready(told[:MESSAGE_LIMIT], Reason.DELIVERY_REJECTED)
        return stalled(reason, message + _still_in_use(self.status))

    def _start_when_settled(self, key: str, attempt: int = 1) -> Plan:
        source = self._source()
        settle = parse_duration(self.refresh.settle_period)
        if self.listing.ready(settle.total_seconds()):
            return self._start(key, attempt)
        waited = self.now - source.since
        seen_before = self.status.source is not None and source == self.status.source
        if seen_before and waited >= settle:
            return self._start(key, attempt)
        left = max(settle - waited, timedelta(seconds=1))
        message = f"{source.objects} object(s) found; waiting until they have settled"
        verdict = progressing(Reason.SETTLING, message + _still_in_use(self.status))
        return Plan(self._with(), verdict, requeue_after=left.total_seconds())

    def _start(self, key: str, attempt: int) -> Plan:
        listing = self.listing
        message = f"reading {listing.objects} object(s), {listing.bytes} bytes"
        if not listing.objects:
            message = "reading what the source holds, which only its Job sees"
        why = self._why(key)
        scheduled = why == SCHEDULED or None
        return Plan(
            self._with(ingest=IngestStatus(key=key, attempts=attempt, scheduled=scheduled)),
            progressing(Reason.INGESTING, message + _still_in_use(self.status)),
            start=StartIngest(
                key,
                self.listing.fingerprint,
                attempt,
                why,
                self.status.version,
                self.listing.pins,
                self._workers(),
                self.spec.distributed.engine if self.spec.distributed else None,
            ),
            delete=self._but(None),
            requeue_after=POD_CHECK_AFTER,
        )

    def _workers(self) -> int:
        """Say how many pods read the delivery: none that would have no object."""
        spread = self.spec.distributed
        asked = spread.workers if spread else self.spec.parallelism
        return max(1, min(asked, self.listing.objects))

    def _why(self, key: str) -> str:
        """Say what leads to a new version."""
        if self.status.version is None:
            return "Created"
        if self.requested:
            return "Requested"
        ingest = self.status.ingest
        if ingest and ingest.outcome is None and ingest.scheduled:
            return SCHEDULED  # the look that began then goes on
        ingested = ingest.fingerprint if ingest else None
        changed = ingested != self.listing.mark
        if self._due() and (changed or (ingest and ingest.key == key)):
            return SCHEDULED
        return "SourceChanged" if changed else "SpecChanged"

    def _running(self, key: str, job: JobView) -> Plan:
        if job.phase is Phase.DELETING:
            message = f"the Job {job.name} is being removed; another one starts when it is gone"
            verdict = progressing(Reason.INGESTING, message + _still_in_use(self.status))
            return Plan(self._with(), verdict, requeue_after=POD_CHECK_AFTER)
        trouble = self.observed.trouble
        if trouble and trouble.overdue:
            return replace(self._refused(key, job, trouble), delete=self._but(None))
        by = ", which spec.prepare.container prepares" if prepared.container(self.spec) else ""
        reason, message = Reason.INGESTING, f"the Job {job.name} reads the data{by}"
        if trouble is not None:
            reason, message = trouble.reason, trouble.message
        say = stalled if trouble and trouble.needs_somebody else progressing
        return Plan(
            self._with(ingest=self._open(key, job)),
            say(reason, message + _still_in_use(self.status)),
            hold=job,
            delete=self._but(job),
            requeue_after=RUNNING_CHECK if job.ready else POD_CHECK_AFTER,
        )

    def _open(self, key: str, job: JobView, **more: Any) -> IngestStatus:  # noqa: ANN401 - as above
        scheduled = job.annotations.get(WHY_ANNOTATION) == SCHEDULED or None
        return IngestStatus(
            key=key, job=job.name, attempts=attempt_of(job), scheduled=scheduled, **more
        )

    def _finished(self, key: str, job: JobView) -> Plan:
        fields = version_fields(self.status, self.observed.result, self.now)
        if fields is None:
            message = f"the Job {job.name} succeeded but left no result in the store"
            return self._again(key, job, Diagnosis(Reason.RESULT_MISSING, message, job.name))
        if fields["rejected"] is not None:
            return self._rejected(key, job, fields)
        ingest = IngestStatus(
            key=key,
            job=job.name,
            outcome="Succeeded",
            attempts=attempt_of(job),
            fingerprint=self.listing.mark,
        )
        status = self._with(**fields, ingest=ingest)
        message = (
            f"version {status.short_version}: {status.rows} rows in {status.objects} object(s)"
        )
        return Plan(status, ready(message), requeue_after=self._poll())

    def _rejected(self, key: str, job: JobView, fields: Mapping[str, Any]) -> Plan:
        rejected: RejectedVersion = fields["rejected"]
        reason = Reason.named(rejected.reason) or Reason.CHECKS_FAILED
        ingest = self._ended(key, job, reason, rejected.message)
        status = self._with(**fields, ingest=ingest)
        verdict = self._refusal(reason, rejected.message)
        return Plan(status, verdict, requeue_after=self._poll())

    def _ended(self, key: str, job: JobView, reason: Reason, message: str) -> IngestStatus:
        return IngestStatus(
            key=key,
            job=job.name,
            outcome="Failed",
            attempts=attempt_of(job),
            last_failure_time=job.finished,
            reason=reason,
            message=message[:MESSAGE_LIMIT],
            template=template_hash(self.spec),
            fingerprint=self.listing.mark,
        )

    def _failed(self, key: str, job: JobView) -> Plan:
        trouble = self.observed.trouble
        if trouble is None:
            message = f"the Job {job.name} failed and left no word: {job.message}"
            trouble = Diagnosis(Reason.CONTAINER_FAILED, message, job.name, final=True)
        outside = trouble.reason in PASSING | MENDED_ELSEWHERE
        if outside or self._anew(self.status.ingest):
            return self._again(key, job, trouble)
        return self._refused(key, job, trouble)

    def _refused(self, key: str, job: JobView, trouble: Diagnosis) -> Plan:
        ingest = self._ended(key, job, trouble.reason, trouble.message)
        message = trouble.message + _still_in_use(self.status)
        return Plan(
            self._with(ingest=ingest), stalled(trouble.reason, message), requeue_after=self._poll()
        )

    def _again(self, key: str, job: JobView, trouble: Diagnosis) -> Plan:
        attempt = attempt_of(job)
        if self._anew(self.status.ingest):
            return self._start(key, attempt + 1)  # the same delivery had settled before
        elsewhere = trouble.reason in MENDED_ELSEWHERE
        if attempt >= MAX_ATTEMPTS and not elsewhere:
            message = (
                f"{trouble.message}; given up after {attempt} attempts: mend it, then annotate"
            )
            message += " the Dataset with tidemill.dev/reconcile-requested-at"
            return self._refused(key, job, Diagnosis(trouble.reason, message, trouble.pod))
        due = (job.finished or self.now) + min(
            FIRST_PAUSE * 2 ** min(attempt - 1, 10), LONGEST_PAUSE
        )
        if self.now >= due:
            return self._start_when_settled(key, attempt + 1)
        ingest = self._open(key, job, last_failure_time=job.finished)
        wait = (due - self.now).total_seconds()
        bound = "" if elsewhere else f" of {MAX_ATTEMPTS}"
        message = f"{trouble.message}; attempt {attempt + 1}{bound} follows"
        message += _still_in_use(self.status)
        verdict = progressing(trouble.reason, message, summary="False")
        if elsewhere:
            verdict = stalled(trouble.reason, message)
        return Plan(self._with(ingest=ingest), verdict, requeue_after=wait)

    def _poll(self) -> float | None:
        if self.timetable:
            return (self.timetable.after(self.now) - self.now).total_seconds()
        return None if self.listing.settled else _poll_seconds(self.refresh)


def _next_attempt(known: IngestStatus | None) -> int:
    """Go on counting although somebody has removed the last Job."""
    if known is None:
        return 1
    return max(1, known.attempts + (1 if known.outcome == "Failed" else 0))
