"""No text of a spec and no name of a column becomes SQL."""

import contextlib
from typing import Any

import pytest
from tests.unit.runner.checks.world import World, found

from tidemill_runner.failures import Failure
from tidemill_runner.schema import ColumnType

NASTY = (
    "'); DROP TABLE staged; --",
    "' OR '1'='1",
    '" IS NULL) OR ("1"="1',
    'a"b',
    "a'b",
    "a''b\"\"c",
    "; DROP TABLE staged",
    "/* x",
    "-- x",
    "$$",
    "{'a': 1}",
    "\\'; --",
    "%s {0} ?",
    "select",
    "rows",
    "count(*)",
    "__value_0",
    "__VALUE_1",
    "k0",
    "before",
    "allowed_0",
    "tab\tnew\nline",
    "no\u00a0break\u2003space",
    "e\u0301",
    "🙂 emoji",
    "\u202eright to left",
    "x" * 1000,
    "null\x00byte",
    " ",
    "",
)
names = pytest.mark.parametrize("name", [n for n in NASTY if n], ids=ascii)
texts = pytest.mark.parametrize("text", NASTY, ids=ascii)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@names
@pytest.mark.parametrize("kind", list(ColumnType)[:6])
def test_names_of_columns(name: str, kind: ColumnType) -> None:
    world = World({name: [None, None], "i": [1, 2]}, {name: kind, "i": ColumnType.INTEGER})
    entry: dict[str, Any] = {"name": name, "type": str(kind), "nullable": False, "unique": True}
    if kind is ColumnType.STRING:
        entry |= {"in": [f"{name}{n}" for n in range(20)], "regex": "x", "minLength": 1}
    checks = [
        {"name": "a", "expression": f"{quoted(name)} IS NULL AND i > 0"},
        {"name": "b", "unique": {"columns": [name, "i"], "exact": True}},
        {"name": "c", "duplicateRows": {}},
    ]
    if kind in (ColumnType.DATE, ColumnType.TIMESTAMP):
        checks.append({"name": "d", "freshness": {"column": name, "maxAge": "1d"}})
    if kind not in (ColumnType.STRING, ColumnType.BOOLEAN):
        checks.append({"name": "e", "monotonic": {"column": name}})
    outcomes = {o.kind: o for o in world.outcomes(checks, {"columns": [entry]})}
    assert found(outcomes["nullable"]) == (2, 2)
    assert found(outcomes["expression"]) == (2, 0)
    assert found(outcomes["duplicateRows"]) == (2, 0)
    assert world.connection.execute("SELECT count(*) FROM staged").fetchall() == [(2,)]


@texts
def test_values_allowed(text: str) -> None:
    world = World({"s": [text, "other"]})
    for allowed in ([text], [text, *(f"{text}{n}" for n in range(20))]):
        (outcome,) = world.column("s", in_=allowed)
        assert (found(outcome), outcome.where) == ((2, 1), (("a.csv", 2),))


@texts
def test_constants_of_a_condition(text: str) -> None:
    world = World({"s": [text, "other"]})
    literal = "'" + text.replace("'", "''") + "'"
    with contextlib.suppress(Failure):  # some texts no literal of the language can hold
        outcome = world.check(expression=f"s = {literal}")
        assert (found(outcome), outcome.where) == ((2, 1), (("a.csv", 2),))
    assert world.connection.execute("SELECT count(*) FROM staged").fetchall() == [(2,)]


@texts
def test_everything_that_is_a_text(text: str) -> None:
    """It is refused or it is harmless; the table is there afterwards, as it was."""
    world = World({"s": ["a"], "i": [1]})
    specs: list[tuple[Any, Any]] = [
        ({"columns": [{"name": "s", "regex": text or "a"}]}, []),
        ({"columns": [{"name": "i", "min": text}]}, []),
        ({"columns": [{"name": "i", "in": [text]}]}, []),
        ({"columns": [{"name": text or "z", "min": "1"}], "mode": "Enforce"}, []),
        (None, [{"name": text, "expression": text}]),
        (None, [{"name": text, "expression": f"i > 0 {text}"}]),
        (None, [{"name": text, "unique": {"columns": [text]}}]),
        (None, [{"name": text, "freshness": {"column": text, "maxAge": text}}]),
        (None, [{"name": text, "monotonic": {"column": text}}]),
        (None, [{"name": text, "rowCount": {"min": 1}}]),
    ]
    for schema, checks in specs:
        try:
            world.outcomes(checks, schema)
        except Failure as refused:
            assert refused.reason == "CheckInvalid"  # noqa: PT017 - either is right
    assert world.connection.execute("SELECT s, i FROM staged").fetchall() == [("a", 1)]


@names
def test_keys_of_objects(name: str) -> None:
    world = World({"i": [1, 1]})
    world.connection.execute("UPDATE staged SET __object = ?", [name])
    outcome = world.check(duplicateRows={})
    assert outcome.where == ((name, 2),)
