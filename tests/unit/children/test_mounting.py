"""A pod that waits for the volume of a claim, among pods that wait for other things or nothing."""

from datetime import datetime
from typing import Any

import pytest
from tests.unit.children.world import instant

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.mounting import unmounted
from tidemill.children.pods import diagnose

Body = dict[str, Any]
CLAIMED = [
    {"name": "input", "secret": {}},
    {"name": "volume", "persistentVolumeClaim": {"claimName": "deliveries"}},
]


def pod(
    scheduled: str | None = "True",
    begun: str | None = "False",
    volumes: list[Body] | None = CLAIMED,
    since: datetime | None = instant(),  # noqa: B008
) -> Body:
    when = {"lastTransitionTime": since.isoformat()} if since else {}
    known = {"PodScheduled": scheduled, "PodReadyToStartContainers": begun}
    conditions = [{"type": kind, "status": told, **when} for kind, told in known.items() if told]
    return {
        "metadata": {"name": "p"},
        "spec": {"nodeName": "n1", "volumes": volumes},
        "status": {"phase": "Pending", "conditions": conditions},
    }


def test_it_is_told_with_claim_node_and_way_out() -> None:
    found = unmounted([pod(begun="True"), pod()], instant(60))
    assert found is not None
    assert (found.reason, found.final, found.needs_somebody) == (
        Reason.SOURCE_UNAVAILABLE,
        False,
        False,
    )
    for text in ("node n1", "claim deliveries", "ReadWriteOnce", "`kubectl describe pod p`"):
        assert text in found.message


def test_a_config_map_that_may_be_missing_is_named() -> None:
    maps = [{"name": "user-a", "configMap": {"name": "words"}}]
    found = unmounted([pod(volumes=maps)], instant(60))
    assert found is not None
    assert found.reason is Reason.SOURCE_UNAVAILABLE
    assert "the volume of ConfigMap words for pod p: a ConfigMap may not be there" in found.message
    both = unmounted([pod(volumes=[*CLAIMED, *maps])], instant(60))
    assert both is not None
    assert "of claim deliveries or ConfigMap words for" in both.message


@pytest.mark.parametrize(
    ("waits", "seconds"),
    [
        (pod(), 59),
        (pod(since=None), 3600),
        (pod(scheduled="False"), 3600),
        (pod(scheduled=None), 3600),
        (pod(begun="True"), 3600),
        (pod(begun=None), 3600),
        (pod(volumes=CLAIMED[:1]), 3600),
        (pod(volumes=None), 3600),
        ({"metadata": {"name": "p"}}, 3600),
    ],
    ids=[
        "not for long",
        "since nobody knows",
        "for a node",
        "for the scheduler",
        "for its image",
        "of an old kubelet",
        "without a claim",
        "without volumes",
        "new",
    ],
)
def test_who_waits_for_something_else_or_not_for_long(waits: Body, seconds: float) -> None:
    assert unmounted([waits], instant(seconds)) is None


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("pod has unbound immediate PersistentVolumeClaims", "claim must be bound"),
        ('persistentvolumeclaim "deliveries" is being deleted', "claim must be bound"),
        ("0/1 nodes: 1 node(s) didn't find available persistent volumes to bind", "must be bound"),
        ("1 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)", "bound"),
        ("1 node(s) had no available volume zone", "claim must be bound"),
        ("0/1 nodes are available: 1 Insufficient memory", "change spec.template, or add a node"),
    ],
)
def test_a_pod_that_no_node_takes_for_its_volume(text: str, way_out: str) -> None:
    told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}
    found = diagnose([{"metadata": {"name": "p"}, "status": {"conditions": [told]}}])
    assert found is not None
    assert (found.reason, found.needs_somebody) == (Reason.UNSCHEDULABLE, True)
    assert text in found.message
    assert way_out in found.message
