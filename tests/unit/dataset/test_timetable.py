"""The times of a schedule: zones, clocks that change, leap days, and what is no schedule."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.api.v1alpha1.dataset import Refresh
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.dataset.timetable import MACROS, Timetable, timetable_of
from tidemill.engine.errors import Stalled

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def timetable(schedule: str, zone: str | None = None) -> Timetable:
    found = timetable_of(Refresh(schedule=schedule, time_zone=zone))
    assert found is not None
    return found


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def times(schedule: str, zone: str | None, start: str, count: int) -> list[str]:
    """Give the next times in UTC, to the minute."""
    found, moment = [], utc(start)
    for _ in range(count):
        moment = timetable(schedule, zone).after(moment)
        assert (moment.tzinfo, moment.second, moment.microsecond) == (UTC, 0, 0)
        found.append(f"{moment:%m-%d %H:%M}")
    return found


NEXT: dict[str, tuple[str, str | None, str, list[str]]] = {
    "working days": (
        "0 3 * * 1-5",
        None,
        "2026-01-02 02:00",
        ["01-02 03:00", "01-05 03:00", "01-06 03:00"],
    ),
    "at the time itself the next one counts": (
        "0 3 * * *",
        "UTC",
        "2026-01-02 03:00",
        ["01-03 03:00"],
    ),
    "a second before": ("0 3 * * *", None, "2026-01-02 02:59:59.999", ["01-02 03:00"]),
    "names": ("0 0 * jan,mar mon", None, "2026-01-20", ["01-26 00:00", "03-02 00:00"]),
    "leap day": ("0 0 29 2 *", None, "2026-01-01", ["02-29 00:00", "02-29 00:00"]),
    "day or weekday": ("0 0 13 * 5", None, "2026-02-09", ["02-13 00:00", "02-20 00:00"]),
    "winter in Berlin": ("0 3 * * *", BERLIN, "2026-01-01", ["01-01 02:00"]),
    "summer in Berlin": ("0 3 * * *", BERLIN, "2026-07-01", ["07-01 01:00"]),
    "half an hour off": ("0 3 * * *", "Asia/Kolkata", "2026-07-01", ["07-01 21:30"]),
    "in the hour that is skipped": (
        "30 2 * * *",
        BERLIN,
        "2026-03-28 00:00",
        ["03-28 01:30", "03-29 01:00", "03-30 00:30"],
    ),
    "two in the hour that is skipped are one": (
        "15,45 2 * * *",
        BERLIN,
        "2026-03-28 02:00",
        ["03-29 01:00", "03-30 00:15"],
    ),
    "midnight is skipped": ("@daily", "America/Havana", "2026-03-08 04:00", ["03-08 05:00"]),
    "in the hour that there is twice": (
        "30 2 * * *",
        BERLIN,
        "2026-10-24 22:00",
        ["10-25 00:30", "10-26 01:30"],
    ),
    "seen from the second of both hours": (
        "45 2 * * *",
        BERLIN,
        "2026-10-25 01:30",
        ["10-26 01:45"],
    ),
    "each half hour while clocks go back": (
        "*/30 * * * *",
        NEW_YORK,
        "2026-11-01 05:00",
        ["11-01 05:30", "11-01 06:00", "11-01 06:30", "11-01 07:00"],
    ),
    "each half hour while clocks go forward": (
        "*/30 * * * *",
        NEW_YORK,
        "2026-03-08 06:15",
        ["03-08 06:30", "03-08 07:00", "03-08 07:30"],
    ),
    "hourly while clocks go back": (
        "@hourly",
        BERLIN,
        "2026-10-24 23:30",
        ["10-25 00:00", "10-25 01:00", "10-25 02:00"],
    ),
}


@pytest.mark.parametrize("case", NEXT)
def test_the_next_times(case: str) -> None:
    schedule, zone, start, expected = NEXT[case]
    assert times(schedule, zone, start, len(expected)) == expected


def test_a_leap_day_is_not_in_a_year_that_has_none() -> None:
    after = timetable("0 0 29 2 *").after(utc("2096-03-01"))
    assert after == utc("2104-02-29")  # 2100 has none


@pytest.mark.parametrize("macro", MACROS)
def test_the_words_for_common_times(macro: str) -> None:
    assert timetable(macro).after(utc("2026-06-10 12:34")) > utc("2026-06-10 12:34")


DUE: dict[str, tuple[str | None, str, bool]] = {
    "never looked": (None, "2026-01-01 12:00", True),
    "between two times": ("2026-01-01 03:00", "2026-01-02 02:59:59.999", False),
    "at the time": ("2026-01-01 03:00", "2026-01-02 03:00", True),
    "just after it was looked": ("2026-01-02 03:00", "2026-01-02 03:00:00.5", False),
    "many were missed": ("2025-01-01 03:00", "2026-01-02 02:00", True),
    "the many count once": ("2026-01-02 02:00", "2026-01-02 02:00:01", False),
    "a look before the time": ("2026-01-02 02:59:59", "2026-01-02 03:00", True),
    "clock a second back": ("2026-01-02 03:00:01", "2026-01-02 03:00", True),
    "clock years ahead once": ("2038-01-19 00:00", "2026-01-02 12:00", True),
}


@pytest.mark.parametrize("case", DUE)
def test_when_a_look_is_due(case: str) -> None:
    last, now, due = DUE[case]
    assert timetable("0 3 * * *").due(utc(last) if last else None, utc(now)) is due


BAD: dict[str, tuple[str, str]] = {
    "minute": ("60 3 * * *", "the minute '60' cannot be read"),
    "hour": ("0 24 * * *", "the hour '24' cannot be read"),
    "day": ("0 0 32 * *", "the day of the month '32' cannot be read"),
    "day zero": ("0 0 0 * *", "the day of the month '0' cannot be read"),
    "month": ("0 0 1 13 *", "the month '13' cannot be read"),
    "weekday": ("0 0 * * 8", "the day of the week '8' cannot be read"),
    "word": ("0 0 * * monday", "the day of the week 'monday' cannot be read"),
    "backwards": ("0 5-3 * * *", "the hour '5-3' cannot be read"),
    "step of nothing": ("*/0 * * * *", "the minute '*/0' cannot be read"),
    "half a range": ("0 5- * * *", "the hour '5-' cannot be read"),
    "comma too much": ("0 1, * * *", "the hour '1,' cannot be read"),
    "negative": ("-5 * * * *", "the minute '-5' cannot be read"),
    "question mark": ("0 3 ? * *", "the day of the month '?' cannot be read"),
    "digits of another script": ("٣ 3 * * *", "the minute '٣' cannot be read"),
    "31 February": ("0 0 31 2 *", "names a day that never comes"),
    "30 February": ("0 0 30 feb *", "names a day that never comes"),
    "first of the month, its second Monday": ("0 0 */31 * mon#2", "names a day that never comes"),
    "four parts": ("0 3 * *", "has 4 parts and not the five minute, hour"),
    "seconds": ("0 0 3 * * *", "has 6 parts and not the five minute, hour"),
    "zone inside": ("TZ=UTC 0 3 * * *", "a time zone is named in spec.refresh.timeZone"),
    "blank": ("   ", "has 0 parts"),
    "start of the machine": ("@reboot", "is none of @hourly, @daily"),
    "macro written wrong": ("@Daily", "is none of @hourly, @daily"),
    "line break": ("0 3 * *\n", "has 4 parts"),
    "quotes": ("'; DROP TABLE x; --", 'the minute "\';" cannot be read'),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_schedule_is_refused_by_its_part(case: str) -> None:
    schedule, told = BAD[case]
    with pytest.raises(Stalled) as caught:
        timetable(schedule)
    assert caught.value.reason is Reason.SPEC_INVALID
    assert caught.value.message.startswith("spec.refresh.schedule: ")
    assert told in caught.value.message
    assert caught.value.message.endswith('as in "0 3 * * 1-5", 03:00 from Monday to Friday')


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Berlinn",
        "Local",
        "localtime",
        "posixrules",
        "Europe",
        "../zoneinfo/UTC",
        "/etc/passwd",
        "\0",
    ],
)
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(Stalled) as caught:
        timetable("@daily", zone)
    assert caught.value.reason is Reason.SPEC_INVALID
    assert caught.value.message == (
        f"spec.refresh.timeZone: there is no time zone {zone!r}: name one as Europe/Berlin or UTC"
    )


def test_without_a_schedule_there_is_none() -> None:
    assert timetable_of(None) is None
    assert timetable_of(Refresh(poll_interval="5m")) is None


PARTS = st.sampled_from(["*", "*/7", "0", "30", "1-20/3", "5,10"])
HOURS = st.sampled_from(["*", "*/5", "2", "1-3", "0,23"])
ZONES = st.sampled_from(
    [None, "UTC", BERLIN, NEW_YORK, "Australia/Lord_Howe", "Pacific/Apia", "America/Havana"]
)
MOMENTS = st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(PARTS, HOURS, ZONES, MOMENTS)
def test_times_only_go_forward_and_are_those_of_the_expression(
    minute: str, hour: str, zone: str | None, moment: datetime
) -> None:
    found = timetable(f"{minute} {hour} * * *", zone)
    steps = [moment]
    for _ in range(6):
        steps.append(found.after(steps[-1]))
    assert all(a < b <= a + timedelta(hours=50) for a, b in pairwise(steps))
    middle = steps[2] + (steps[3] - steps[2]) / 2
    assert found.after(middle) == steps[3]
    assert not found.due(steps[2], middle)
    assert found.due(steps[2], steps[3])
    if minute == "30" and hour == "2" and zone:
        local = steps[3].astimezone(ZoneInfo(zone))
        assert (local.hour, local.minute) in {(2, 30), (3, 0)}
