"""What a declaration of checks may say, as far as a schema can tell."""

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from tidemill.api.structural import structural_schema
from tidemill.api.v1alpha1.checks import Check, Checks
from tidemill.api.v1alpha1.dataset_status import ColumnType
from tidemill.api.v1alpha1.schema import ColumnRules, DeclaredType, SchemaSpec

FULL = {
    "name": "price",
    "type": "Float",
    "maxNullFraction": "0.1",
    "min": "-1.5e-3",
    "max": "+10",
    "in": ["1", "2"],
    "unique": True,
    "sensitive": True,
    "severity": "Warn",
    "maxViolationFraction": ".01",
}


def test_a_column_with_everything() -> None:
    rules = ColumnRules.model_validate(FULL)
    assert rules.model_dump(by_alias=True, exclude_unset=True) == FULL


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("min", "ten"),
        ("min", "0x10"),
        ("min", "NaN"),
        ("min", "inf"),
        ("min", "1\n"),
        ("min", 1.5),
        ("max", "2026-1-1"),
        ("max", "2026-01-01T10"),
        ("in", []),
        ("in", ["x"] * 10_001),
        ("in", ["x" * 1025]),
        ("regex", ""),
        ("regex", "x" * 1025),
        ("minLength", -1),
        ("maxNullFraction", "2"),
        ("maxViolationFraction", "-0.1"),
        ("severity", "Error"),
        ("type", "Number"),
        ("distribution", {}),
    ],
)
def test_a_column_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        ColumnRules.model_validate({"name": "x", field: value})


@pytest.mark.parametrize(
    "bound", ["0", "-1", "1.5", "1e300", "2026-01-31", "2026-01-31T12:00Z", "2026-01-31 12:00:00.5"]
)
def test_bounds(bound: str) -> None:
    assert ColumnRules.model_validate({"name": "x", "min": bound}).min == bound


@pytest.mark.parametrize(
    "check",
    [
        {"name": "Upper", "rowCount": {"min": 1}},
        {"name": "", "rowCount": {"min": 1}},
        {"rowCount": {"min": 1}},
        {"name": "a", "rowCount": {"min": -1}},
        {"name": "a", "expression": ""},
        {"name": "a", "expression": "x" * 4097},
        {"name": "a", "unique": {"columns": []}},
        {"name": "a", "unique": {"columns": ["x"] * 33}},
        {"name": "a", "freshness": {"column": "t"}},
        {"name": "a", "freshness": {"column": "t", "maxAge": "soon"}},
        {"name": "a", "monotonic": {"column": "t", "direction": "Up"}},
        {"name": "a", "duplicateRows": {"columns": ["x"]}},
        {"name": "a", "references": {"dataset": "x"}},
    ],
)
def test_a_check_is_refused(check: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Check.model_validate(check)


def test_the_number_of_checks_and_columns_is_bounded() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Checks).validate_python([{"name": "a", "expression": "x"}] * 65)
    with pytest.raises(ValidationError):
        SchemaSpec.model_validate({"columns": [{"name": "a"}] * 2049})


def test_defaults() -> None:
    schema = SchemaSpec.model_validate({"columns": [{"name": "a"}]})
    assert (schema.mode, schema.on_change) == ("Infer", "Warn")
    assert schema.columns[0].model_dump(exclude_none=True, by_alias=True) == {
        "name": "a",
        "unique": False,
        "sensitive": False,
        "severity": "Fail",
    }


def test_both_are_structural() -> None:
    kinds = structural_schema(Check)["properties"]
    assert kinds["duplicateRows"]["type"] == "object"
    assert structural_schema(SchemaSpec)["properties"]["columns"]["maxItems"] == 2048


def test_the_types_declared_are_those_found() -> None:
    assert get_args(DeclaredType) == get_args(ColumnType)
