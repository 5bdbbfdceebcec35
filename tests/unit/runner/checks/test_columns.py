"""Rules on a column: a table for each of what passes, what fails, at the bound, gaps, no rows."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from tests.unit.runner.checks.world import World, found

NAN, INF = float("nan"), float("inf")
BIG = 2**53
DAY = date(2026, 1, 2)
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "rule", "values", "expected"),
    [
        pytest.param("i", {"min": "2"}, [1, 2, 3, None], (3, 1), id="min at the bound"),
        pytest.param("i", {"max": "2"}, [1, 2, 3, None], (3, 1), id="max at the bound"),
        pytest.param("i", {"min": "1.5"}, [1, 2], (2, 1), id="a fraction against integers"),
        pytest.param("i", {"max": "-1.5"}, [-1, -2], (2, 1), id="a negative fraction"),
        pytest.param("i", {"max": "1e3"}, [1000, 1001], (2, 1), id="an exponent"),
        pytest.param("i", {"max": str(BIG)}, [BIG, BIG + 1], (2, 1), id="beyond 2^53, max"),
        pytest.param("i", {"min": str(BIG + 1)}, [BIG, BIG + 1], (2, 1), id="beyond 2^53, min"),
        pytest.param("i", {"max": f"{BIG}.5"}, [BIG, BIG + 1], (2, 1), id="beyond 2^53, between"),
        pytest.param(
            "i", {"min": str(-(2**63)), "max": str(2**63 - 1)}, [-(2**63), 0], (2, 0), id="64 bits"
        ),
        pytest.param("i", {"in": ["1", "2.0", "03"]}, [1, 2, 3, 4], (4, 1), id="integers by value"),
        pytest.param(
            "i", {"in": [str(BIG + 1)]}, [BIG, BIG + 1], (2, 1), id="integers by exact value"
        ),
        pytest.param("f", {"min": "0.1"}, [0.1, 0.09, None], (2, 1), id="float at the bound"),
        pytest.param("f", {"max": "0.1"}, [0.1, 0.11], (2, 1), id="float at the upper bound"),
        pytest.param("f", {"min": "0"}, [-0.0, 0.0], (2, 0), id="minus zero is zero"),
        pytest.param("f", {"min": "0"}, [NAN, INF, -INF, 1.0], (3, 2), id="min of infinity"),
        pytest.param("f", {"max": "0"}, [NAN, INF, -INF, -1.0], (3, 2), id="max of infinity"),
        pytest.param("f", {"in": ["0", "1.50"]}, [-0.0, 1.5, 2.0, NAN], (3, 1), id="floats"),
        pytest.param("f", {"nullable": False}, [1.0, NAN, None, INF], (4, 2), id="NaN is missing"),
        pytest.param("i", {"nullable": False}, [1, 2], (2, 0), id="nothing is missing"),
        pytest.param("b", {"in": ["true"]}, [True, False, None], (2, 1), id="booleans"),
        pytest.param("s", {"in": ["UP"]}, ["UP", "up", "", None], (3, 2), id="texts"),
        pytest.param("s", {"regex": "a+"}, ["aa", "ab", "", None], (3, 2), id="the whole text"),
        pytest.param("s", {"regex": "a.b"}, ["a\nb", "axb"], (2, 1), id="a dot is no new line"),
        pytest.param("s", {"regex": "a|bc"}, ["a", "bc", "abc"], (3, 1), id="all of a choice"),
        pytest.param("s", {"minLength": 2}, ["ab", "é", "🙂🙂"], (3, 1), id="characters, min"),
        pytest.param("s", {"maxLength": 1}, ["a", "é", "🙂", "ab"], (4, 1), id="characters, max"),
        pytest.param(
            "d", {"min": "2026-01-02"}, [DAY, date(2026, 1, 1)], (2, 1), id="date at the bound"
        ),
        pytest.param("d", {"in": ["2026-01-02"]}, [DAY, date(2026, 1, 1)], (2, 1), id="dates"),
        pytest.param(
            "t",
            {"max": "2026-01-02T03:04:05.000006Z"},
            [MOMENT, MOMENT.replace(microsecond=7)],
            (2, 1),
            id="microseconds",
        ),
        pytest.param(
            "t",
            {"in": ["2026-01-02 04:04:05.000006+01:00"]},
            [MOMENT, MOMENT.replace(hour=4)],
            (2, 1),
            id="zones",
        ),
        pytest.param(
            "t", {"min": "2026-01-02"}, [MOMENT, MOMENT.replace(day=1)], (2, 1), id="a day's start"
        ),
        pytest.param("s", {"unique": True}, ["a", "b", "a", None, None], (3, 1), id="unique"),
        pytest.param("f", {"unique": True}, [0.0, -0.0, NAN, NAN], (2, 1), id="unique floats"),
    ],
)
def test_a_rule(name: str, rule: dict[str, Any], values: list[Any], expected: Any) -> None:
    outcomes = World({name: values}).column(name, **rule)
    assert {found(outcome) for outcome in outcomes} == {expected}
    assert all(outcome.passed == (expected[1] == 0) for outcome in outcomes)


@pytest.mark.parametrize("values", [[], [None, None]], ids=["no rows", "all missing"])
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("i", {"min": "1"}),
        ("f", {"max": "1"}),
        ("s", {"regex": "x"}),
        ("s", {"in": ["x"]}),
        ("s", {"in": [f"x{n}" for n in range(20)]}),
        ("d", {"min": "2026-01-01"}),
        ("t", {"max": "2026-01-01"}),
        ("b", {"unique": True}),
    ],
)
def test_what_is_missing_violates_no_rule_on_values(
    name: str, rule: dict[str, Any], values: list[Any]
) -> None:
    (outcome,) = World({name: values}).column(name, **rule)
    assert (outcome.passed, found(outcome), outcome.skipped) == (True, (0, 0), len(values))
    assert outcome.message.endswith("nothing to judge")


@pytest.mark.parametrize(
    ("values", "passed"),
    [
        pytest.param([None] + [1] * 9, True, id="at the bound"),
        pytest.param([None] * 2 + [1] * 9, False, id="above"),
        pytest.param([None], False, id="all missing"),
        pytest.param([], True, id="no rows"),
    ],
)
def test_gaps_up_to_a_fraction(values: list[Any], passed: bool) -> None:
    (outcome,) = World({"i": values}).column("i", maxNullFraction="0.1")
    assert outcome.passed == passed


def test_violations_up_to_a_fraction_are_exact_decimals() -> None:
    world = World({"i": [0] * 3 + [1] * 7})
    (allowed,) = world.column("i", min="1", maxViolationFraction="0.3")
    (above,) = world.column("i", min="1", maxViolationFraction="0.299999")
    assert (allowed.passed, above.passed) == (True, False)
    assert allowed.fraction == 0.3


def test_the_fraction_of_violations_says_nothing_about_gaps() -> None:
    (outcome,) = World({"i": [None, 1]}).column("i", nullable=False, maxViolationFraction="0.9")
    assert not outcome.passed


def test_a_long_list_is_looked_up_at_once() -> None:
    world = World({"s": ["key 9999", "key 10000"]})
    world.connection.execute(
        "INSERT INTO staged SELECT 'key ' || (range % 20000), 'b.csv', range + 1 FROM range(200000)"
    )
    (outcome,) = world.column("s", in_=[f"key {n}" for n in range(10_000)])
    assert found(outcome) == (200_002, 100_001)
    assert outcome.where == (("a.csv", 2), *(("b.csv", 10_001 + n) for n in range(4)))


@pytest.mark.parametrize("name", ["i", "f", "d", "t"])
def test_a_long_list_of_values_that_are_no_texts(name: str) -> None:
    values = {"i": [-1, 7], "f": [-1.0, 0.5], "d": [DAY, date(2025, 1, 1)], "t": [MOMENT, MOMENT]}
    allowed = [str(-n) for n in range(20)]
    if name in "dt":
        allowed = [f"2026-01-{n:02d}" for n in range(1, 30)]
    (outcome,) = World({name: values[name]}).column(name, in_=allowed)
    assert found(outcome) == (2, 2 if name == "t" else 1)


def test_places_are_the_first_by_object_and_row() -> None:
    world = World({"i": [1, 0, 0, 1, 0, 0, 0, 0, 0]}, size=3)
    (outcome,) = world.column("i", min="1")
    assert outcome.where == (
        ("a.csv", 2),
        ("a.csv", 3),
        ("b.csv", 2),
        ("b.csv", 3),
        ("c.csv", 1),
    )
    assert outcome.message == (
        "spec.schema.columns[i].min: 7 of 9 values are below it, the first at "
        "a.csv, data row 2; a.csv, data row 3; b.csv, data row 2; b.csv, data row 3; "
        "c.csv, data row 1"
    )


def test_no_value_gets_into_an_outcome() -> None:
    world = World({"s": ["secret-1", "secret-1", "secret-2"], "i": [4711, 4711, 815]})
    rules = {"regex": "x", "maxLength": 1, "in": ["y"], "unique": True}
    columns = [
        {"name": "s", "sensitive": True, **rules},
        {"name": "i", "max": "1", "in": ["2"], "unique": True},
    ]
    checks = [
        {"name": "a", "expression": "CAST(s AS INTEGER) > 0"},
        {"name": "b", "monotonic": {"column": "i", "strict": True}},
        {"name": "c", "duplicateRows": {}},
    ]
    outcomes = world.outcomes(checks, {"columns": columns})
    assert not any(outcome.passed for outcome in outcomes)
    for value in ("secret", "4711", "815"):
        assert value not in repr(outcomes)
