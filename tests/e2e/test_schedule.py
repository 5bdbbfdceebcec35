"""Data that is looked at when a schedule says, and at no other time."""

from typing import Any

import pytest
from tests.e2e import specs
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import assert_refused
from tests.e2e.test_path import rows
from tests.e2e.world import World, settled, summary

REQUESTED = "tidemill.dev/reconcile-requested-at"


def scheduled(prefix: str, schedule: str, **refresh: str) -> dict[str, Any]:
    return {
        **specs.dataset(prefix),
        "refresh": {"schedule": schedule, "settlePeriod": "1s", **refresh},
    }


def test_a_change_waits_for_the_minute_and_is_then_versioned(world: World, raw: RawStore) -> None:
    prefix = f"{world.namespace}/"
    raw.put(f"{prefix}one.csv", rows(40))
    world.apply("Dataset", "data", scheduled(prefix, "* * * * *"))
    first = world.wait_ready("Dataset", "data")["status"]
    assert [version["why"] for version in first["versions"]] == ["Created"]
    # All times before this one have been honoured, by listings that are over.
    following = first["nextRefreshTime"]
    assert first["lastRefreshTime"] < following

    raw.put(f"{prefix}two.csv", rows(60))
    body = world.wait(
        "Dataset", "data", lambda b: settled(b) and b["status"]["version"] != first["version"]
    )
    made = body["status"]["versions"][0]
    assert (made["why"], made["rows"]) == ("Scheduled", 100)
    assert made["createdAt"] >= following
    assert body["status"]["lastRefreshTime"] >= following


def test_between_times_no_wake_up_looks_but_one_that_is_asked_for(
    world: World, raw: RawStore
) -> None:
    prefix = f"{world.namespace}/"
    raw.put(f"{prefix}one.csv", rows(40))
    rare = scheduled(prefix, "0 0 29 2 *", timeZone="Europe/Berlin")
    world.apply("Dataset", "data", rare)
    first = world.wait_ready("Dataset", "data")["status"]
    assert first["nextRefreshTime"].endswith("-02-28T23:00:00Z")

    raw.put(f"{prefix}two.csv", rows(60))
    world.patch("Dataset", "data", {"spec": {"suspend": True}})
    world.wait_reason("Dataset", "data", "Suspended")
    world.patch("Dataset", "data", {"spec": {"suspend": False}})
    body = world.wait("Dataset", "data", lambda b: settled(b) and summary(b)["reason"] == "Ready")
    assert body["status"]["version"] == first["version"]
    assert body["status"]["source"] == first["source"]
    assert body["status"]["nextRefreshTime"] == first["nextRefreshTime"]

    world.patch("Dataset", "data", {"metadata": {"annotations": {REQUESTED: "now"}}})
    again = world.wait(
        "Dataset", "data", lambda b: settled(b) and b["status"]["version"] != first["version"]
    )["status"]
    assert again["rows"] == 100
    assert again["source"]["objects"] == 2


BAD: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "hour": ({"schedule": "0 25 * * *"}, ("spec.refresh.schedule", "hour '25'", "0 3 * * 1-5")),
    "never": ({"schedule": "0 0 31 2 *"}, ("spec.refresh.schedule", "never comes")),
    "zone": ({"schedule": "@daily", "timeZone": "Europe/Bärlin"}, ("spec.refresh.timeZone",)),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_schedule_is_refused(world: World, name: str) -> None:
    refresh, tells = BAD[name]
    world.apply("Dataset", "data", scheduled(f"{world.namespace}/", **refresh))
    assert_refused(world, "Dataset", "data", "SpecInvalid", tells)
