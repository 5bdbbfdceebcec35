"""When a status and an Event are written, and what stands in them."""

from typing import Any

import pytest
from tests.unit.children.world import World, condition_types, summary

from tidemill.api.v1alpha1.conditions import (
    ConditionStatus,
    ConditionType,
    Verdict,
    progressing,
    ready,
    stalled,
)
from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.status import (
    Passing,
    StatusWriter,
    invalid_spec,
    previous_conditions,
    requested_at,
    status_of,
)
from tidemill.engine.errors import Retry, Stalled
from tidemill.engine.result import Result
from tidemill.kube.errors import Unavailable
from tidemill.kube.resources import DATASETS

NOTHING = DatasetStatus.model_validate({})
TRAINS = progressing(Reason.INGESTING, "reads")


def writer(world: World) -> StatusWriter:
    return StatusWriter(world.context(), DATASETS, ConditionType.READY)


def body(world: World) -> dict[str, Any]:
    return world.put("Dataset", "d", {})


async def test_equal_status_is_not_written(world: World) -> None:
    live = body(world)
    await writer(world).write(live, NOTHING, TRAINS)
    world.wait(60)
    await writer(world).write(live, NOTHING, TRAINS)
    assert world.api.writes == ["status Dataset d"]


@pytest.mark.parametrize(
    ("verdict", "status", "types"),
    [
        (ready("fine"), "True", {"Ready"}),
        (TRAINS, "Unknown", {"Ready", "Reconciling"}),
        (stalled(Reason.NO_ROWS, "x"), "False", {"Ready", "Stalled"}),
        (Verdict("Unknown", Reason.SUSPENDED, "x"), "Unknown", {"Ready"}),
    ],
    ids=["ready", "progressing", "stalled", "suspended"],
)
async def test_conditions_are_read_as_kstatus_reads_them(
    world: World, verdict: Verdict, status: str, types: set[str]
) -> None:
    live = body(world)
    world.edit(live, suspend=False)
    await writer(world).write(live, NOTHING, verdict)
    found = live["status"]
    assert found["observedGeneration"] == 2
    assert found["conditions"][0]["type"] == "Ready"
    assert summary(live)["status"] == status
    assert condition_types(live) == types
    for condition in found["conditions"]:
        assert condition["reason"] == verdict.reason.value
        assert type(condition["reason"]) is str
        assert condition["observedGeneration"] == 2
        assert condition["message"]


async def test_the_time_of_a_condition_moves_only_with_its_status(world: World) -> None:
    live = body(world)
    await writer(world).write(live, NOTHING, TRAINS)
    first = summary(live)["lastTransitionTime"]
    world.wait(10)
    await writer(world).write(live, NOTHING, progressing(Reason.SETTLING, "waits"))
    assert summary(live)["lastTransitionTime"] == first
    world.wait(10)
    await writer(world).write(live, NOTHING, ready("fine"))
    assert summary(live)["lastTransitionTime"] > first


async def test_a_message_is_bounded(world: World) -> None:
    live = body(world)
    await writer(world).write(live, NOTHING, stalled(Reason.NO_ROWS, "x" * 10_000))
    assert len(summary(live)["message"]) == 4096
    assert len(world.api.events[0]["message"]) <= 1024


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, TRAINS, None),
        (None, ready("fine"), "Normal"),
        (TRAINS, ready("fine"), "Normal"),
        (ready("fine"), TRAINS, None),
        (ready("fine"), ready("finer"), None),
        (TRAINS, stalled(Reason.NO_ROWS, "x"), "Warning"),
        (stalled(Reason.NO_ROWS, "x"), stalled(Reason.NO_ROWS, "y"), None),
        (stalled(Reason.NO_ROWS, "x"), stalled(Reason.RAGGED_ROWS, "x"), "Warning"),
        (TRAINS, progressing(Reason.STORE_UNAVAILABLE, "x"), "Warning"),
        (TRAINS, progressing(Reason.WAITING_FOR_DATASET, "x"), "Warning"),
    ],
    ids=[
        "begins",
        "at once ready",
        "ready",
        "works again",
        "another message",
        "stalled",
        "stalled as before",
        "another reason",
        "store away",
        "waits for somebody",
    ],
)
async def test_an_event_is_for_an_end_or_for_somebody_to_act(
    world: World, before: Verdict | None, after: Verdict, told: str | None
) -> None:
    live = body(world)
    if before:
        await writer(world).write(live, NOTHING, before)
    world.api.events.clear()
    await writer(world).write(live, NOTHING, after)
    assert [event["type"] for event in world.api.events] == ([told] if told else [])
    for event in world.api.events:
        assert (event["reason"], event["message"]) == (after.reason.value, after.message)
        assert event["involvedObject"]["kind"] == "Dataset"


async def test_a_status_lands_on_no_namesake(world: World) -> None:
    old = dict(body(world))
    world.put("Dataset", "d", {})
    with pytest.raises(Retry):
        await writer(world).write(old, NOTHING, TRAINS)


ENDS: dict[str, tuple[Exception, ConditionStatus, str, set[str]]] = {
    "stalled": (Stalled(Reason.FORBIDDEN, "no"), "False", "Forbidden", {"Ready", "Stalled"}),
    "passing": (
        Passing(Reason.STORE_UNAVAILABLE, "no"),
        "False",
        "StoreUnavailable",
        {"Ready", "Reconciling"},
    ),
    "retry": (Retry("no"), "False", "Retrying", {"Ready", "Reconciling"}),
    "a fault of ours": (
        KeyError("secret-key=hunter2"),
        "False",
        "InternalError",
        {"Ready", "Reconciling"},
    ),
}


@pytest.mark.parametrize("case", ENDS)
async def test_what_stops_a_pass_is_told(world: World, case: str) -> None:
    error, status, reason, types = ENDS[case]
    live = body(world)
    world.request(live, "now")

    async def work() -> Result:
        raise error

    if isinstance(error, Stalled):
        result = await writer(world).guard(live, NOTHING, work())
        assert result.requeue_after
    else:
        with pytest.raises(type(error)):
            await writer(world).guard(live, NOTHING, work())
    assert (summary(live)["status"], summary(live)["reason"]) == (status, reason)
    assert condition_types(live) == types
    assert "hunter2" not in str(live["status"])
    assert "lastHandledReconcileAt" not in live["status"]


async def test_an_api_server_that_is_away_is_told_to_nobody(world: World) -> None:
    async def work() -> Result:
        raise Unavailable("away")

    with pytest.raises(Unavailable):
        await writer(world).guard(body(world), NOTHING, work())
    assert world.api.writes == []


async def test_a_pass_that_ends_well_is_left_alone(world: World) -> None:
    async def work() -> Result:
        return Result.after(5)

    assert await writer(world).guard(body(world), NOTHING, work()) == Result.after(5)
    assert world.api.writes == []


@pytest.mark.parametrize(
    ("notes", "value"),
    [(None, None), ({}, None), ({"tidemill.dev/reconcile-requested-at": "x" * 500}, "x" * 128)],
    ids=["no annotations", "none of ours", "long"],
)
def test_what_was_asked_for_is_bounded(notes: dict[str, str] | None, value: str | None) -> None:
    live: dict[str, Any] = {"metadata": {} if notes is None else {"annotations": notes}}
    assert requested_at(live) == value


async def test_what_was_asked_for_is_noted_and_forgotten_with_the_annotation(world: World) -> None:
    live = body(world)
    world.request(live, "now")
    await writer(world).write(live, NOTHING, ready("fine"))
    assert live["status"]["lastHandledReconcileAt"] == "now"
    del live["metadata"]["annotations"]
    await writer(world).write(live, status_of(DatasetStatus, live), ready("fine"))
    assert "lastHandledReconcileAt" not in live["status"]


@pytest.mark.parametrize(
    "status",
    [
        None,
        {"conditions": [{"type": "Ready"}]},
        {"version": "not a digest"},
        {"ingest": "x"},
        {"unknown": 1},
    ],
    ids=["none", "half a condition", "no digest", "wrong type", "of another version"],
)
def test_a_status_that_cannot_be_read_is_as_none(status: dict[str, Any] | None) -> None:
    live = {"metadata": {}} if status is None else {"metadata": {}, "status": status}
    assert status_of(DatasetStatus, live) == NOTHING
    assert previous_conditions(live) == []


def test_a_spec_that_cannot_be_read_names_the_field() -> None:
    with pytest.raises(ValueError, match="bucket") as caught:
        DatasetSpec.model_validate({"source": {"s3": {"format": "CSV"}}})
    verdict = invalid_spec(caught.value)  # type: ignore[arg-type]
    assert verdict.reason is Reason.SPEC_INVALID
    assert verdict.message.startswith("spec.source.s3.bucket: Field required")
