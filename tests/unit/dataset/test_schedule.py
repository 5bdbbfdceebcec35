"""A Dataset with a schedule: when its source is looked at, and what is said of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.children.world import World, condition_types, summary
from tests.unit.dataset.scene import SPEC
from tests.unit.dataset.scheduled_scene import (
    HALF_AN_HOUR,
    HOURLY,
    KIND,
    NAME,
    ONE,
    START,
    Counted,
    delivered,
    look,
    note,
    quiet,
    ready,
    run_jobs,
    wake,
    whys,
)

from tidemill.dataset import observe
from tidemill.kube.resources import JOBS
from tidemill.store.errors import AccessDenied, Unavailable


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return delivered(monkeypatch)


async def test_the_first_look_is_at_once_and_the_next_time_is_told(
    world: World, raw: Counted
) -> None:
    body = await ready(world)
    assert raw.listings > 1
    assert whys(body) == ["Created"]
    assert body["status"]["lastRefreshTime"] == "2025-01-01T00:20:10Z"
    assert body["status"]["nextRefreshTime"] == "2025-01-01T01:00:00Z"


async def test_between_times_nothing_is_listed_read_or_written(world: World, raw: Counted) -> None:
    await ready(world)
    raw.objects["d/b.csv"] = b"a\n2\n"
    before = (raw.listings, len(world.api.writes))
    for _ in range(20):
        world.wait(115.5)
        result = await wake(world)
        assert world.now + timedelta(seconds=result.requeue_after) == ONE
    assert (raw.listings, len(world.api.writes)) == before
    assert world.now < ONE


@pytest.mark.parametrize("waited", [0.0, 1.0, 1799.25, 2389.999])
async def test_it_comes_back_at_the_very_time(world: World, raw: Counted, waited: float) -> None:
    await ready(world)
    assert raw.listings
    world.wait(waited)
    result = await wake(world)
    assert result.requeue_after == pytest.approx(2390 - waited)


async def test_at_its_time_a_change_is_found_settles_and_is_versioned(
    world: World, raw: Counted
) -> None:
    body = await ready(world)
    raw.objects["d/b.csv"] = b"a\n2\n"
    world.now = ONE
    await quiet(world)
    assert summary(body)["reason"] == "Settling"
    raw.objects["d/c.csv"] = b"a\n3\n"  # while it settles
    world.wait(10)
    await quiet(world)
    assert summary(body)["reason"] == "Settling"
    world.wait(10)
    await quiet(world)
    run_jobs(world)
    await quiet(world)
    assert whys(body) == ["Scheduled", "Created"]
    assert body["status"]["lastRefreshTime"] == "2025-01-01T01:00:20Z"
    assert body["status"]["nextRefreshTime"] == "2025-01-01T02:00:00Z"


async def test_a_look_that_finds_nothing_new_ends_at_once(world: World, raw: Counted) -> None:
    body = await ready(world)
    version, before = body["status"]["version"], raw.listings
    world.now = ONE
    for _ in range(4):
        await wake(world)
    assert raw.listings == before + 1
    assert body["status"]["version"] == version
    assert body["status"]["lastRefreshTime"] == "2025-01-01T01:00:00Z"


async def test_times_that_were_missed_are_one_look(world: World, raw: Counted) -> None:
    await ready(world)
    before = raw.listings
    world.wait(5 * 24 * 3600 + 60)
    for _ in range(4):
        await wake(world)
    assert raw.listings == before + 1


async def test_suspended_it_is_not_looked_at_and_a_missed_time_counts_once(
    world: World, raw: Counted
) -> None:
    body = await ready(world)
    before = raw.listings
    world.edit(body, suspend=True)
    await quiet(world)
    assert "nextRefreshTime" not in body["status"]
    world.wait(HALF_AN_HOUR)
    world.edit(body, suspend=False)
    await quiet(world)
    assert (raw.listings, summary(body)["reason"]) == (before, "Ready")
    assert body["status"]["nextRefreshTime"] == "2025-01-01T01:00:00Z"
    world.edit(body, suspend=True)
    world.wait(4 * 3600)
    await quiet(world)
    assert raw.listings == before
    world.edit(body, suspend=False)
    for _ in range(4):
        await wake(world)
    assert raw.listings == before + 1


async def test_a_reconcile_asked_for_looks_and_stays_until_it_has_settled(
    world: World, raw: Counted
) -> None:
    body = await ready(world)
    raw.objects["d/b.csv"] = b"a\n2\n"
    world.wait(60)
    world.request(body, "now")
    await look(world)
    assert len(whys(body)) == 2
    assert body["status"]["lastHandledReconcileAt"] == "now"
    before = raw.listings
    await wake(world)
    assert raw.listings == before


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"prepare": {"sql": "SELECT a FROM source"}}, "SpecChanged"),
        ({"checks": [{"name": "x", "expression": "a > 0"}]}, "SpecChanged"),
        ({"source": {"s3": {**SPEC["source"]["s3"], "format": "Parquet"}}}, "SpecChanged"),
        ({"refresh": {"schedule": "30 * * * *"}}, None),
        ({"refresh": {**HOURLY, "timeZone": "Europe/Berlin"}}, None),
        ({"template": {"resources": {"limits": {"memory": "9Gi"}}}}, None),
    ],
    ids=["query", "check", "source", "schedule", "zone", "template"],
)
async def test_what_is_asked_of_the_data_is_looked_for_at_once(
    world: World, raw: Counted, change: dict[str, Any], why: str | None
) -> None:
    body = await ready(world)
    before = raw.listings
    world.wait(60)
    world.edit(body, **change)
    await quiet(world)
    assert (raw.listings > before) is (why is not None)
    assert [note(job, "why") for job in world.api.all(JOBS)] == [why or "Created"]


async def test_a_change_asked_for_outlives_a_store_that_is_away(world: World, raw: Counted) -> None:
    body = await ready(world)
    world.wait(60)
    raw.fault = Unavailable("away")
    world.edit(body, prepare={"sql": "SELECT a FROM source"})
    for _ in range(3):
        assert await wake(world) is None
    assert summary(body)["reason"] == "StoreUnavailable"
    raw.fault = None
    await look(world)
    assert (summary(body)["reason"], len(world.api.all(JOBS))) == ("Ready", 1)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(Unavailable("away"), "StoreUnavailable"), (AccessDenied("no"), "AccessDenied")],
    ids=["away", "denied"],
)
@pytest.mark.parametrize("asked", [False, True], ids=["at its time", "asked for"])
async def test_a_look_that_fails_is_tried_until_it_succeeds(
    world: World, raw: Counted, fault: Any, reason: str, asked: bool
) -> None:
    body = await ready(world)
    raw.objects["d/b.csv"] = b"a\n2\n"
    raw.fault = fault
    world.wait(60 if asked else 3600)
    if asked:
        world.request(body, "now")
    for _ in range(3):
        await wake(world)
    assert summary(body)["reason"] == reason
    raw.fault = None
    world.wait(30)
    await look(world)
    assert summary(body)["reason"] == "Ready"
    assert len(whys(body)) == 2
    assert asked or whys(body)[0] == "Scheduled"


async def test_an_attempt_after_a_fault_is_of_the_same_look(world: World, raw: Counted) -> None:
    body = await ready(world)
    raw.objects["d/b.csv"] = b"a\n2\n"
    world.now = ONE
    await quiet(world)
    world.wait(10)
    await quiet(world)
    world.end_job(world.job(), "Failed", "BackoffLimitExceeded")
    await quiet(world)
    assert condition_types(body) == {"Ready", "Reconciling"}
    world.wait(300)
    await quiet(world)
    assert (note(world.job(), "attempt"), note(world.job(), "why")) == ("2", "Scheduled")
    run_jobs(world)
    await quiet(world)
    assert whys(body) == ["Scheduled", "Created"]
    assert "scheduled" not in body["status"]["ingest"]


async def test_a_delivery_that_was_rejected_rests_until_the_next_time(
    world: World, raw: Counted
) -> None:
    body = await ready(world)
    raw.objects["d/b.csv"] = b"a\n2\n"
    world.now = ONE
    await quiet(world)
    world.wait(10)
    await quiet(world)
    run_jobs(world, rejected={"reason": "ChecksFailed", "message": "x"})
    await quiet(world)
    assert summary(body)["reason"] == "DeliveryRejected"
    told, before = body["status"], raw.listings
    world.wait(HALF_AN_HOUR)
    await quiet(world)
    assert (raw.listings, body["status"]) == (before, told)
    world.edit(body, template={"resources": {"limits": {"memory": "9Gi"}}})
    await quiet(world)
    assert raw.listings > before
    assert note(world.job(), "attempt") == "2"


async def test_a_bad_schedule_is_told_and_the_version_stays(world: World, raw: Counted) -> None:
    body = await ready(world)
    before = raw.listings
    version = body["status"]["version"]
    world.edit(body, refresh={"schedule": "0 25 * * *"})
    await quiet(world)
    assert (summary(body)["reason"], condition_types(body)) == ("SpecInvalid", {"Ready", "Stalled"})
    assert "spec.refresh.schedule: the hour '25' cannot be read" in summary(body)["message"]
    assert (raw.listings, body["status"]["version"]) == (before, version)
    world.edit(body, refresh=HOURLY)
    await quiet(world)
    assert summary(body)["reason"] == "Ready"


async def test_a_schedule_that_comes_and_goes_makes_no_version(world: World, raw: Counted) -> None:
    world.now = START
    body = world.put(KIND, NAME, SPEC)
    await look(world)
    assert "nextRefreshTime" not in body["status"]
    world.edit(body, refresh=HOURLY)
    await quiet(world)
    assert body["status"]["nextRefreshTime"] == "2025-01-01T01:00:00Z"
    world.edit(body, refresh={})
    await quiet(world)
    assert {"nextRefreshTime", "lastRefreshTime"}.isdisjoint(body["status"])
    assert (whys(body), len(world.api.all(JOBS))) == (["Created"], 1)
    assert raw.listings


async def test_a_clock_that_was_ahead_keeps_nothing_back(world: World, raw: Counted) -> None:
    body = await ready(world)
    before = raw.listings
    world.now = datetime(2024, 6, 1, 5, 30, tzinfo=UTC)
    for _ in range(4):
        await wake(world)
    assert raw.listings == before + 1
    assert body["status"]["nextRefreshTime"] == "2024-06-01T06:00:00Z"


async def test_a_time_that_comes_during_a_pass_is_not_skipped(
    world: World, raw: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = await ready(world)
    world.now = datetime(2025, 1, 1, 0, 59, 59, tzinfo=UTC)
    world.request(body, "now")
    listed = raw.list

    async def slowly(prefix: str) -> Any:
        found = await listed(prefix)
        world.wait(5)
        return found

    monkeypatch.setattr(raw, "list", slowly)
    result = await wake(world)
    assert result.requeue_after == 1.0
    monkeypatch.undo()
    monkeypatch.setattr(observe, "ObjectStore", lambda _: raw)
    before = raw.listings
    await wake(world)
    assert raw.listings == before + 1
