"""The times of a cron expression in a time zone. Pure.

Where clocks are put forward, a time that is skipped comes at once after; where they are put back, a
time that there is twice comes once, the first time. Where the expression's minute or hour begins
with a star, time is taken as it passes. So does cron.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from tidemill.api.v1alpha1.dataset import Refresh
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.engine.errors import Stalled

FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
EXAMPLE = 'as in "0 3 * * 1-5", 03:00 from Monday to Friday'
SOME_DAY = datetime(2000, 1, 1, tzinfo=UTC)
NOT_PLACES = {"localtime", "posixrules", "Factory"}  # files beside the zones that say none


@dataclass(frozen=True, slots=True)
class Timetable:
    """When something is due."""

    expression: str
    zone: tzinfo

    def after(self, moment: datetime) -> datetime:
        """Give the first time after a moment, in UTC."""
        for time in CronSim(self.expression, moment.astimezone(self.zone)):
            # In an hour that there is twice the first of them may be meant, which has passed.
            if (found := time.astimezone(UTC)) > moment:
                return found
        raise _invalid(f"{self.expression!r} names a day that never comes")

    def due(self, last: datetime | None, now: datetime) -> bool:
        """Tell whether a time came since the last one was honoured; many missed ones are one.

        A last time in the future was told by a clock that was wrong: it does not count.
        """
        return last is None or last > now or self.after(last) <= now


def timetable_of(refresh: Refresh | None) -> Timetable | None:
    """Read what is asked for; None where nothing is. Raises Stalled with what is wrong with it."""
    if refresh is None or refresh.schedule is None:
        return None
    zone = _zone(refresh.time_zone)
    found = Timetable(_expression(refresh.schedule), zone)
    found.after(SOME_DAY)
    return found


def _expression(schedule: str) -> str:
    text = schedule.strip()
    if text.startswith("@"):
        if text not in MACROS:
            known = ", ".join(MACROS)
            raise _invalid(f"{text!r} is none of {known}")
        return MACROS[text]
    parts = text.split()
    if len(parts) != len(FIELDS):
        wanted = ", ".join(FIELDS)
        message = f"{text!r} has {len(parts)} parts and not the five {wanted}"
        if "TZ=" in text:
            message += "; a time zone is named in spec.refresh.timeZone"
        raise _invalid(message)
    for place, (name, part) in enumerate(zip(FIELDS, parts, strict=True)):
        alone = ["*"] * len(FIELDS)
        alone[place] = part
        if not _reads(alone):
            raise _invalid(f"the {name} {part!r} cannot be read")
    if not _reads(parts):
        raise _invalid(f"{text!r} names a day that never comes")
    return " ".join(parts)


def _reads(parts: list[str]) -> bool:
    try:
        CronSim(" ".join(parts), SOME_DAY)
    except (CronSimError, ValueError, AssertionError):
        return False
    return True


def _zone(name: str | None) -> tzinfo:
    if name is None or name == "UTC":
        return UTC
    try:
        return ZoneInfo("" if name in NOT_PLACES else name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"there is no time zone {name!r}: name one as Europe/Berlin or UTC"
        raise Stalled(Reason.SPEC_INVALID, f"spec.refresh.timeZone: {message}") from error


def _invalid(message: str) -> Stalled:
    return Stalled(Reason.SPEC_INVALID, f"spec.refresh.schedule: {message}: write it {EXAMPLE}")
