"""Declarations that contradict themselves or the types: refused by the field's name."""

from typing import Any

import pytest
from tests.unit.runner.checks.world import KINDS

from tidemill_runner.checks.parse import parse
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_runner.schema import Column, ColumnType, Schema

SCHEMA = Schema(
    (
        *(Column(name, kind, nullable=True) for name, kind in KINDS.items()),
        Column("o", ColumnType.OTHER, nullable=True),
    )
)


def refusal(schema: Any, checks: Any) -> str:
    with pytest.raises(Failure) as caught:
        parse(schema, checks, SCHEMA)
    assert (caught.value.reason, caught.value.exit_code) == ("CheckInvalid", Exit.USER)
    return caught.value.message


@pytest.mark.parametrize(
    ("entry", "part", "words"),
    [
        ({"name": "i", "min": "2", "max": "1"}, "min", ["2", "1 (max)"]),
        ({"name": "i", "min": "1.2", "max": "1.8"}, "min", ["no value"]),
        ({"name": "d", "min": "2026-01-02", "max": "2026-01-01"}, "min", ["no value"]),
        ({"name": "i", "min": "2026-01-01"}, "min", ["Integer", "no number"]),
        ({"name": "i", "max": "1e30"}, "max", ["64 bits"]),
        ({"name": "i", "max": "1e999"}, "max", ["64 bits"]),
        ({"name": "i", "min": str(2**63)}, "min", ["64 bits"]),
        ({"name": "i", "in": ["1", "1.5"]}, "in[1]", ["'1.5'", "fraction"]),
        ({"name": "i", "in": ["one"]}, "in[0]", ["no number"]),
        ({"name": "f", "max": "1e999"}, "max", ["greater than any Float"]),
        ({"name": "f", "min": "nan"}, "min", ["no number"]),
        ({"name": "b", "min": "1"}, "min", ["Boolean"]),
        ({"name": "b", "in": ["yes"]}, "in[0]", ["neither true nor false"]),
        ({"name": "s", "max": "1"}, "max", ["String"]),
        ({"name": "d", "min": "2026-01-01T00:00:00"}, "min", ["no date"]),
        ({"name": "d", "min": "2026-02-30"}, "min", ["Date"]),
        ({"name": "t", "min": "noon"}, "min", ["no time"]),
        ({"name": "i", "regex": "1"}, "regex", ["Integer", "String"]),
        ({"name": "i", "minLength": 1}, "minLength", ["Integer"]),
        ({"name": "s", "minLength": 2, "maxLength": 1}, "minLength", ["maxLength"]),
        ({"name": "s", "regex": "("}, "regex", ["RE2", "missing )"]),
        ({"name": "s", "regex": "(?=a)"}, "regex", ["RE2"]),
        ({"name": "s", "regex": r"(a)\1"}, "regex", ["RE2"]),
        ({"name": "i", "nullable": False, "maxNullFraction": ".1"}, "maxNullFraction", ["null"]),
        ({"name": "o", "nullable": False}, "nullable", ["Other"]),
        ({"name": "o", "unique": True}, "unique", ["Other"]),
        ({"name": "z", "type": "Integer", "regex": "x"}, "regex", ["Integer"]),
        ({"name": "s", "type": "Integer", "min": "x"}, "min", ["Integer"]),
    ],
)
def test_a_column(entry: dict[str, Any], part: str, words: list[str]) -> None:
    message = refusal({"columns": [{"name": "f"}, entry]}, [])
    for word in (f"spec.schema.columns[{entry['name']}].{part}: ", *words):
        assert word in message


@pytest.mark.parametrize(
    ("check", "part", "words"),
    [
        ({"rowCount": {"min": 2, "max": 1}}, "rowCount", ["above"]),
        ({"unique": {"columns": ["i", "j"]}}, "unique.columns[1]", ["'j'", "i"]),
        ({"unique": {"columns": ["o"]}}, "unique.columns[0]", ["Other"]),
        ({"freshness": {"column": "z", "maxAge": "1d"}}, "freshness.column", ["'z'"]),
        ({"freshness": {"column": "i", "maxAge": "1d"}}, "freshness.column", ["Date or Timestamp"]),
        ({"freshness": {"column": "t", "maxAge": "soon"}}, "freshness.maxAge", ["soon"]),
        ({"freshness": {"column": "t", "maxAge": "999999d" * 4000}}, "freshness.maxAge", [""]),
        ({"monotonic": {"column": "s"}}, "monotonic.column", ["String"]),
        ({"duplicateRows": {}}, "duplicateRows", ["'o'", "unique"]),
    ],
)
def test_a_check(check: dict[str, Any], part: str, words: list[str]) -> None:
    message = refusal(None, [{"name": "a", "expression": "i > 1"}, {"name": "b", **check}])
    for word in (f"spec.checks[1].{part}: ", *words):
        assert word in message


def test_a_check_of_no_kind() -> None:
    assert "spec.checks[0]" in refusal(None, [{"name": "a"}])
