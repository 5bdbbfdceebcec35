"""Why a Job waits in a queue, as Kueue's Workloads tell it."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from tests.unit.children.world import NAMESPACE, World

from tidemill.jobs.kueue import JOB_UID_LABEL, MAX_MESSAGE, Waiting, told, waiting
from tidemill.jobs.view import JobView, Phase
from tidemill.kube.client import Client
from tidemill.kube.errors import ApiError, NotFound, Unavailable
from tidemill.kube.resources import WORKLOADS_BEFORE, Resource

QUOTA = "couldn't assign flavors to pod set main: insufficient unused quota for cpu"


def condition(kind: str, status: str, message: str = "", reason: str = "Pending") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def workload(*conditions: dict[str, Any], name: str = "w", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "creationTimestamp": f"2025-01-01T00:00:0{len(conditions)}Z"}
    return {"metadata": metadata, "spec": spec, "status": {"conditions": list(conditions)}}


NO_QUOTA = condition("QuotaReserved", "False", QUOTA)
RESERVED = condition("QuotaReserved", "True", "Quota reserved in ClusterQueue q")
PREEMPTED = condition("Evicted", "True", "Preempted to accommodate a workload", "Preempted")


@pytest.mark.parametrize(
    ("workloads", "position", "says", "needs_somebody"),
    [
        (None, None, "there is no Kueue in this cluster", True),
        ([], None, "waits for Kueue to take it into the queue ml", False),
        ([workload()], None, "in the queue ml: Kueue has not said why (QuotaReserved)", False),
        ([workload(NO_QUOTA)], None, f"waits in the queue ml: {QUOTA}", False),
        ([workload(NO_QUOTA)], 0, f"in the queue ml, 0 before it: {QUOTA}", False),
        ([workload(NO_QUOTA)], 3, f"in the queue ml, 3 before it: {QUOTA}", False),
        (
            [workload(NO_QUOTA, PREEMPTED)],
            None,
            f"{QUOTA}; it was stopped: Preempted to accommodate a workload",
            False,
        ),
        ([workload(RESERVED)], None, "Kueue has not said why (Admitted)", False),
        (
            [workload(RESERVED, condition("Admitted", "False", "The workload waits for checks"))],
            None,
            "in the queue ml: The workload waits for checks",
            False,
        ),
        (
            [workload(RESERVED, condition("Admitted", "True"))],
            None,
            "it is admitted and about to start",
            False,
        ),
        ([workload(NO_QUOTA, active=True)], None, QUOTA, False),
        (
            [workload(NO_QUOTA, PREEMPTED, active=False)],
            None,
            "it was stopped: Preempted to accommodate a workload: set spec.active of Workload w",
            True,
        ),
        (
            [workload(NO_QUOTA, PREEMPTED, name="old"), workload(NO_QUOTA, PREEMPTED, RESERVED)],
            None,
            "it was stopped",
            False,
        ),
        (
            [workload(condition("QuotaReserved", "False", "", "Inadmissible"))],
            None,
            "in the queue ml: Inadmissible",
            False,
        ),
    ],
    ids=[
        "no Kueue",
        "Kueue has not seen it",
        "nothing said yet",
        "no quota",
        "first in line",
        "fourth in line",
        "preempted",
        "quota, nothing said of checks",
        "checks",
        "admitted",
        "active",
        "deactivated",
        "the newest of two",
        "a reason alone",
    ],
)
def test_it_says_why(
    workloads: Sequence[dict[str, Any]] | None,
    position: int | None,
    says: str,
    needs_somebody: bool,
) -> None:
    found = told(workloads, position, "ml")
    assert says in found.message
    assert found.needs_somebody is needs_somebody


def test_what_it_says_is_bounded() -> None:
    found = told([workload(condition("QuotaReserved", "False", "x" * 9000))], None, "ml")
    assert len(found.message) == MAX_MESSAGE


class Kueue:
    """An API server with Kueue, of some version, with or without the API that tells places."""

    def __init__(self, *, served: Sequence[Resource] = (), places: Any = None) -> None:
        self.served, self.places = served, places
        self.asked: dict[str, str] = {}

    async def list(
        self, resource: Resource, namespace: str, *, labels: dict[str, str]
    ) -> list[dict[str, Any]]:
        if resource not in self.served:
            raise NotFound("the server could not find the requested resource", status=404)
        self.asked = {"namespace": namespace, **labels}
        return [workload(NO_QUOTA)]

    async def get_part(
        self, _resource: Resource, _namespace: str, name: str, part: str
    ) -> dict[str, Any] | None:
        assert (name, part) == ("ml", "pendingworkloads")
        if isinstance(self.places, ApiError):
            raise self.places
        found: dict[str, Any] | None = self.places
        return found


async def asked(api: Kueue) -> Waiting:
    job = JobView("j", "ju", Phase.SUSPENDED, World().now)
    return await waiting(cast("Client", api), NAMESPACE, job, "ml")


def pending(*uids: str) -> dict[str, Any]:
    return {
        "items": [
            {
                "metadata": {"name": uid, "ownerReferences": [{"uid": uid}]},
                "positionInLocalQueue": place,
            }
            for place, uid in enumerate(uids)
        ]
    }


async def test_a_version_of_before_is_asked_likewise() -> None:
    api = Kueue(served=[WORKLOADS_BEFORE])
    assert QUOTA in (await asked(api)).message
    assert api.asked == {"namespace": NAMESPACE, JOB_UID_LABEL: "ju"}


async def test_without_kueue_it_says_so() -> None:
    found = await asked(Kueue())
    assert (found.needs_somebody, "no Kueue" in found.message) == (True, True)


@pytest.mark.parametrize(
    ("places", "says"),
    [
        (pending("other", "ju"), "queue ml, 1 before it"),
        (pending("ju"), "queue ml, 0 before it"),
        (pending("other"), "queue ml:"),
        ({"items": None}, "queue ml:"),
        (None, "queue ml:"),
        (Unavailable("no endpoints", status=503), "queue ml:"),
    ],
    ids=["second", "first", "not listed", "nobody", "not served", "down"],
)
async def test_its_place_is_told_where_kueue_tells(places: Any, says: str) -> None:
    found = await asked(Kueue(served=[WORKLOADS_BEFORE], places=places))
    assert says in found.message
