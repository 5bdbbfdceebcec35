"""Which columns there must be, of which type, and how files are read for it."""

from typing import Any

import pytest
from tests.unit.runner.checks.world import KINDS, NOW, World

from tidemill_runner.checks.declared import sensitive, settle
from tidemill_runner.checks.parse import parse
from tidemill_runner.checks.rule import Severity
from tidemill_runner.checks.run import run
from tidemill_runner.checks.verdict import judge
from tidemill_runner.schema import Column, ColumnType, Schema


def outcome_of(kind: ColumnType, entry: dict[str, Any], mode: str = "Infer") -> Any:
    world = World({"x": []}, {"x": kind})
    return world.outcomes(schema={"mode": mode, "columns": [entry]})


@pytest.mark.parametrize(
    ("found", "declared", "passed"),
    [
        (ColumnType.INTEGER, "Integer", True),
        (ColumnType.FLOAT, "Integer", False),
        (ColumnType.INTEGER, "Float", False),
        (ColumnType.STRING, "Integer", False),
        (ColumnType.TIMESTAMP, "Date", False),
    ],
)
@pytest.mark.parametrize("mode", ["Infer", "Enforce"])
def test_a_type(found: ColumnType, declared: str, passed: bool, mode: str) -> None:
    (outcome,) = outcome_of(found, {"name": "x", "type": declared}, mode)
    assert (outcome.kind, outcome.passed) == ("type", passed)


def test_another_type_is_told_once_and_its_values_are_not_judged() -> None:
    entry = {"name": "x", "type": "Integer", "min": "1", "unique": True, "nullable": False}
    (outcome,) = outcome_of(ColumnType.STRING, entry)
    assert outcome.message == (
        "spec.schema.columns[x].type: column 'x' is String, declared is Integer; "
        "its values were not judged"
    )


@pytest.mark.parametrize("mode", ["Infer", "Enforce"])
def test_a_column_that_is_absent(mode: str) -> None:
    world = World({"price": [1]}, {"price": ColumnType.INTEGER})
    entries = [{"name": "price"}, {"name": "prize", "min": "1", "type": "Integer"}]
    (outcome,) = world.outcomes(schema={"mode": mode, "columns": entries})
    assert (outcome.kind, outcome.passed, outcome.column) == ("present", False, "prize")
    assert "did you mean 'price'?" in outcome.message


def test_a_column_that_is_not_declared() -> None:
    world = World({"i": [1], "s": ["a"]})
    columns = [{"name": "i"}]
    assert world.outcomes(schema={"mode": "Infer", "columns": columns}) == ()
    (outcome,) = world.outcomes(schema={"mode": "Enforce", "columns": columns})
    assert (outcome.kind, outcome.column, outcome.passed) == ("declared", "s", False)


def test_a_fraction_of_violations_excuses_no_type_and_no_absence() -> None:
    lax = {"maxViolationFraction": "0.999999"}
    world = World({"i": [1]})
    entries = [{"name": "i", "type": "Float", **lax}, {"name": "z", **lax}]
    assert [o.passed for o in world.outcomes(schema={"columns": entries})] == [False, False]


def test_the_severity_of_a_column_is_that_of_all_its_rules() -> None:
    entry = {"name": "i", "type": "Float", "severity": "Warn"}
    outcomes = World({"i": [1]}).outcomes(schema={"columns": [entry]})
    assert [outcome.severity for outcome in outcomes] == [Severity.WARN]
    assert not judge(outcomes).rejected


@pytest.mark.parametrize(
    ("found", "empty", "declared", "file_format", "settled"),
    [
        (ColumnType.INTEGER, False, "Float", "Parquet", ColumnType.FLOAT),
        (ColumnType.DATE, False, "Timestamp", "CSV", ColumnType.TIMESTAMP),
        (ColumnType.FLOAT, False, "Integer", "CSV", ColumnType.FLOAT),
        (ColumnType.FLOAT, True, "String", "Parquet", ColumnType.STRING),
        (ColumnType.FLOAT, True, "Other", "Parquet", ColumnType.FLOAT),
        (ColumnType.INTEGER, False, "String", "CSV", ColumnType.STRING),
        (ColumnType.INTEGER, False, "String", "Parquet", ColumnType.INTEGER),
        (ColumnType.OTHER, False, "String", "CSV", ColumnType.OTHER),
        (ColumnType.STRING, False, "Integer", "CSV", ColumnType.STRING),
    ],
)
def test_columns_are_read_as_declared_where_no_value_stands_against_it(
    found: ColumnType, empty: bool, declared: str, file_format: str, settled: ColumnType
) -> None:
    schema = Schema((Column("x", found, nullable=True, empty=empty), Column("y", found, True)))
    spec = {"columns": [{"name": "x", "type": declared}, {"name": "z", "type": "Float"}]}
    result = settle(spec, schema, file_format)
    assert [column.type for column in result.columns] == [settled, found]
    assert settle(None, schema, file_format) == schema


def test_a_column_without_values_has_every_type() -> None:
    schema = Schema((Column("x", ColumnType.FLOAT, nullable=True, empty=True),))
    world = World({"x": [None]}, {"x": ColumnType.FLOAT})
    spec = {"columns": [{"name": "x", "type": "String", "regex": "a", "nullable": False}]}
    outcomes = run(world.local(), parse(spec, (), schema), NOW)
    assert [(o.kind, o.passed) for o in outcomes] == [("type", True), ("nullable", False)]


def test_sensitive_columns() -> None:
    columns = [{"name": "a", "sensitive": True}, {"name": "b", "sensitive": False}, {"name": "c"}]
    assert sensitive({"columns": columns}) == {"a"}
    assert sensitive(None) == frozenset()


def test_kinds_of_the_world_are_all_but_other() -> None:
    assert {*KINDS.values(), ColumnType.OTHER} == set(ColumnType)
