"""The plugin's comparison is the runner's: on the same data they say the same."""

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.runner.profile.tables import profile, profile_of, table

from tidemill.cli import columns, difference
from tidemill_runner.profile import compare
from tidemill_runner.profile.classify import Verdict, classify
from tidemill_runner.profile.document import Profile
from tidemill_runner.schema import Column, ColumnType, Schema

Given = tuple[ColumnType, Sequence[Any]]
RNG = np.random.default_rng(5)
NORMAL = RNG.normal(10, 1, 3000)
INTEGER, FLOAT, STRING = ColumnType.INTEGER, ColumnType.FLOAT, ColumnType.STRING
BOOLEAN, DATE, TIMESTAMP = ColumnType.BOOLEAN, ColumnType.DATE, ColumnType.TIMESTAMP

NEW_YEAR = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
MARCH = dt.datetime(2020, 3, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def words(*counts: tuple[str, int]) -> Given:
    return STRING, [word for word, count in counts for _ in range(count)]


def days(first: dt.date, number: int) -> Given:
    return DATE, [first + dt.timedelta(days=n) for n in range(number)]


def times(first: dt.datetime, number: int) -> Given:
    return TIMESTAMP, [first + dt.timedelta(hours=n, microseconds=n) for n in range(number)]


def broken(before: Profile, after: Profile, found: compare.Comparison) -> bool:
    schemas = [
        Schema(tuple(Column(c.name, c.type, True) for c in p.columns)) for p in (before, after)
    ]
    return classify(schemas[0], schemas[1], found)[0] is Verdict.BREAKING


def assert_same(before: Profile, after: Profile) -> list[difference.Change]:
    expected = compare.compare(before, after)
    found = difference.compare(columns.parse(before.to_bytes()), columns.parse(after.to_bytes()))
    assert [(c.kind, c.column, c.message) for c in found] == [
        (str(c.kind), c.column, c.message) for c in expected.changes
    ]
    assert [c.importance for c in found] == pytest.approx([c.importance for c in expected.changes])
    assert any(c.breaking for c in found) == broken(before, after, expected)
    return found


CASES: dict[str, tuple[Given, Given]] = {
    "the same": ((FLOAT, NORMAL), (FLOAT, NORMAL)),
    "shift": ((FLOAT, NORMAL), (FLOAT, NORMAL + 0.5)),
    "unit": ((FLOAT, NORMAL), (FLOAT, NORMAL * 1000)),
    "smaller": ((FLOAT, -NORMAL), (FLOAT, -NORMAL / 10)),
    "coarse": ((FLOAT, 10.0 ** RNG.uniform(-300, 300, 3000)), (FLOAT, NORMAL)),
    "few numbers": ((INTEGER, [1, 2, 3] * 40), (INTEGER, [10, 20, 31] * 40)),
    "identifier": ((INTEGER, range(3000)), (INTEGER, range(9000, 12000))),
    "widened": ((INTEGER, [1, 2] * 20), (FLOAT, [1.0, 2.5] * 20)),
    "narrowed": ((FLOAT, [1.0, 2.5] * 20), (INTEGER, [1, 2] * 20)),
    "retyped": ((INTEGER, [1, 2] * 20), (STRING, ["1", "x"] * 20)),
    "lost": (words(("a", 500), ("b", 400), ("c", 100)), words(("a", 600), ("b", 400))),
    "rare lost": (words(("a", 990), ("b", 10)), words(("a", 1000))),
    "lost by chance": (words(("a", 19), ("b", 1)), words(("a", 20))),
    "new": (words(("a", 500), ("b", 500)), words(("a", 400), ("b", 400), ("c", 200))),
    "moved": (words(("a", 500), ("b", 500)), words(("a", 900), ("b", 100))),
    "many": (words(*((f"k{n}", 3) for n in range(30))), words(*((f"m{n}", 3) for n in range(30)))),
    "unbounded": (words(("a", 1500), ("b", 1500)), (STRING, [f"t{n}" for n in range(3000)])),
    "booleans": ((BOOLEAN, [True, False] * 200), (BOOLEAN, [True] * 400)),
    "gaps": ((FLOAT, NORMAL), (FLOAT, [None, math.nan, *NORMAL[:1500]] + [None] * 1000)),
    "infinite": ((FLOAT, NORMAL), (FLOAT, [math.inf, -math.inf, *NORMAL])),
    "all gone": ((FLOAT, NORMAL), (FLOAT, [None] * 3000)),
    "fewer rows": ((FLOAT, NORMAL), (FLOAT, NORMAL[:300])),
    "days": (days(dt.date(2020, 1, 1), 400), days(dt.date(2021, 1, 1), 400)),
    "old days": (days(dt.date(900, 1, 1), 40), days(dt.date(1500, 1, 1), 40)),
    "times": (times(NEW_YEAR, 90), times(MARCH, 90)),
    "to times": (days(dt.date(2020, 1, 1), 40), times(NEW_YEAR, 90)),
}


@pytest.mark.parametrize("name", CASES)
def test_both_say_the_same(name: str) -> None:
    before, after = CASES[name]
    found = assert_same(profile_of(x=before), profile_of(x=after))
    assert bool(found) == (name not in {"the same", "infinite"}), name


def test_columns_come_and_go_and_sensitive_ones_show_no_value() -> None:
    kinds = {"a": STRING, "b": INTEGER}
    cells = {"a": ["secret-one"] * 400, "b": [1] * 400}
    other = {"a": ["secret-two"] * 400, "b": [1000] * 400}
    objects = ["part"] * 400
    one = profile(table(kinds, cells, objects), kinds, ["a"])
    two = profile(table(kinds, other, objects), kinds, ["a"])
    found = assert_same(one, two)
    assert found
    assert "secret" not in str([change.to_dict() for change in found])
    # Once known, secret now: what was known then is not told either.
    assert_same(profile(table(kinds, cells, objects), kinds), two)
    assert_same(two, profile(table(kinds, cells, objects), kinds))
    assert_same(profile_of(a=(INTEGER, [1]), b=(FLOAT, [1.0])), profile_of(c=(STRING, ["x"])))


numbers = st.lists(st.one_of(st.floats(), st.none(), st.floats(0, 1)), min_size=1, max_size=60)
texts = st.lists(st.one_of(st.sampled_from("abcd"), st.none()), min_size=1, max_size=60)


@settings(max_examples=25, deadline=None)
@example([9006944413592130.0], [2.2250738585072014e-308], ["a"], ["a"])
@example([2.2250738585072014e-308], [1.7976931348623157e308], ["a"], ["a"])
@example([-5e-324], [1.7976931348623157e308], ["a"], ["a"])
@given(numbers, numbers, texts, texts)
def test_both_say_the_same_of_anything(
    x: list[Any], y: list[Any], a: list[Any], b: list[Any]
) -> None:
    one = {"n": (FLOAT, x * 40), "t": (STRING, (a * len(x) * 40)[: len(x) * 40])}
    two = {"n": (FLOAT, y * 40), "t": (STRING, (b * len(y) * 40)[: len(y) * 40])}
    assert_same(profile_of(**one), profile_of(**two))


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"v": 2}', b'{"v": 1, "rows": 1, "columns": [{}]}']
)
def test_what_is_no_profile_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        columns.parse(text)


@pytest.mark.parametrize(
    ("micros", "dated", "text"),
    [
        (0, True, "1970-01-01"),
        (1_500_000, False, "1970-01-01T00:00:01.500000Z"),
        (-86_400_000_000, False, "1969-12-31T00:00:00Z"),
        (10**18, False, "year 33658"),
    ],
)
def test_moments(micros: int, dated: bool, text: str) -> None:
    assert columns.moment(micros, dated=dated) == text
