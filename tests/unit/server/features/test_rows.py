"""A row of an online store: when it counts, and what of it is not as it was learnt."""

import json
import math
from typing import Any

import pytest
from tests.unit.server.features.table import tables

from tidemill.store import online
from tidemill_server.features.rows import Found, Outcome, read_row

LOAD, WEATHER = tables()
NOW = 1_800_000_000_000_000
HOUR = 3_600_000_000
GOOD = {"load": 1.5, "units": 7, "open": True, "more": "ignored"}


def text(known: int = NOW, **values: Any) -> bytes:
    return online.encode(known, {**GOOD, **values}).encode()


def test_a_row() -> None:
    assert read_row(text(), LOAD, NOW) == Found(Outcome.FOUND, [1.5, 7.0, 1.0])
    sky = online.encode(NOW, {"sky": "klar ☀"}).encode()
    assert read_row(sky, WEATHER, NOW) == Found(Outcome.FOUND, ["klar ☀"])


@pytest.mark.parametrize(
    ("age", "outcome"),
    [
        (0, Outcome.FOUND),
        (HOUR - 1, Outcome.FOUND),
        (HOUR, Outcome.FOUND),
        (HOUR + 1, Outcome.STALE),
        (10**18, Outcome.STALE),
        (-1, Outcome.MISSING),
    ],
    ids=["now", "a moment left", "as old as may be", "too old", "long ago", "of the future"],
)
def test_a_row_counts_while_it_is_fresh(age: int, outcome: Outcome) -> None:
    found = read_row(text(NOW - age), LOAD, NOW)
    assert found.outcome is outcome
    assert bool(found.values) is (outcome is Outcome.FOUND)


def test_without_a_greatest_age_none_is_too_old() -> None:
    row = online.encode(-(10**17), {"sky": None}).encode()
    assert read_row(row, WEATHER, NOW) == Found(Outcome.FOUND, [None])
    assert read_row(row.replace(b"-1", b"9"), WEATHER, NOW).outcome is Outcome.MISSING


def test_no_row_is_missing() -> None:
    assert read_row(None, LOAD, NOW) == Found(Outcome.MISSING)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (None, None), (-0.0, "-0.0")],
)
def test_numbers_that_json_has_none_for(value: float | None, wanted: str | None) -> None:
    [load, *_] = read_row(text(load=value), LOAD, NOW).values
    assert load == wanted if wanted is None else str(load) == wanted


@pytest.mark.parametrize(
    "change",
    [
        {"load": "1.5"},
        {"load": "infinity"},
        {"load": True},
        {"load": [1.5]},
        {"load": {}},
        {"load": 10**400},
        {"units": 7.0},
        {"units": True},
        {"units": 2**63},
        {"units": "7"},
        {"open": 1},
        {"open": "true"},
    ],
    ids=str,
)
def test_a_value_of_another_type_makes_the_row_invalid(change: dict[str, Any]) -> None:
    row = json.dumps({"t": NOW, "v": {**GOOD, **change}}).encode()
    assert read_row(row, LOAD, NOW) == Found(Outcome.INVALID)


@pytest.mark.parametrize("value", [7, True, ["klar"], "\ud800"], ids=repr)
def test_what_is_no_text_makes_the_row_invalid(value: Any) -> None:
    row = json.dumps({"t": NOW, "v": {"sky": value}}).encode()
    assert read_row(row, WEATHER, NOW) == Found(Outcome.INVALID)


@pytest.mark.parametrize(
    "row",
    [
        b"",
        b"\x80\x04K\x07.",
        b"[]",
        b"{}",
        b'{"t":1,"v":[]}',
        b'{"t":"now","v":{}}',
        b'{"t":1.5,"v":{"load":1,"units":1,"open":true}}',
        b'{"t":1,"v":{"load":1,"units":1}}',
        b"[" * 100_000,
        b'{"t":' + b"9" * 5000 + b',"v":{}}',
    ],
    ids=[
        *("empty", "a pickle", "a list", "nothing in it", "no values", "no time", "half a time"),
        *("a column less", "endless", "a time of 5000 digits"),
    ],
)
def test_what_cannot_be_read_is_invalid(row: bytes) -> None:
    assert read_row(row, LOAD, NOW) == Found(Outcome.INVALID)
