"""What changed between two profiles, what did not, and what it means for those who use them."""

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance
from tests.unit.runner.profile.tables import profile, profile_of, schema, table

from tidemill.stats.effect import EFFECT, shares_floor
from tidemill_runner.profile import shift
from tidemill_runner.profile.classify import Verdict, classify
from tidemill_runner.profile.compare import Comparison, Kind, compare
from tidemill_runner.schema import Column, ColumnType, Schema

Given = tuple[ColumnType, Sequence[Any]]
RNG = np.random.default_rng(11)
NORMAL = RNG.normal(10, 1, 5000)
WIDE = 10.0 ** RNG.uniform(-300, 300, 600)
INTEGER, FLOAT, STRING = ColumnType.INTEGER, ColumnType.FLOAT, ColumnType.STRING


def words(shares: dict[str, float], rows: int = 2000) -> Given:
    found = [word for word, share in shares.items() for _ in range(round(share * rows))]
    return STRING, found


def days(first: dt.date, number: int) -> Given:
    return ColumnType.DATE, [first + dt.timedelta(days=n) for n in range(number)]


def difference(before: Given, after: Given) -> Comparison:
    return compare(profile_of(x=before), profile_of(x=after))


NOTHING: tuple[Kind, ...] = ()
EVEN = {"a": 0.5, "b": 0.44, "c": 0.06}


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        pytest.param((FLOAT, NORMAL), (FLOAT, NORMAL), NOTHING, id="the same"),
        pytest.param((FLOAT, NORMAL), (FLOAT, RNG.normal(10, 1, 5000)), NOTHING, id="chance"),
        pytest.param((FLOAT, NORMAL), (FLOAT, NORMAL + 0.5), (Kind.SHIFT,), id="half a sd"),
        pytest.param((FLOAT, NORMAL), (FLOAT, NORMAL + 0.1), NOTHING, id="too little to matter"),
        pytest.param(
            (FLOAT, NORMAL), (FLOAT, NORMAL * 1000), (Kind.SCALE, Kind.SHIFT, Kind.RANGE), id="unit"
        ),
        pytest.param(
            (FLOAT, -NORMAL),
            (FLOAT, -NORMAL / 10),
            (Kind.SCALE, Kind.SHIFT, Kind.RANGE),
            id="tenth",
        ),
        pytest.param(
            (FLOAT, NORMAL),
            (FLOAT, np.where(np.arange(5000) % 10, NORMAL, math.nan)),
            (Kind.MISSING,),
            id="NaN is missing",
        ),
        pytest.param((FLOAT, WIDE[:300]), (FLOAT, WIDE[300:]), NOTHING, id="over many orders"),
        pytest.param((FLOAT, NORMAL), (FLOAT, [*NORMAL, 9e9]), (Kind.RANGE,), id="one outlier"),
        pytest.param((FLOAT, NORMAL), (FLOAT, [None] * 5000), (Kind.MISSING,), id="all gone"),
        pytest.param((FLOAT, [None] * 500), (FLOAT, [None] * 500), NOTHING, id="never there"),
        pytest.param(
            (INTEGER, range(1000)),
            (INTEGER, range(100_000)),
            (Kind.ROWS, Kind.RANGE),
            id="an identifier grows",
        ),
        pytest.param(words(EVEN), words(EVEN, 1000), (Kind.ROWS,), id="half of the rows"),
        pytest.param(
            words(EVEN), words({"a": 0.5, "b": 0.5}), (Kind.CATEGORIES_LOST, Kind.SHIFT), id="lost"
        ),
        pytest.param(
            words({"a": 0.5, "b": 0.5}), words(EVEN), (Kind.CATEGORIES_NEW, Kind.SHIFT), id="new"
        ),
        pytest.param(
            words(EVEN),
            (STRING, [f"w{n}" for n in range(2000)]),
            (Kind.DISTINCT,),
            id="categories become texts",
        ),
        pytest.param(
            days(dt.date(2024, 1, 1), 100),
            days(dt.date(2024, 6, 1), 100),
            (Kind.RANGE,),
            id="time goes on",
        ),
        pytest.param(
            (INTEGER, [1, 2] * 50), (STRING, ["1", "2"] * 50), (Kind.TYPE_CHANGED,), id="type"
        ),
        pytest.param((FLOAT, []), (FLOAT, NORMAL), (Kind.ROWS,), id="from nothing"),
    ],
)
def test_what_changed(before: Given, after: Given, kinds: tuple[Kind, ...]) -> None:
    found = difference(before, after)
    assert {change.kind for change in found.changes} == set(kinds)
    assert [c.importance for c in found.changes] == sorted(
        (c.importance for c in found.changes), reverse=True
    )
    assert all(0 <= change.importance <= 1 for change in found.changes)
    assert len(found.to_dict()["changes"]) == len(found.changes)


def test_a_lost_column_comes_first() -> None:
    before = profile_of(a=(FLOAT, NORMAL), b=(FLOAT, NORMAL))
    after = profile_of(b=(FLOAT, NORMAL * 1000), c=(FLOAT, NORMAL))
    changes = compare(before, after).changes
    assert (changes[0].kind, changes[0].column) == (Kind.COLUMN_LOST, "a")
    assert changes[1].kind is Kind.SCALE
    assert (Kind.COLUMN_ADDED, "c") in {(change.kind, change.column) for change in changes}


@pytest.mark.parametrize("hidden", [("before",), ("after",), ("before", "after")])
def test_nothing_of_a_sensitive_column_is_told(hidden: tuple[str, ...]) -> None:
    kinds = {"x": STRING}
    parts = {
        when: profile(
            table(kinds, {"x": [f"{when}-secret"] * 300}, ["part.csv"] * 300),
            kinds,
            ["x"] if when in hidden else [],
        )
        for when in ("before", "after")
    }
    assert compare(parts["before"], parts["after"]).changes == ()


@pytest.mark.parametrize("moved", [0.0, 0.3, 3.0])
@pytest.mark.parametrize("centre", [0, 293])
def test_the_distance_of_numbers_is_that_of_all_rows(moved: float, centre: int) -> None:
    one, two = RNG.normal(centre, 2, 4000), RNG.normal(centre + moved, 2, 3000)
    before, after = (profile_of(x=(FLOAT, values)).columns[0].spread for values in (one, two))
    assert before is not None
    assert after is not None
    exact = stats.ks_2samp(one, two).statistic
    assert shift.numbers(before, after, 1).distance == pytest.approx(exact, abs=0.005)


def test_the_distance_of_categories_is_jensens_and_shannons() -> None:
    one, two = {"a": 50, "b": 30, "c": 20}, {"a": 10, "b": 30, "d": 60}
    exact = distance.jensenshannon([0.5, 0.3, 0.2, 0], [0.1, 0.3, 0, 0.6], base=2)
    assert shift.categories(one, two, 1).distance == pytest.approx(exact)


@pytest.mark.parametrize("rows", [100, 300, 1000, 20_000])
def test_chance_is_rarely_taken_for_a_shift(rows: int) -> None:
    """30 columns of equal distributions, 20 times: one in a hundred comparisons may err."""
    alarms = {"numbers": 0, "categories": 0}
    rng = np.random.default_rng(rows)
    for _ in range(20 * 30):
        one, two = (rng.multinomial(n, [0.3, 0.25, 0.2, 0.15, 0.1]) for n in (20_000, rows))
        pair = [dict(enumerate(counts.tolist())) for counts in (one, two)]
        alarms["categories"] += shift.categories(pair[0], pair[1], 30).matters
        gap = np.abs(np.cumsum(one) / 20_000 - np.cumsum(two) / rows).max()
        alarms["numbers"] += gap > max(EFFECT, shares_floor(20_000, rows, 30))
    assert max(alarms.values()) <= 2


@pytest.mark.parametrize(
    ("before", "after", "verdict", "reason"),
    [
        ([("x", INTEGER, False)], [("x", INTEGER, False)], Verdict.SAME, ""),
        ([("x", INTEGER, True)], [("x", INTEGER, False)], Verdict.SAME, ""),
        ([("x", INTEGER, False)], [("x", INTEGER, True)], Verdict.COMPATIBLE, "may now lack"),
        ([("x", INTEGER, False)], [("x", FLOAT, False)], Verdict.COMPATIBLE, "widened"),
        ([("x", FLOAT, False)], [("x", INTEGER, False)], Verdict.BREAKING, "changed from Float"),
        (
            [("x", ColumnType.DATE, False)],
            [("x", ColumnType.TIMESTAMP, False)],
            Verdict.COMPATIBLE,
            "widened from Date",
        ),
        ([("x", FLOAT, False)], [("x", STRING, False)], Verdict.BREAKING, "to String"),
        (
            [("x", FLOAT, False)],
            [("x", FLOAT, False), ("y", FLOAT, False)],
            Verdict.COMPATIBLE,
            "'y' (Float) is new",
        ),
        (
            [("x", FLOAT, False), ("y", FLOAT, False)],
            [("x", INTEGER, False)],
            Verdict.BREAKING,
            "'y' (Float) is gone",
        ),
    ],
)
def test_the_verdict_on_structure(
    before: list[Any], after: list[Any], verdict: Verdict, reason: str
) -> None:
    one, two = (Schema(tuple(Column(*given) for given in part)) for part in (before, after))
    found, reasons = classify(one, two, Comparison(0, 0, 0, ()))
    assert found is verdict
    assert reason in "; ".join(reasons)
    assert bool(reasons) == (verdict is not Verdict.SAME)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        pytest.param((FLOAT, NORMAL), (FLOAT, NORMAL * 10), Verdict.BREAKING, id="ten times"),
        pytest.param((FLOAT, NORMAL), (FLOAT, NORMAL * 9), Verdict.SAME, id="nine times"),
        pytest.param(words(EVEN), words({"a": 0.5, "b": 0.5}), Verdict.BREAKING, id="6 % gone"),
        pytest.param(words({"a": 0.96, "b": 0.04}), words({"a": 1.0}), Verdict.SAME, id="4 % gone"),
        pytest.param(words(EVEN), words({"a": 0.5, "b": 0.5}, 20), Verdict.SAME, id="20 rows"),
        pytest.param(
            (INTEGER, range(1000)), (INTEGER, range(50_000)), Verdict.SAME, id="identifier"
        ),
    ],
)
def test_the_verdict_on_values(before: Given, after: Given, verdict: Verdict) -> None:
    one = schema({"x": before[0]})
    assert classify(one, one, difference(before, after))[0] is verdict
