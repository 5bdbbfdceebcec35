"""What a decision about a Dataset gives, and how the Jobs it knows again are marked. Pure."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from tidemill.api.v1alpha1.conditions import Verdict
from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.dataset.references import Pin
from tidemill.jobs.view import JobView
from tidemill.store.digests import canonical_json

KEY_ANNOTATION = "tidemill.dev/ingest-key"
ATTEMPT_ANNOTATION = "tidemill.dev/attempt"
FINGERPRINT_ANNOTATION = "tidemill.dev/fingerprint"
WHY_ANNOTATION = "tidemill.dev/why"
PREVIOUS_ANNOTATION = "tidemill.dev/previous-version"
WORKERS_ANNOTATION = "tidemill.dev/workers"
ENGINE_ANNOTATION = "tidemill.dev/engine"


@dataclass(frozen=True, slots=True)
class StartIngest:
    """Start this attempt at ingesting this listing, to be compared with the version in use.

    `workers` are the pods that read it, `engine` what they work over, if not each by itself.
    """

    key: str
    fingerprint: str
    attempt: int
    why: str = "Created"
    previous: str | None = None
    pins: tuple[Pin, ...] = ()
    workers: int = 1
    engine: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, and what the status says then."""

    status: DatasetStatus
    verdict: Verdict
    start: StartIngest | None = None
    hold: JobView | None = None
    delete: tuple[JobView, ...] = ()
    requeue_after: float | None = None
    passing: bool = False


def ingest_key(spec: DatasetSpec, fingerprint: str) -> str:
    """Hash what an ingest depends on: where it reads, what lies there, what is asked of it."""
    # Defaults are left out: a field that comes with a later version makes nobody ingest again.
    source = spec.source.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    # Whose keys open the source changes nothing about what is in it.
    source.get("s3", {}).pop("credentialsRef", None)
    source.get("http", {}).pop("headersRef", None)
    source.get("sql", {}).pop("credentialsRef", None)
    asked = spec.model_dump(
        mode="json",
        by_alias=True,
        exclude_defaults=True,
        include={"prepare", "schema_", "checks", "describe", "entity", "pin"},
    )
    parts = [source, fingerprint, asked] if asked else [source, fingerprint]
    return hashlib.sha256(canonical_json(parts)).hexdigest()[:16]


def template_hash(spec: DatasetSpec) -> str:
    """Hash what the pod asks of the cluster: with more memory a refused delivery may succeed."""
    template = spec.template.model_dump(mode="json", exclude_defaults=True) if spec.template else {}
    # Several pods have room for what one had not.
    pods = spec.model_dump(
        mode="json", exclude_defaults=True, include={"distributed", "parallelism"}
    )
    template |= pods
    return hashlib.sha256(canonical_json(template)).hexdigest()[:16]


def job_for(jobs: Iterable[JobView], key: str) -> JobView | None:
    """Find the last attempt at a key."""
    attempts = [job for job in jobs if job.annotations.get(KEY_ANNOTATION) == key]
    return max(attempts, key=attempt_of, default=None)


def attempt_of(job: JobView) -> int:
    """Tell the how-manieth attempt a Job is."""
    return _number(job, ATTEMPT_ANNOTATION)


def workers_of(job: JobView) -> int:
    """Tell how many pods a Job was started with, whatever the spec says by now."""
    return _number(job, WORKERS_ANNOTATION)


def _number(job: JobView, annotation: str) -> int:
    text = job.annotations.get(annotation, "1")
    return int(text) if text.isdecimal() else 1
