"""Dates and timestamps by day, and by year where days would be too many.

From 1900 to 2099 each day is counted (at most 73 049), outside of it each year from 1 to 9999; what
is further away counts as the nearest of these years. Days and years are of UTC.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

_EPOCH = date(1970, 1, 1)
DAY = 86_400_000_000
FIRST_DAY = (date(1900, 1, 1) - _EPOCH).days
LAST_DAY = (date(2099, 12, 31) - _EPOCH).days
# Years are told from days by being far away from all of them.
_YEARS = 1_000_000
MAX_BARS = 60


def micros_sql(moment: str) -> str:
    """Microseconds since 1970 of an SQL date or timestamp; NULL for NULL and for infinity."""
    return f"epoch_us({moment})"


def key_sql(micros: str) -> str:
    """The day (since 1970) or the year (plus a million) of an SQL number of microseconds."""
    day = f"(({micros}) - ((({micros}) % {DAY}) + {DAY}) % {DAY}) // {DAY}"
    year = f"year(make_timestamp({micros}))"
    return (
        f"CASE WHEN ({micros}) BETWEEN {FIRST_DAY * DAY} AND {(LAST_DAY + 1) * DAY - 1} "
        f"THEN {day} WHEN ({micros}) IS NOT NULL "
        # NULL is neither least nor greatest of anything.
        f"THEN least(greatest({year}, 1), 9999) + {_YEARS} END"
    )


@dataclass(frozen=True)
class Calendar:
    """Counts by key of `key_sql`, with the exact extremes in microseconds since 1970."""

    counts: tuple[tuple[int, int], ...]
    least: int | None
    greatest: int | None

    def bars(self) -> tuple[str, list[tuple[str, int]]]:
        """What a bar stands for, day to century, and the bars: the finest that are few."""
        if not self.counts:
            return "day", []
        counted_by_year = self.counts[-1][0] > _YEARS // 2
        for unit in ("year", "decade") if counted_by_year else ("day", "month", "year", "decade"):
            bars = _bars(self.counts, unit)
            if len(bars) <= MAX_BARS:
                return unit, bars
        return "century", _bars(self.counts, "century")

    def to_document(self) -> dict[str, Any]:
        return {"counts": self.counts, "least": self.least, "greatest": self.greatest}


def merge(parts: Iterable[Calendar]) -> Calendar:
    parts = list(parts)
    counts: Counter[int] = Counter()
    for part in parts:
        counts.update(dict(part.counts))
    return Calendar(
        tuple(sorted(counts.items())),
        min((part.least for part in parts if part.least is not None), default=None),
        max((part.greatest for part in parts if part.greatest is not None), default=None),
    )


def parse(document: dict[str, Any]) -> Calendar:
    """Read what `to_document` wrote; raises KeyError, TypeError or ValueError."""
    counts = tuple((int(key), int(count)) for key, count in document["counts"])
    return Calendar(counts, document["least"], document["greatest"])


def text(micros: int, *, dated: bool) -> str:
    """ISO 8601 of microseconds since 1970, whatever the year; the day alone for dates."""
    moment = str(np.datetime64(micros, "us"))
    return moment[:-16] if dated else moment.removesuffix(".000000") + "Z"


def _bars(counts: tuple[tuple[int, int], ...], unit: str) -> list[tuple[str, int]]:
    """All units from the first to the last, those without a row included."""
    places: Counter[int] = Counter()
    for key, count in counts:
        places[_place(key, unit)] += count
    span = range(min(places), max(places) + 1)
    return [(_name(place, unit), places[place]) for place in span]


def _place(key: int, unit: str) -> int:
    if key > _YEARS // 2:
        year, month, day = key - _YEARS, 1, (date(key - _YEARS, 1, 1) - _EPOCH).days
    else:
        found = _EPOCH + timedelta(days=key)
        year, month, day = found.year, found.month, key
    match unit:
        case "day":
            return day
        case "month":
            return year * 12 + month - 1
        case _:
            return year // {"year": 1, "decade": 10, "century": 100}[unit]


def _name(place: int, unit: str) -> str:
    match unit:
        case "day":
            return (_EPOCH + timedelta(days=place)).isoformat()
        case "month":
            return f"{place // 12:04}-{place % 12 + 1:02}"
        case "year":
            return f"{place:04}"
        case "decade":
            return f"{place * 10:04}s"
        case _:
            return f"{place * 100:04}s"
