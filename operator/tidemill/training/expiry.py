"""When a run that another object has stamped out is removed: some time after it has ended.

A run that a user made is a record, which nobody removes behind their back. What a run has left in
the bucket stays, whoever made it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.run_status import TrainingRunStatus
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.engine.errors import Stalled
from tidemill.kube import owners

NOT_STAMPED = (
    "spec.ttlAfterFinished is for runs that another object owns (a controller in "
    "metadata.ownerReferences), and this one is a record of yours: leave it out, and delete the "
    "run when you want it gone"
)


def check(live: Mapping[str, Any], spec: TrainingRunSpec) -> None:
    """Raise Stalled where the run has a time to live and nobody who made it."""
    if is_kept_in_spite(live, spec):
        raise Stalled(Reason.SPEC_INVALID, NOT_STAMPED)


def is_kept_in_spite(live: Mapping[str, Any], spec: TrainingRunSpec) -> bool:
    """Tell whether it is asked to go and is not one that may."""
    return bool(spec.ttl_after_finished and not owners.controller(live))


def seconds_left(
    live: Mapping[str, Any], spec: TrainingRunSpec, status: TrainingRunStatus, now: datetime
) -> float | None:
    """Give how long the ended run is still kept, 0 where it is to go; None for ever."""
    if not spec.ttl_after_finished or not status.completed_at or not owners.controller(live):
        return None
    left = status.completed_at + parse_duration(spec.ttl_after_finished) - now
    return max(0.0, left.total_seconds())
