"""How a run has ended, as its record says it: from the result its Job left. Pure."""

from collections.abc import Mapping
from typing import Any

from tidemill.api.v1alpha1.conditions import Verdict, ready, stalled
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.run_cache import CachedFrom
from tidemill.api.v1alpha1.run_status import (
    AppliedRun,
    Artifact,
    MetricValue,
    RunProgress,
    TrainingRunStatus,
)
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.jobs.view import parse_time
from tidemill.training import judgement, searched
from tidemill.training.pins import joined_versions, spec_hash


def recorded(
    spec: TrainingRunSpec, status: TrainingRunStatus, result: Mapping[str, Any]
) -> TrainingRunStatus | None:
    """Take the result of a Job that is gone: it had ended before anybody looked."""
    try:
        applied = status.applied or AppliedRun(
            dataset_version=result["datasetVersion"],
            tables=joined_versions(result.get("join")),
            image=result.get("image", ""),
            spec_hash=spec_hash(spec),
        )
        times = {
            "started_at": status.started_at or parse_time(result["startedAt"]),
            "completed_at": parse_time(result["completedAt"]),
        }
        return with_result(status.model_copy(update={"applied": applied, **times}), result)
    except UNREADABLE:
        return None


# What reading a document that is not as it should be can raise.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)


def with_result(status: TrainingRunStatus, result: Mapping[str, Any]) -> TrainingRunStatus:
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
