"""What an online store is to have, and how the Jobs that write to it are marked. Pure."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.api.v1alpha1.online_store import FilledStore, OnlineStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis
from tidemill.dataset.plan import ATTEMPT_ANNOTATION, attempt_of
from tidemill.jobs.view import JobView, Phase
from tidemill.store.digests import canonical_json
from tidemill.store.online import Meta

GOAL_ANNOTATION = "tidemill.dev/online-goal"
VERSION_ANNOTATION = "tidemill.dev/online-version"
BASE_ANNOTATION = "tidemill.dev/online-base-version"
ENTITY_ANNOTATION = "tidemill.dev/online-entity"
SEQUENCE_ANNOTATION = "tidemill.dev/online-sequence"
MOMENT_ANNOTATION = "tidemill.dev/online-moment"
SOON = 1.0
# A row of the future is written when its time has come, but not more often than this.
LEAST_PERIOD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Goal:
    """What the store is to have: the newest rows of a version, by this key, for so long."""

    store: FilledStore
    version: str
    key: tuple[str, ...]
    timestamp: str

    @property
    def ttl(self) -> int | None:
        """Give the time to live in milliseconds."""
        if self.store.ttl is None:
            return None
        return int(parse_duration(self.store.ttl) / timedelta(milliseconds=1))

    @property
    def shape(self) -> str:
        """Hash where rows are written to, and how; the version apart."""
        place = self.store.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return _hash([place, self.key, self.timestamp])

    @property
    def hash(self) -> str:
        """Hash all of it."""
        return _hash([self.shape, self.version])

    def met(self, meta: Meta, now: datetime) -> bool:
        """Tell whether the store has it."""
        if meta.whole is None or meta.writing is not None:
            return False
        if meta.whole.state.version != self.version or meta.shape.ttl != self.ttl:
            return False
        key = tuple(column.name for column in meta.shape.key)
        if (key, meta.shape.timestamp.name) != (self.key, self.timestamp):
            return False
        due = due_time(meta)
        return due is None or now < due


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the store cannot be asked, or there is nothing to be written yet."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Facts:
    """The world as it is decided upon; `failure` is of the last Job for the goal, or the pod's.

    `found` is what the store tells, or why it tells nothing.
    """

    goal: Goal | None
    found: Meta | Trouble | None
    jobs: tuple[JobView, ...] = ()
    failure: Diagnosis | None = None
    requested: bool = False
    period: float = 60.0


@dataclass(frozen=True, slots=True)
class StartOnline:
    """Start a Job that writes."""

    goal: Goal
    sequence: int
    moment: int
    attempt: int
    base: str | None = None

    @property
    def notes(self) -> dict[str, str]:
        """Give the annotations by which the Job is known again, and its versions as used."""
        return {
            GOAL_ANNOTATION: self.goal.hash,
            VERSION_ANNOTATION: self.goal.version,
            BASE_ANNOTATION: self.base or "",
            ENTITY_ANNOTATION: json.dumps([self.goal.key, self.goal.timestamp]),
            SEQUENCE_ANNOTATION: str(self.sequence),
            MOMENT_ANNOTATION: str(self.moment),
            ATTEMPT_ANNOTATION: str(self.attempt),
        }


@dataclass(frozen=True, slots=True)
class OnlinePlan:
    """What is to be done, and what the status says then."""

    status: OnlineStatus
    start: StartOnline | None = None
    hold: JobView | None = None
    delete: tuple[JobView, ...] = ()
    wait: float = SOON


def mine(job: JobView) -> bool:
    """Tell whether a Job of a Dataset is one that materialises."""
    return GOAL_ANNOTATION in job.annotations


def running(jobs: Iterable[JobView]) -> JobView | None:
    """Find the Job that has not ended; the newest, should there be two."""
    found = [job for job in jobs if job.phase in (Phase.RUNNING, Phase.SUSPENDED)]
    return max(found, key=sequence_of, default=None)


def last(jobs: Iterable[JobView], goal: Goal) -> JobView | None:
    """Find the last Job for a goal."""
    found = [job for job in jobs if job.annotations.get(GOAL_ANNOTATION) == goal.hash]
    return max(found, key=sequence_of, default=None)


def restored(job: JobView, store: FilledStore | None) -> StartOnline | None:
    """Say again what a Job was started for; None where it is another store, or nothing is told."""
    notes = job.annotations
    if store is None:
        return None
    try:
        key, timestamp = json.loads(notes[ENTITY_ANNOTATION])
        goal = Goal(store, notes[VERSION_ANNOTATION], tuple(key), timestamp)
        moment = int(notes[MOMENT_ANNOTATION])
    except (KeyError, ValueError, TypeError):
        return None
    if goal.hash != notes.get(GOAL_ANNOTATION):
        return None
    base = notes.get(BASE_ANNOTATION) or None
    return StartOnline(goal, sequence_of(job), moment, attempt_of(job), base)


def sequence_of(job: JobView) -> int:
    """Read the sequence of a Job."""
    text = job.annotations.get(SEQUENCE_ANNOTATION, "0")
    return int(text) if text.isdecimal() else 0


def due_time(meta: Meta) -> datetime | None:
    """Tell when rows that the version holds already are to be written."""
    if meta.whole is None or meta.whole.next is None:
        return None
    coming = time_of(meta.whole.next)
    done = time_of(meta.whole.completed)
    return None if coming is None or done is None else max(coming, done + LEAST_PERIOD)


def time_of(microseconds: int | None) -> datetime | None:
    """Read a moment; None also for one beyond what a calendar holds."""
    if microseconds is None:
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        return None


def _hash(parts: list[Any]) -> str:
    return hashlib.sha256(canonical_json(parts)).hexdigest()[:16]
