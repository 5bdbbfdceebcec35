"""States of the world in which something is decided about a Dataset."""

from datetime import datetime
from typing import Any

from tests.unit.children.world import instant
from tests.unit.dataset.scene import SPEC, VERSION

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.dataset_status import DatasetStatus, IngestStatus, SourceStatus
from tidemill.children.pods import Diagnosis
from tidemill.dataset.decide import decide
from tidemill.dataset.observed import Listing, Observed
from tidemill.dataset.plan import (
    ATTEMPT_ANNOTATION,
    KEY_ANNOTATION,
    Plan,
    ingest_key,
    template_hash,
)
from tidemill.jobs.view import JobView, Phase

NOW = instant(1000)
OLD = Listing("f-old", 1, 5)
LISTING = Listing("f", 2, 100)


def spec(**changes: Any) -> DatasetSpec:
    return DatasetSpec.model_validate({**SPEC, **changes})


KEY = ingest_key(spec(), "f")


def source(listing: Listing = LISTING, since: datetime = instant()) -> SourceStatus:  # noqa: B008
    return SourceStatus(
        fingerprint=listing.fingerprint,
        objects=listing.objects,
        bytes=listing.bytes,
        since=since,
    )


def status(**fields: Any) -> DatasetStatus:
    given = {"source": source(), **fields}
    return DatasetStatus.model_validate({}).model_copy(update=given)


def job(phase: Phase, attempt: int = 1, key: str = KEY, **fields: Any) -> JobView:
    notes = {KEY_ANNOTATION: key, ATTEMPT_ANNOTATION: str(attempt)}
    known = {"created": instant(), "annotations": notes, "finished": NOW}
    return JobView(f"j-{key}-{attempt}", f"u-{attempt}", phase, **{**known, **fields})


def ingest(outcome: str | None = None, key: str = KEY, **fields: Any) -> IngestStatus:
    known = {"attempts": 1, "template": template_hash(spec())}
    return IngestStatus.model_validate({"key": key, "outcome": outcome, **known, **fields})


def decided(
    *jobs: JobView,
    before: DatasetStatus | None = None,
    requested: bool = False,
    result: Any = None,
    trouble: Diagnosis | None = None,
    **changes: Any,
) -> Plan:
    observed = Observed(LISTING, jobs, result, trouble)
    return decide(spec(**changes), before or status(), observed, NOW, requested=requested)


VERSIONED = {"version": VERSION, "short_version": "1" * 12}
