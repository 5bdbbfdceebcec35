"""What an ingest has found, read from its result into the fields of the status. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidemill.api.v1alpha1.dataset_status import (
    MAX_STATUS_COLUMNS,
    MAX_STATUS_VERSIONS,
    ChecksStatus,
    Column,
    DatasetStatus,
    DatasetVersion,
    InputVersion,
    RejectedVersion,
    StructureStatus,
)
from tidemill.api.v1alpha1.prepare import MAX_INPUTS
from tidemill.api.v1alpha1.reasons import Reason

MAX_COLUMN_NAME = 1024
MAX_WORDS = 1024
MAX_REASONS = 5


def version_fields(
    status: DatasetStatus, result: Mapping[str, Any] | None, now: datetime
) -> dict[str, Any] | None:
    """Read what an ingest found; None where there is nothing that can be read."""
    if result is None or result.get("outcome") != "Succeeded":
        return None
    try:
        if result.get("rejected"):
            return _rejected(result, now)
        return _accepted(status, result, now)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _rejected(result: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Leave the version in use as it is; tell which delivery was not let in."""
    why = result["rejected"]
    reason = Reason.named(why["reason"]) or Reason.CHECKS_FAILED
    return {
        "rejected": RejectedVersion(
            version=str(result["version"]),
            rows=int(result["rows"]),
            created_at=now.replace(microsecond=0),
            reason=reason,
            message=str(why["message"])[:MAX_WORDS],
            report=_text(result, "report"),
        ),
        "checks": _checks(result),
    }


def _accepted(status: DatasetStatus, result: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    version = str(result["version"])
    entry = DatasetVersion.model_validate(
        {
            "version": version,
            "rows": int(result["rows"]),
            "bytes": int(result["bytes"]),
            "objects": int(result["objects"]),
            "createdAt": now.replace(microsecond=0),
            "why": result.get("why"),
        }
    )
    others = [v for v in status.versions or () if v.version != version]
    known = next((v for v in status.versions or () if v.version == version), entry)
    columns = [
        Column.model_validate({**column, "name": str(column["name"])[:MAX_COLUMN_NAME]})
        for column in result["columns"][:MAX_STATUS_COLUMNS]
    ]
    return {
        "version": version,
        "short_version": version.removeprefix("sha256:")[:12],
        "rows": entry.rows,
        "bytes": entry.bytes,
        "objects": entry.objects,
        "columns": columns,
        "column_count": len(result["columns"]),
        "inputs": _inputs(result),
        "manifest": str(result["manifest"]),
        "profile": _text(result, "profile"),
        "report": _text(result, "report"),
        "structure": _structure(result),
        "checks": _checks(result),
        "rejected": None,
        "versions": [known, *others][:MAX_STATUS_VERSIONS],
    }


def _inputs(result: Mapping[str, Any]) -> list[InputVersion] | None:
    read = [InputVersion.model_validate(one) for one in (result.get("inputs") or ())]
    return read[: MAX_INPUTS + 1] or None


def _checks(result: Mapping[str, Any]) -> ChecksStatus | None:
    counts = result.get("checkCounts")
    return ChecksStatus.model_validate(counts) if counts else None


def _structure(result: Mapping[str, Any]) -> StructureStatus | None:
    change = result.get("change")
    if not change:
        return None
    reasons = [str(reason)[:MAX_WORDS] for reason in change["reasons"][:MAX_REASONS]]
    return StructureStatus(change=change["kind"], reasons=reasons)


def _text(result: Mapping[str, Any], name: str) -> str | None:
    found = result.get(name)
    return None if found is None else str(found)
