"""What is proposed of a column, and what is not."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
import yaml
from tests.unit.runner.profile.tables import profile, table

from tidemill.api.v1alpha1.schema import SchemaSpec
from tidemill.cli import columns, proposal
from tidemill_runner.schema import ColumnType

I, F, S = ColumnType.INTEGER, ColumnType.FLOAT, ColumnType.STRING  # noqa: E741


def rules(kind: ColumnType, values: Sequence[Any], *, sensitive: bool = False) -> dict[str, Any]:
    described = profile(
        table({"x": kind}, {"x": values}, ["o"] * len(values)), {"x": kind}, ["x"] * sensitive
    )
    column = {"name": "x", "type": str(kind), "nullable": None in values}
    found = proposal.propose([column], columns.parse(described.to_bytes()))
    SchemaSpec.model_validate(found["schema"])
    (one,) = found["schema"]["columns"]
    return {name: value for name, value in one.items() if name not in ("name", "type")}


FIXED = {"nullable": False}


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (F, [0.0, 1.0], {"min": "0", "max": "1.1"}),
        (F, [-1.0, 1.0], {"min": "-1.2", "max": "1.2"}),
        (F, [-5.0, -1.0], {"min": "-5.4", "max": "-0.6"}),
        (F, [7.0, 7.0], {"min": "6.3", "max": "7.7"}),
        (F, [0.0, 0.0], {"min": "0", "max": "0.1"}),
        (F, [0.001, 0.002], {"min": "0.0009", "max": "0.0021"}),
        (F, [1e300, -1e300], {"min": "-1.2e+300", "max": "1.2e+300"}),
        (F, [1e308, -1e308], {}),
        (F, [1.0, math.inf], {}),
        (I, [1, 2, 3] * 20, {"min": "0", "max": "4"}),
        (I, [100, 200] * 20, {"min": "90", "max": "210"}),
        pytest.param(I, list(range(50)), {}, id="an identifier has no range"),
        pytest.param(S, ["a", "b"] * 10, {"in": ["a", "b"]}, id="few texts"),
        pytest.param(S, ["a"] * 20 + ["b"] * 9, {}, id="one is too rare to be all"),
        pytest.param(S, [f"{n % 21}" for n in range(400)], {}, id="too many to list"),
        pytest.param(S, ["x" * 257] * 10, {}, id="too long to list"),
        (ColumnType.BOOLEAN, [True, False] * 10, {}),
    ],
)
def test_what_is_proposed(kind: ColumnType, values: list[Any], expected: dict[str, Any]) -> None:
    assert rules(kind, values) == {**FIXED, **expected}


def test_data_fits_its_own_proposal_whatever_its_size() -> None:
    for offset in (0.0, 1e15, -1e15, 1e-200, 123456.789):
        for width in (1e-9, 0.3, 7.0, 1e12):
            low, high = sorted((offset, offset + width))
            found = rules(F, [low, high])
            assert float(found["min"]) <= low, (offset, width)
            assert float(found["max"]) >= high, (offset, width)


def test_a_column_with_gaps_may_have_them() -> None:
    assert rules(F, [0.0, None, 1.0]) == {"min": "0", "max": "1.1"}


def test_of_a_sensitive_column_no_value_is_told() -> None:
    assert rules(S, ["secret"] * 20, sensitive=True) == {**FIXED, "sensitive": True}
    assert rules(F, [1.0, 2.0], sensitive=True) == {**FIXED, "sensitive": True}


def test_yaml_keeps_every_name_as_it_is() -> None:
    names = ["no", "a: b", "1", "- x", "ü\n", "#", "{}", "'\"\\", "~", "\u2028\x85", "😀\x00"]
    listed = [{"name": name, "type": "String", "in": ["yes", "1e3", "", "a"]} for name in names]
    text = proposal.to_yaml({"schema": {"mode": "Enforce", "columns": listed}})
    assert yaml.safe_load(text)["schema"]["columns"] == listed
    assert len(text.splitlines()) == 3 + len(names)
    # PyYAML reads it as a text, kubectl as a number.
    assert text.count('["yes", "1e3", "", a]') == len(names)


def test_too_many_columns_are_refused() -> None:
    many = [{"name": str(n), "type": "Float", "nullable": True} for n in range(2049)]
    with pytest.raises(ValueError, match="2049 columns"):
        proposal.propose(many, columns.Profile(0, {}))
