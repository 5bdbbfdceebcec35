"""Conditions in SQL: what they mean for a row, and everything else refused."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from tests.unit.runner.checks.world import KINDS, World, found

from tidemill_runner.checks import parse as parsing
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_runner.schema import Column, ColumnType, Schema

NAN, INF = float("nan"), float("inf")
SCHEMA = Schema(
    (
        *(Column(name, kind, nullable=True) for name, kind in KINDS.items()),
        Column("o", ColumnType.OTHER, nullable=True),
        Column("a.b", ColumnType.INTEGER, nullable=True),
    )
)
ROWS: dict[str, list[Any]] = {
    "i": [1, 2, None],
    "f": [0.5, NAN, -INF],
    "s": ["a", "B", None],
    "b": [True, False, None],
    "d": [date(2026, 1, 4), date(2025, 2, 3), None],
    "t": [datetime(2026, 1, 4, 5, tzinfo=UTC), datetime(2025, 2, 3, tzinfo=UTC), None],
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("i > 1", (2, 1)),
        ("NOT i > 1", (2, 1)),
        ("i = 1 OR s = 'B'", (2, 0)),
        ("i = 1 AND s = 'a'", (2, 1)),
        ("i BETWEEN 1 AND 2", (2, 0)),
        ("i NOT BETWEEN 1 AND 1", (2, 1)),
        ("i IN (1, 3)", (2, 1)),
        ("i NOT IN (1, 3)", (2, 1)),
        ("d IN (DATE '2026-01-04')", (2, 1)),
        ("i IS NULL", (3, 2)),
        ("i IS NOT NULL", (3, 1)),
        ("i IS DISTINCT FROM 1", (3, 1)),
        ("b", (2, 1)),
        ("b IS NOT TRUE", (3, 1)),
        ("CASE WHEN i = 1 THEN b ELSE NOT b END", (2, 0)),
        ("CASE i WHEN 1 THEN 'x' ELSE 'y' END = 'x'", (3, 2)),
        ("CAST(i AS DOUBLE) / 2 >= 0.75", (2, 1)),
        ("i::VARCHAR = '1'", (2, 1)),
        ("i * 2 - 1 + i % 2 = 2", (2, 1)),
        ("abs(-i) = 1", (2, 1)),
        ("round(i + 0.4) = 1", (2, 1)),
        ("s LIKE 'a%'", (2, 1)),
        ("s ILIKE 'b'", (2, 1)),
        ("s NOT LIKE 'a'", (2, 1)),
        ("s LIKE '%!a' ESCAPE '!'", (2, 1)),
        ("lower(s) = 'b'", (2, 1)),
        ("length(trim(s)) = 1", (2, 0)),
        ("s || 'x' = 'ax'", (2, 1)),
        ("starts_with(s, 'a')", (2, 1)),
        ("contains(s, 'a')", (2, 1)),
        ("regexp_matches(s, '[A-Z]')", (2, 1)),
        ("s ~ '[A-Z]'", (2, 1)),
        ("s SIMILAR TO '[A-Z]'", (2, 1)),
        ("regexp_matches(s, '[a-z]', 'i')", (2, 0)),
        ("coalesce(i, 1) = 1", (3, 1)),
        ("nullif(i, 1) = 2", (1, 0)),
        ("greatest(i, 2) = 2", (3, 0)),
        ("year(d) = 2026", (2, 1)),
        ("extract(month FROM t) = 1", (2, 1)),
        ("date_part('hour', t) = 5", (2, 1)),
        ("dayofweek(d) = 0", (2, 1)),
        ("d >= '2026-01-04'", (2, 1)),
        ("t >= TIMESTAMP '2026-01-04 05:00:00'", (2, 1)),
        ("t - d < INTERVAL 1 HOUR", (2, 1)),
        ("i > 1 -- a comment", (2, 1)),
        ("i = 9007199254740993 OR i < 10", (2, 0)),
        pytest.param("f >= 0", (2, 1), id="NaN is missing"),
        pytest.param("f <= 0", (2, 1), id="NaN is missing, below"),
        pytest.param("isnan(f)", (3, 2), id="NaN is found by who asks"),
        pytest.param("f - f >= 0", (1, 0), id="NaN computed is missing"),
        pytest.param("TRY_CAST(s AS DOUBLE) IS NULL", (3, 0), id="try cast"),
        pytest.param("CAST(s AS INTEGER) > 0", (2, 2), id="what fails is a violation"),
        pytest.param("10 // (i - 1) > 1", (2, 1), id="division by zero is a violation"),
        pytest.param(
            "i * i * 4611686018427387904 < 18446744073709551615",
            (2, 1),
            id="overflow is a violation",
        ),
        pytest.param("(" * 200 + "i > 1" + ")" * 200, (2, 1), id="many parentheses"),
        pytest.param("i IN (" + ", ".join("1" * 400) + ")", (2, 1), id="many constants"),
        pytest.param(" OR ".join(["i = 1"] * 200), (2, 1), id="many alternatives"),
    ],
)
def test_a_condition(expression: str, expected: tuple[int, int]) -> None:
    outcome = World(ROWS).check(expression=expression)
    assert found(outcome) == expected
    assert outcome.skipped == 3 - expected[0]


def test_what_could_not_be_computed_is_told() -> None:
    outcome = World(ROWS).check(expression="CAST(s AS INTEGER) > 0")
    assert "2 of them because it cannot be computed" in outcome.message
    assert outcome.where == (("a.csv", 1), ("a.csv", 2))


def test_a_condition_is_the_same_in_every_time_zone() -> None:
    world = World(ROWS)
    world.connection.execute("SET TimeZone = 'Asia/Tokyo'")
    assert found(world.check(expression="hour(t) IN (0, 5)")) == (2, 0)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("(SELECT 1) = i", ["subquery"]),
        ("i IN (SELECT 1)", ["subquery"]),
        ("EXISTS (FROM rows)", ["subquery"]),
        ("i = ANY ([1])", ["subquery"]),
        ("*", ["star"]),
        ("COLUMNS(*) > 1", ["star"]),
        ("count(*) > 1", ["count"]),
        ("sum(i) > 1", ["sum"]),
        ("sum(i) OVER () > 1", ["window"]),
        ("lag(i) OVER () > 1", ["window"]),
        ("unnest([i]) > 1", ["unnest"]),
        ("list_filter([i], x -> x > 1) = []", ["list_filter"]),
        ("x -> i", ["lambda"]),
        ("i = $1", ["parameter"]),
        ("i = ?", ["parameter"]),
        ("i = $name", ["parameter"]),
        ("read_text('/etc/passwd') = s", ["read_text"]),
        ("getenv('HOME') = s", ["getenv"]),
        ("current_setting('x') = s", ["current_setting"]),
        ("random() > f", ["random"]),
        ("t < now()", ["now"]),
        ("t < current_timestamp", ["no column 'current_timestamp'"]),
        ("main.abs(i) > 1", ["main.abs"]),
        ("abs(x := i) > 1", ["abs"]),
        ("abs(DISTINCT i) > 1", ["abs"]),
        ("s COLLATE nocase = 'a'", ["collate"]),
        ("[i][1] = 1", ["array extract"]),
        ("{'a': i}.a = 1", ["struct"]),
        ("#1 > 1", ["positional reference"]),
        ("i IN (i, 2)", ["constants"]),
        ("regexp_matches(s, s)", ["argument 2 of regexp_matches must be a constant"]),
        ("regexp_matches(s, '(')", ["missing )"]),
        ("regexp_matches(s, '(?=a)')", ["invalid"]),
        ("date_part(s, d) = 1", ["argument 1 of date_part must be a constant"]),
        ("s::INTEGER[] IS NULL", ["a cast to list"]),
        ("s::my_type = 1", ["a cast to my_type"]),
        ("s::main.INTEGER = 1", ["a cast to main.INTEGER"]),
        ("t::TIMESTAMPTZ = t", ["a cast to TIMESTAMPTZ"]),
        ("s = x'00'", ["hex"]),
        ("i & 1 = 1", ["&"]),
        ("s GLOB '*'", ["~~~"]),
        ("i", ["BIGINT", "compare"]),
        ("f", ["DOUBLE"]),
        ("1 = 1", ["names no column"]),
        ("i > 'x'", ["'x'"]),
        ("d > '2026-13-01'", ["2026-13-01"]),
        ("d = CAST('x' AS DATE)", ["x"]),
        ("abs(s) > 1", ["abs(VARCHAR)"]),
        ("s > 1", ["VARCHAR"]),
        ("i > 1; DROP TABLE staged", ["one condition"]),
        ("i > 1; SELECT 1", ["one condition"]),
        ("i > 1 FROM rows", ["one condition"]),
        ("i > 1 WHERE true", ["one condition"]),
        ("i > 1, i > 2", ["one condition"]),
        ("i > 1 AS x", ["one condition"]),
        ("i > 0x1F", ["one condition"]),
        ("i > 1 UNION SELECT true", ["one condition"]),
        ("i > 1 ORDER BY 1", ["one condition"]),
        ("i > 1 LIMIT 1", ["one condition"]),
        ("DISTINCT i > 1", ["one condition"]),
        ("i > 1 GROUP BY ALL", ["one condition"]),
        ("i > 1) OR (true", ["syntax error"]),
        ("i >", ["syntax error"]),
        ("", ["SELECT clause"]),
        ("i /* open", ["unterminated"]),
        ("NOT " * 100 + "b", ["nested"]),
        ("NOT " * 900 + "b", [""]),
        ("-" * 900 + "i > 0", [""]),
        ("a.b > 1", ['"a.b"']),
        ("rows.i > 1", ['"rows.i"']),
        ("__row > 1", ["no column '__row'"]),
        ("I > 1", ["no column 'I'", "did you mean 'i'"]),
        ("lenght(s) > 1", ["did you mean 'length'"]),
        ("o IS NULL", ["'o'", "Other"]),
    ],
)
def test_everything_else_is_refused(expression: str, words: list[str]) -> None:
    with pytest.raises(Failure) as caught:
        parsing.parse(None, [{"name": "a", "rowCount": {}}, {"expression": expression}], SCHEMA)
    assert (caught.value.reason, caught.value.exit_code) == ("CheckInvalid", Exit.USER)
    for word in ("spec.checks[1].expression: ", *words):
        assert word in caught.value.message


def test_a_name_with_a_dot_is_quoted() -> None:
    world = World({"a.b": [1, 2]}, {"a.b": ColumnType.INTEGER})
    assert found(world.check(expression='"a.b" > 1')) == (2, 1)
