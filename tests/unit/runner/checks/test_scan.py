"""However many rules there are, the rows are read once for all that are judged row by row."""

import json
from datetime import timedelta
from typing import Any, cast

import duckdb
import pytest
from tests.unit.runner.checks.world import NOW, World

from tidemill_runner.checks.parse import parse
from tidemill_runner.checks.run import run
from tidemill_runner.rows import Local
from tidemill_runner.schema import ColumnType


class Recorder:
    """A connection that keeps the statements it is given."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.statements: list[str] = []

    def execute(self, statement: str) -> duckdb.DuckDBPyConnection:
        self.statements.append(statement)
        return self.connection.execute(statement)

    def rows(self) -> Local:
        return Local(cast("duckdb.DuckDBPyConnection", self), lambda _: "")

    def scans(self) -> int:
        """How often the plans of these statements read the table of rows."""
        return sum(self._scans(statement) for statement in self.statements)

    def _scans(self, statement: str) -> int:
        answer = self.connection.execute(f"EXPLAIN (FORMAT json) {statement}").fetchall()
        waiting, found = list(json.loads(answer[0][1])), 0
        while waiting:
            node = waiting.pop()
            waiting += node.get("children", [])
            found += "staged" in str(node.get("extra_info", {}).get("Table", ""))
        return found


ENTRIES: list[dict[str, Any]] = [
    {"name": "i", "type": "Integer", "min": "1", "max": "5", "nullable": False, "in": ["1", "2"]},
    {"name": "f", "min": "1", "max": "5", "maxNullFraction": "0.5"},
    {"name": "s", "regex": "a", "in": [f"{n}" for n in range(50)], "minLength": 1},
    {"name": "t", "min": "2020-01-01"},
]
CHECKS: list[dict[str, Any]] = [
    {"name": "a", "expression": "i > 0 AND f < 9"},
    {"name": "b", "expression": "length(s) = 1"},
    {"name": "c", "rowCount": {"min": 1}},
    {"name": "d", "freshness": {"column": "t", "maxAge": "1d"}},
]
GOOD = {"i": [1, 2], "f": [1.0, 2.0], "s": ["a", "a"], "t": [NOW, NOW - timedelta(hours=1)]}
BAD = {"i": [0, None], "f": [9.0, None], "s": ["xx", ""], "t": [None, None]}


@pytest.mark.parametrize(("rows", "scans"), [(GOOD, 1), (BAD, 2)], ids=["good", "bad"])
def test_one_scan_and_one_more_for_places(rows: Any, scans: int) -> None:
    entries = [dict(entry) for entry in ENTRIES]
    if rows is GOOD:
        del entries[2]["in"]
    world = World(rows)
    recorder = Recorder(world.connection)
    outcomes = run(recorder.rows(), parse({"columns": entries}, CHECKS, world.schema), NOW)
    assert all(outcome.passed for outcome in outcomes) == (rows is GOOD)
    assert recorder.scans() == scans


def test_two_thousand_columns_in_one_scan() -> None:
    count = 2_000
    kinds = {f"c{n}": ColumnType.FLOAT for n in range(count)}
    world = World({name: [] for name in kinds}, kinds)
    world.connection.execute(
        f"INSERT INTO staged SELECT {', '.join(f'range + {n}' for n in range(count))}, "  # noqa: S608
        "'a.csv', range + 1 FROM range(1000)"
    )
    entries = [
        {"name": f"c{n}", "type": "Float", "nullable": False, "min": f"{n + n % 2}"}
        for n in range(count)
    ]
    recorder = Recorder(world.connection)
    outcomes = run(
        recorder.rows(), parse({"mode": "Enforce", "columns": entries}, (), world.schema), NOW
    )
    assert len(outcomes) == 3 * count
    bad = [outcome for outcome in outcomes if not outcome.passed]
    assert [(o.column, o.violations, o.where) for o in bad] == [
        (f"c{n}", 1, (("a.csv", 1),)) for n in range(1, count, 2)
    ]
    assert [statement.count(" FROM ") for statement in recorder.statements] == [1, 1]


def test_nothing_is_read_for_what_the_schema_tells() -> None:
    world = World({"i": [1]})
    recorder = Recorder(world.connection)
    spec = {"mode": "Enforce", "columns": [{"name": "z"}]}
    assert len(run(recorder.rows(), parse(spec, (), world.schema), NOW)) == 2
    assert recorder.statements == []
