"""A delivery that was refused: how long it stays so, and what makes it be tried again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.dataset_status import DatasetStatus, IngestStatus, SourceStatus
from tidemill.api.v1alpha1.reasons import Reason
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

NOW = datetime(2025, 1, 1, 12, tzinfo=UTC)
LISTING = Listing("sha256:f", 2, 100)
SOURCE = SourceStatus(fingerprint="sha256:f", objects=2, bytes=100, since=NOW - timedelta(hours=1))


def spec(**changes: Any) -> DatasetSpec:
    source = {"s3": {"bucket": "raw", "format": "CSV"}}
    return DatasetSpec.model_validate({"source": source, **changes})


KEY = ingest_key(spec(), LISTING.fingerprint)


def job(attempt: int = 1, ended: timedelta = timedelta(0)) -> JobView:
    notes = {KEY_ANNOTATION: KEY, ATTEMPT_ANNOTATION: str(attempt)}
    return JobView("job", "u", Phase.FAILED, NOW, finished=NOW - ended, annotations=notes)


def status(**ingest: Any) -> DatasetStatus:
    found = IngestStatus(key=KEY, **ingest) if ingest else None
    return DatasetStatus(conditions=[], source=SOURCE, ingest=found)


def failed(reason: Reason, failed_job: JobView, before: DatasetStatus | None = None) -> Plan:
    trouble = Diagnosis(reason, "x.csv: what is wrong", "pod", final=True)
    observed = Observed(LISTING, (failed_job,), trouble=trouble)
    return decide(spec(), before or status(), observed, NOW)


def refused(**changes: Any) -> DatasetStatus:
    known = {
        "outcome": "Failed",
        "attempts": 1,
        "reason": "RaggedRows",
        "message": "x.csv, row 3",
        "template": template_hash(spec()),
    }
    return status(**{**known, **changes})


def test_what_was_refused_and_why_is_kept() -> None:
    plan = failed(Reason.RAGGED_ROWS, job())
    assert plan.verdict.stalled
    kept = plan.status.ingest
    assert kept is not None
    assert (kept.outcome, kept.reason, kept.message) == (
        "Failed",
        "RaggedRows",
        "x.csv: what is wrong",
    )


def test_a_refusal_is_told_again_whatever_the_conditions_say_since() -> None:
    plan = decide(spec(), refused(), Observed(LISTING, (job(),)), NOW)
    assert (plan.start, plan.verdict.stalled) == (None, True)
    assert (plan.verdict.reason, plan.verdict.message) == (Reason.RAGGED_ROWS, "x.csv, row 3")


def test_another_template_makes_a_refused_delivery_be_tried_again() -> None:
    bigger = spec(template={"resources": {"limits": {"memory": "4Gi"}}})
    trouble = Diagnosis(Reason.OOM_KILLED, "too much", "pod", final=True)
    observed = Observed(LISTING, (job(),), trouble=trouble)
    plan = decide(bigger, refused(reason="OOMKilled"), observed, NOW)
    assert plan.start is not None
    assert plan.start.attempt == 2
    started = plan.status.ingest
    assert started is not None
    assert started.outcome is None


@pytest.mark.parametrize("reason", [Reason.ACCESS_DENIED, Reason.BUCKET_MISSING])
@pytest.mark.parametrize("attempt", [1, 50])
def test_what_is_mended_outside_the_data_is_stalled_and_tried_again(
    reason: Reason, attempt: int
) -> None:
    plan = failed(reason, job(attempt))
    assert (plan.verdict.reason, plan.verdict.stalled) == (reason, True)
    assert f"attempt {attempt + 1} follows" in plan.verdict.message
    assert plan.requeue_after is not None
    assert 0 < plan.requeue_after <= 300
    later = failed(reason, job(attempt, ended=timedelta(minutes=5)))
    assert later.start is not None
    assert later.start.attempt == attempt + 1


def test_a_passing_fault_is_given_up_after_some_attempts() -> None:
    assert failed(Reason.NODE_LOST, job(4)).verdict.reconciling
    last = failed(Reason.NODE_LOST, job(5))
    assert last.verdict.stalled
    assert "given up after 5 attempts" in last.verdict.message
