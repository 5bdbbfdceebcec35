"""What to do about a Dataset's online store, given what is true: no I/O, no clock, no chance.

Truth is what the store itself tells of its rows, so that one that was emptied is filled again. A
Job that writes is let be when a newer version comes: what it has written is built upon. One that
writes elsewhere, or in another shape, is ended. Failures are met as those of an ingest are.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidemill.api.v1alpha1.conditions import MESSAGE_LIMIT, Verdict, ready
from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.online_store import OnlineStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.dataset.decide import (
    FIRST_PAUSE,
    HEAL_CHECK_SECONDS,
    LONGEST_PAUSE,
    MAX_ATTEMPTS,
    MENDED_ELSEWHERE,
    PASSING,
    RUNNING_CHECK,
)
from tidemill.dataset.online_plan import (
    GOAL_ANNOTATION,
    SOON,
    Facts,
    Goal,
    OnlinePlan,
    StartOnline,
    Trouble,
    due_time,
    last,
    restored,
    running,
    sequence_of,
    time_of,
)
from tidemill.dataset.plan import attempt_of, template_hash
from tidemill.jobs.view import POD_CHECK_AFTER, JobView, Phase
from tidemill.store import online
from tidemill.store.online import Meta

MOST_LOST = 3
# Failures that are over when somebody has acted on the store or the Secret.
MENDED = MENDED_ELSEWHERE | {Reason.ONLINE_STORE_FULL}
TRIED_AGAIN = PASSING | {Reason.ONLINE_STORE_UNAVAILABLE}


def told(verdict: Verdict, status: OnlineStatus | None) -> Verdict:
    """Say beside a version in use that the online store is behind, where it does not get on."""
    if status is None or status.reason in (Reason.READY, Reason.MATERIALISING):
        return verdict
    if verdict.reason is not Reason.READY:
        return verdict
    message = f"{verdict.message}; online: {status.message}"
    return ready(message[:MESSAGE_LIMIT], Reason.ONLINE_STORE_BEHIND)


def overtaken(status: DatasetStatus) -> DatasetStatus:
    """Say at once that the store has not what has just become the version in use."""
    if status.online is None or status.online.version == status.version:
        return status
    news = {"reason": Reason.MATERIALISING, "message": "there is a newer version"}
    return status.model_copy(update={"online": status.online.model_copy(update=news)})


def decide(
    spec: DatasetSpec, before: OnlineStatus | None, facts: Facts, now: datetime
) -> OnlinePlan:
    """Decide, for a spec that names a store."""
    blank = OnlineStatus(reason=Reason.MATERIALISING, message="")
    return _Case(spec, before or blank, facts, now).plan()


@dataclass(frozen=True, slots=True)
class _Case:
    """One decision."""

    spec: DatasetSpec
    before: OnlineStatus
    facts: Facts
    now: datetime

    def plan(self) -> OnlinePlan:
        jobs, goal = self.facts.jobs, self.facts.goal
        job = running(jobs)
        if job is not None:
            start = restored(job, self.spec.online)
            if start is None or (goal is not None and goal.shape != start.goal.shape):
                message = f"the Job {job.name} writes what is not wanted any more, and is ended"
                return OnlinePlan(self._with(Reason.MATERIALISING, message), delete=(job,))
            return self._running(job)
        if any(one.phase is Phase.DELETING for one in jobs):
            message = "a Job is being removed; another one starts when it is gone"
            status = self._with(Reason.MATERIALISING, message)
            return OnlinePlan(status, wait=POD_CHECK_AFTER)
        found = self.facts.found
        if isinstance(found, Trouble) or goal is None:
            return self._shut(found)
        if found is not None and goal.met(found, self.now):
            return self._whole(found, goal)
        return self._behind(found, goal)

    def _shut(self, found: Meta | Trouble | None) -> OnlinePlan:
        if not isinstance(found, Trouble):
            found = Trouble(Reason.WAITING_FOR_DATASET, "there is no version yet")
        status = self._with(found.reason, found.message)
        return OnlinePlan(status, wait=HEAL_CHECK_SECONDS)

    def _whole(self, found: Meta, goal: Goal) -> OnlinePlan:
        fields = _seen(found)
        message = f"{fields['rows']} rows of version {_short(goal.version)}"
        reset = {"goal": goal.hash, "attempts": 0, "refused": None, "last_failure_time": None}
        status = self._with(Reason.READY, message, **fields, **reset, template=None)
        wait = self.facts.period
        if due := due_time(found):
            wait = min(wait, max((due - self.now).total_seconds(), SOON))
        return OnlinePlan(status, delete=self._old(), wait=wait)

    def _running(self, job: JobView) -> OnlinePlan:
        failure = self.facts.failure
        reason, message = Reason.MATERIALISING, f"the Job {job.name} writes rows"
        if failure is not None:
            reason, message = failure.reason, failure.message
        status = self._with(
            reason,
            message,
            goal=job.annotations[GOAL_ANNOTATION],
            attempts=attempt_of(job),
            refused=None,
        )
        wait = RUNNING_CHECK if job.ready else POD_CHECK_AFTER
        return OnlinePlan(status, hold=job, delete=self._old(job), wait=wait)

    def _behind(self, found: Meta | None, goal: Goal) -> OnlinePlan:
        job = last(self.facts.jobs, goal)
        known = self.before.goal == goal.hash
        attempts = self.before.attempts if known else 0
        if job and sequence_of(job) > self.before.sequence:
            attempts = attempt_of(job)  # the status of its start was not written
        if not attempts or self._anew(goal):
            return self._start(found, goal, attempts + 1)
        if known and self.before.refused:
            status = self._with(self._reason(), self.before.message, **_seen(found))
            return OnlinePlan(status, wait=self.facts.period)
        failed = job is not None and job.phase is Phase.FAILED
        failure = self.facts.failure if failed else None
        if failure and failure.reason not in TRIED_AGAIN | MENDED:
            return self._refused(failure.reason, failure.message, goal, attempts)
        if failure and attempts >= MAX_ATTEMPTS and failure.reason not in MENDED:
            message = (
                f"{failure.message}; given up after {attempts} attempts: mend it, then annotate "
                "the Dataset with tidemill.dev/reconcile-requested-at"
            )
            return self._refused(failure.reason, message, goal, attempts)
        ended = (job.finished if job else None) or self.before.last_failure_time or self.now
        pause = min(FIRST_PAUSE * 2 ** min(attempts - 1, 10), LONGEST_PAUSE)
        if job is None or self.now >= ended + pause:
            return self._start(found, goal, attempts + 1)
        reason, message = Reason.MATERIALISING, "what was written is not there any more"
        if attempts >= MOST_LOST:
            reason = Reason.ONLINE_STORE_UNAVAILABLE
            message += ", again and again: let the store evict no keys, and nobody else write them"
        if failure:
            reason, message = failure.reason, failure.message
        status = self._with(
            reason,
            f"{message}; attempt {attempts + 1} follows",
            **_seen(found),
            goal=goal.hash,
            attempts=attempts,
            last_failure_time=ended if failure else None,
        )
        return OnlinePlan(status, wait=(ended + pause - self.now).total_seconds())

    def _anew(self, goal: Goal) -> bool:
        """Tell whether what was refused is to be tried again as it is."""
        if self.before.goal != goal.hash or not self.before.refused:
            return False
        return self.facts.requested or self.before.template != template_hash(self.spec)

    def _refused(self, reason: Reason, message: str, goal: Goal, attempts: int) -> OnlinePlan:
        status = self._with(
            reason,
            message[:MESSAGE_LIMIT],
            goal=goal.hash,
            attempts=attempts,
            refused=True,
            last_failure_time=self.now.replace(microsecond=0),
            template=template_hash(self.spec),
        )
        return OnlinePlan(status, wait=self.facts.period)

    def _start(self, found: Meta | None, goal: Goal, attempt: int) -> OnlinePlan:
        sequences = [self.before.sequence, *map(sequence_of, self.facts.jobs)]
        sequence = max(*sequences, found.sequence if found else 0) + 1
        base = found.whole.state.version if found and found.whole else None
        start = StartOnline(goal, sequence, online.microseconds(self.now), attempt, base)
        status = self._with(
            Reason.MATERIALISING,
            f"rows of version {_short(goal.version)} are written",
            **_seen(found),
            goal=goal.hash,
            attempts=attempt,
            refused=None,
            sequence=sequence,
        )
        return OnlinePlan(status, start, delete=self._old(), wait=POD_CHECK_AFTER)

    def _old(self, kept: JobView | None = None) -> tuple[JobView, ...]:
        """Jobs that nobody needs any more: all but the one that tells the most."""
        jobs = [job for job in self.facts.jobs if job.phase is not Phase.DELETING]
        kept = kept or max(jobs, key=sequence_of, default=None)
        return tuple(job for job in jobs if job != kept)

    def _reason(self) -> Reason:
        return Reason.named(self.before.reason) or Reason.CONTAINER_FAILED

    def _with(self, reason: Reason, message: str, **fields: Any) -> OnlineStatus:  # noqa: ANN401 - fields of the status
        sequences = [self.before.sequence, *map(sequence_of, self.facts.jobs)]
        given = {"reason": reason, "message": message[:MESSAGE_LIMIT], "sequence": max(sequences)}
        return self.before.model_copy(update={**given, **fields})


def _seen(found: Meta | None) -> dict[str, Any]:
    """Read what the store has as a whole."""
    whole = found.whole if found else None
    times = (whole.newest, whole.completed, whole.next) if whole else (None, None, None)
    newest, completed, coming = (_second(time_of(one)) for one in times)
    return {
        "version": whole.state.version if whole else None,
        "rows": whole.rows if whole else None,
        "newest_time": newest,
        "materialized_at": completed,
        "next_time": coming,
    }


def _short(version: str) -> str:
    return version.removeprefix("sha256:")[:12]


def _second(time: datetime | None) -> datetime | None:
    return time.replace(microsecond=0) if time else None
