"""Rows in a database as an ingest stages them, and checks run over them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb

from tidemill_runner.checks.column import SQL_TYPES
from tidemill_runner.checks.outcome import Outcome
from tidemill_runner.checks.parse import parse
from tidemill_runner.checks.run import run
from tidemill_runner.database import identifier
from tidemill_runner.schema import Column, ColumnType, Schema

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
Spec = Mapping[str, Any]
KINDS = {
    "i": ColumnType.INTEGER,
    "f": ColumnType.FLOAT,
    "b": ColumnType.BOOLEAN,
    "s": ColumnType.STRING,
    "d": ColumnType.DATE,
    "t": ColumnType.TIMESTAMP,
}


class World:
    """A table of named columns; the rows are split into objects a.csv, b.csv, … of `size` rows."""

    def __init__(
        self,
        columns: Mapping[str, Sequence[Any]],
        kinds: Mapping[str, ColumnType] = KINDS,
        size: int = 1000,
    ) -> None:
        self.schema = Schema(tuple(Column(name, kinds[name], nullable=True) for name in columns))
        count = len(next(iter(columns.values()), ()))
        self.places = [(f"{chr(97 + n // size)}.csv", n % size + 1) for n in range(count)]
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        typed = [f"{identifier(name)} {SQL_TYPES[kinds[name]]}" for name in columns]
        typed += ["__object VARCHAR", "__row BIGINT"]
        self.connection.execute(f"CREATE TABLE staged ({', '.join(typed)})")
        self.connection.execute("CREATE VIEW rows AS FROM staged")
        rows = list(zip(*columns.values(), strict=True)) if columns else []
        placed = [(*row, *place) for row, place in zip(rows, self.places, strict=True)]
        if placed:
            marks = ", ".join(["(" + ", ".join("?" * len(typed)) + ")"] * len(placed))
            flat = [value for row in placed for value in row]
            self.connection.execute(f"INSERT INTO staged VALUES {marks}", flat)  # noqa: S608

    def outcomes(
        self,
        checks: Sequence[Spec] = (),
        schema: Spec | None = None,
        lookups: Mapping[int, str] | None = None,
    ) -> tuple[Outcome, ...]:
        return run(self.connection, parse(schema, checks, self.schema), NOW, lookups)

    def check(self, **spec: Any) -> Outcome:
        """The outcome of one check."""
        (outcome,) = self.outcomes([{"name": "c", **spec}])
        return outcome

    def column(self, name: str, **rules: Any) -> tuple[Outcome, ...]:
        """The outcomes of the rules on one column; `in_` stands for `in`."""
        rules = {key.rstrip("_"): value for key, value in rules.items()}
        return self.outcomes(schema={"columns": [{"name": name, **rules}]})


def found(outcome: Outcome) -> tuple[int, int]:
    """How many were judged, how many violate."""
    return outcome.evaluated, outcome.violations
