"""Conditions as kubectl, kstatus and GitOps tools read them.

The summary (`Ready` for things that run, `Succeeded` for things that end) stands first, always;
`Reconciling` and `Stalled` stand only while they are true. `lastTransitionTime` moves only when a
status flips.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.types import StatusModel

MESSAGE_LIMIT = 4096


class ConditionType(StrEnum):
    """The condition types of all kinds."""

    READY = "Ready"
    SUCCEEDED = "Succeeded"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(StatusModel):
    """One observation; the fields are those of metav1.Condition."""

    type: Annotated[str, Field(max_length=64, description="What is observed.")]
    status: Annotated[ConditionStatus, Field(description="Whether it holds.")]
    reason: Annotated[
        str, Field(max_length=64, description="Why, as one of the documented reasons.")
    ]
    message: Annotated[
        str, Field(max_length=MESSAGE_LIMIT, description="Why, in words, and the way out.")
    ]
    observed_generation: Annotated[
        int, Field(description="The generation of the spec that this speaks of.")
    ]
    last_transition_time: Annotated[
        datetime, Field(description="When the status last became what it is.")
    ]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a decision says of an object as a whole, before it becomes conditions."""

    summary: ConditionStatus
    reason: Reason
    message: str
    reconciling: bool = False
    stalled: bool = False


def ready(message: str, reason: Reason = Reason.READY) -> Verdict:
    """All is as it should be."""
    return Verdict(summary="True", reason=reason, message=message)


def progressing(reason: Reason, message: str, *, summary: ConditionStatus = "Unknown") -> Verdict:
    """Work is under way, or waits for something that may still come."""
    return Verdict(summary=summary, reason=reason, message=message, reconciling=True)


def stalled(reason: Reason, message: str) -> Verdict:
    """Nothing that Tidemill can do will help."""
    return Verdict(summary="False", reason=reason, message=message, stalled=True)


def conditions_of(
    verdict: Verdict,
    summary_type: ConditionType,
    previous: Sequence[Condition],
    *,
    generation: int,
    now: datetime,
) -> list[Condition]:
    """Turn a verdict into conditions, keeping the times of those whose status did not flip."""
    times = {c.type: c.last_transition_time for c in previous}
    before = {c.type: c.status for c in previous}

    def condition(kind: ConditionType, status: ConditionStatus) -> Condition:
        unchanged = before.get(kind) == status
        return Condition(
            type=kind,
            status=status,
            reason=verdict.reason,
            message=verdict.message[:MESSAGE_LIMIT],
            observed_generation=generation,
            last_transition_time=times[kind] if unchanged else now.replace(microsecond=0),
        )

    result = [condition(summary_type, verdict.summary)]
    if verdict.reconciling:
        result.append(condition(ConditionType.RECONCILING, "True"))
    if verdict.stalled:
        result.append(condition(ConditionType.STALLED, "True"))
    return result
