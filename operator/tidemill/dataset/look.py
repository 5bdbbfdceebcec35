"""Whether a Dataset's source is looked at in this pass, where a schedule says when. Pure.

A look begins at a time of the schedule, by a reconcile that is asked for, or by a change of what is
asked of the data. It stays open while the listing settles, a fault passes or is mended, a Job runs
or its outcome is not yet taken. All of that is told by the status, and so outlives a restart.
"""

from dataclasses import replace
from datetime import datetime

from tidemill.api.v1alpha1.conditions import ConditionType
from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.dataset.observed import Listing, Observed
from tidemill.dataset.plan import Plan, ingest_key, template_hash
from tidemill.dataset.timetable import Timetable, timetable_of

AT_REST = {
    Reason.READY,
    Reason.DELIVERY_REJECTED,
    Reason.ONLINE_STORE_BEHIND,
    Reason.SUSPENDED,
}
SOON = 1.0


def looks(spec: DatasetSpec, status: DatasetStatus, now: datetime, *, requested: bool) -> bool:
    """Tell whether the source is listed now; raises Stalled for a schedule that is no good."""
    timetable = timetable_of(spec.refresh)
    if timetable is None or requested or timetable.due(status.last_refresh_time, now):
        return True
    return not _rests(spec, status)


def _rests(spec: DatasetSpec, status: DatasetStatus) -> bool:
    """Tell whether the last look has come to its end, for what is asked now."""
    ingest, source = status.ingest, status.source
    if ingest is None or source is None or ingest.outcome is None:
        return False
    mark = ingest.fingerprint or source.fingerprint
    settling = not mark.startswith(source.fingerprint)
    if settling or ingest.key != ingest_key(spec, mark):
        return False
    if ingest.outcome == "Failed" and ingest.template != template_hash(spec):
        return False
    if any(one.type == ConditionType.RECONCILING for one in status.conditions):
        return False
    told = next((c.reason for c in status.conditions if c.type == ConditionType.READY), None)
    return told is not None and told in {*AT_REST, ingest.reason}


def remembered(status: DatasetStatus) -> Listing:
    """Give the listing of the last look."""
    seen = status.source
    return Listing(seen.fingerprint, seen.objects, seen.bytes) if seen else Listing("", 0, 0)


def timed(plan: Plan, timetable: Timetable | None, observed: Observed, now: datetime) -> Plan:
    """Say in the status up to when has been looked, and when the next look is."""
    fields: dict[str, datetime | None] = {"last_refresh_time": None, "next_refresh_time": None}
    if timetable is None:
        return replace(plan, status=plan.status.model_copy(update=fields))
    last = plan.status.last_refresh_time
    if isinstance(observed.source, Listing) and _honoured(plan, observed.source):
        last = (observed.began or now).replace(microsecond=0)
    fields = {"last_refresh_time": last, "next_refresh_time": timetable.after(now)}
    plan = replace(plan, status=plan.status.model_copy(update=fields))
    if _ended(plan) and timetable.due(last, now):
        return replace(plan, requeue_after=SOON)  # a time came while the last one was honoured
    return plan


def _honoured(plan: Plan, listing: Listing) -> bool:
    # Content that may change unseen is as it was when its Job began.
    return plan.start is not None or (_ended(plan) and not listing.weak)


def _ended(plan: Plan) -> bool:
    ingest = plan.status.ingest
    return ingest is not None and ingest.outcome is not None and not plan.verdict.reconciling
