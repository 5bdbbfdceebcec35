"""Checks over the rows: how many, how fresh, in which order, how often the same."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tests.unit.runner.checks.world import NOW, World, found

from tidemill_runner.checks import neighbours
from tidemill_runner.checks.parse import parse
from tidemill_runner.checks.rule import Repeats

NAN = float("nan")


@pytest.mark.parametrize(
    ("bounds", "rows", "passed"),
    [
        ({"min": 2}, 2, True),
        ({"min": 3}, 2, False),
        ({"max": 2}, 2, True),
        ({"max": 1}, 2, False),
        ({"min": 1, "max": 3}, 2, True),
        ({"min": 1}, 0, False),
        ({"min": 0}, 0, True),
    ],
)
def test_the_number_of_rows(bounds: dict[str, int], rows: int, passed: bool) -> None:
    outcome = World({"i": [1] * rows}).check(rowCount=bounds)
    assert outcome.passed == passed
    assert f"{rows} rows" in outcome.message


@pytest.mark.parametrize(
    ("name", "values", "age", "passed"),
    [
        pytest.param("t", [NOW - timedelta(hours=2), None], "2h", True, id="at the bound"),
        pytest.param("t", [NOW - timedelta(hours=2, microseconds=1)], "2h", False, id="older"),
        pytest.param("t", [NOW - timedelta(days=9), NOW], "1m", True, id="the newest counts"),
        pytest.param("t", [NOW + timedelta(days=1)], "1m", False, id="the future is not fresh"),
        pytest.param(
            "t", [NOW + timedelta(days=1), NOW], "1m", True, id="beside one of the future"
        ),
        pytest.param("t", [None, None], "1m", False, id="all missing"),
        pytest.param("t", [], "1m", False, id="no rows"),
        pytest.param("d", [date(2026, 3, 10)], "12h", True, id="a date at 00:00"),
        pytest.param("d", [date(2026, 3, 10)], "11h", False, id="a date older"),
    ],
)
def test_how_fresh_the_newest_row_is(name: str, values: list[Any], age: str, passed: bool) -> None:
    outcome = World({name: values}).check(freshness={"column": name, "maxAge": age})
    assert outcome.passed == passed


@pytest.mark.parametrize(
    ("values", "spec", "expected"),
    [
        pytest.param([1, 2, 2, 3], {}, (3, 0), id="increasing"),
        pytest.param([1, 2, 2, 3], {"strict": True}, (3, 1), id="strictly"),
        pytest.param([3, 2, 2, 1], {"direction": "Decreasing"}, (3, 0), id="decreasing"),
        pytest.param([1, 3, 2, 4], {}, (3, 1), id="one step back"),
        pytest.param([2, None, 1], {}, (1, 1), id="across a gap"),
        pytest.param([None, None], {}, (0, 0), id="all missing"),
        pytest.param([1], {}, (0, 0), id="one row"),
        pytest.param([], {}, (0, 0), id="no rows"),
    ],
)
def test_order(values: list[Any], spec: dict[str, Any], expected: tuple[int, int]) -> None:
    outcome = World({"i": values}).check(monotonic={"column": "i", **spec})
    assert found(outcome) == expected


def test_order_goes_on_from_object_to_object_and_skips_nan() -> None:
    outcome = World({"f": [1.0, 2.0, NAN, 1.5]}, size=2).check(monotonic={"column": "f"})
    assert found(outcome) == (2, 1)
    assert outcome.where == (("b.csv", 2),)


def test_order_up_to_a_fraction() -> None:
    world = World({"t": [datetime(2026, 1, n, tzinfo=UTC) for n in (1, 3, 2, 4, 5)]})
    spec = {"monotonic": {"column": "t"}, "maxViolationFraction": "0.25"}
    assert world.check(**spec).passed
    assert not world.check(**spec | {"maxViolationFraction": "0.249"}).passed


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("columns", "expected", "where"),
    [
        pytest.param({"i": [1, 2], "s": ["a", "a"]}, (2, 0), (), id="different"),
        pytest.param(
            {"i": [1, 1, 1], "s": ["a", "a", "a"]},
            (3, 2),
            (("a.csv", 2), ("b.csv", 1)),
            id="twice again",
        ),
        pytest.param({"i": [1, 1, None], "s": ["a", None, None]}, (1, 0), (), id="a key missing"),
        pytest.param({"i": [None], "s": [None]}, (0, 0), (), id="all missing"),
        pytest.param({"i": [], "s": []}, (0, 0), (), id="no rows"),
    ],
)
def test_keys_that_repeat(columns: Any, expected: Any, where: Any, exact: bool) -> None:
    outcome = World(columns, size=2).check(unique={"columns": ["i", "s"], "exact": exact})
    assert (found(outcome), outcome.where) == (expected, where)


def test_a_sample_by_value_finds_true_repetitions_only() -> None:
    world = World({"i": []})
    world.connection.execute(
        "INSERT INTO staged SELECT CASE WHEN range < 9000 THEN range ELSE range - 8000 END, "
        "'a.csv', range + 1 FROM range(10000)"
    )
    (rule,) = parse(None, [{"name": "u", "unique": {"columns": ["i"]}}], world.schema).rules
    assert isinstance(rule, Repeats)
    parts = neighbours.sampled(rule, 10_000, sample=2_500)
    tally = neighbours.repeats(world.connection, rule, parts)
    outcome = neighbours.outcome(rule, tally, 10_000, parts)
    assert 1_500 < outcome.evaluated < 3_500
    # A tenth of the rows repeat one of the thousand from 1 000.
    assert outcome.fraction == pytest.approx(0.1, abs=0.03)
    assert all(row > 9_000 for _, row in outcome.where)
    clean = World({"i": []})
    clean.connection.execute("INSERT INTO staged SELECT range, 'a.csv', range + 1 FROM range(9999)")
    assert neighbours.repeats(clean.connection, rule, parts).violations == 0


@pytest.mark.parametrize(
    ("columns", "expected", "where"),
    [
        pytest.param({"i": [1, 1], "f": [1.0, 2.0]}, (2, 0), (), id="different"),
        pytest.param({"i": [1, 1], "f": [1.0, 1.0]}, (2, 1), (("a.csv", 2),), id="equal"),
        pytest.param({"i": [None, None], "f": [None, NAN]}, (2, 1), (("a.csv", 2),), id="gaps"),
        pytest.param({"i": [], "f": []}, (0, 0), (), id="no rows"),
    ],
)
def test_rows_that_are_equal(columns: Any, expected: Any, where: Any) -> None:
    outcome = World(columns).check(duplicateRows={})
    assert (found(outcome), outcome.where) == (expected, where)


def test_checks_come_in_their_order_with_their_severity() -> None:
    checks = [
        {"name": "dup", "duplicateRows": {}, "severity": "Warn"},
        {"name": "many", "rowCount": {"min": 9}},
        {"name": "up", "monotonic": {"column": "i"}},
        {"name": "positive", "expression": "i > 0"},
    ]
    outcomes = World({"i": [1, 1]}).outcomes(checks)
    assert [(o.name, str(o.severity), o.passed) for o in outcomes] == [
        ("dup", "Warn", False),
        ("many", "Fail", False),
        ("up", "Fail", True),
        ("positive", "Fail", True),
    ]
