"""Rows in a database as an ingest stages them, and checks run over them: in one, and in parts."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from tidemill_runner.checks.column import SQL_TYPES
from tidemill_runner.checks.outcome import Outcome
from tidemill_runner.checks.parse import parse
from tidemill_runner.checks.rule import Exists
from tidemill_runner.checks.run import run
from tidemill_runner.database import Limits, identifier, quoted
from tidemill_runner.rows import Local
from tidemill_runner.schema import Column, ColumnType, Schema
from tidemill_runner.spread.room import Room
from tidemill_runner.spread.rows import Spread

T = TypeVar("T")
LIMITS = Limits(memory=256 * 1024 * 1024, threads=1)
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
        lookup: str = "",
    ) -> tuple[Outcome, ...]:
        """The outcomes, which are the same where the objects lie in several parts."""
        plan = parse(schema, checks, self.schema)
        found = run(self.local(lookup), plan, NOW)
        spread = Spread(Shelf(self.connection, lookup), len(self.places))
        assert run(spread, plan, NOW) == found
        return found

    def local(self, lookup: str = "") -> Local:
        """The rows in one database."""
        return Local(self.connection, lambda _: lookup)

    def check(self, **spec: Any) -> Outcome:
        """The outcome of one check."""
        (outcome,) = self.outcomes([{"name": "c", **spec}])
        return outcome

    def column(self, name: str, **rules: Any) -> tuple[Outcome, ...]:
        """The outcomes of the rules on one column; `in_` stands for `in`."""
        rules = {key.rstrip("_"): value for key, value in rules.items()}
        return self.outcomes(schema={"columns": [{"name": name, **rules}]})


@dataclass(frozen=True)
class Shelf:
    """The objects of a world in three parts: a crowd of one, who asks one part after the other."""

    connection: duckdb.DuckDBPyConnection
    lookup: str
    workers: int = 3

    def each(self, ask: Callable[[Local, Room], T]) -> list[T]:
        objects = "SELECT DISTINCT __object FROM memory.main.rows ORDER BY ALL"
        names = [name for (name,) in self.connection.execute(objects).fetchall()]
        # Parts are of several objects, and an object of one part stands between two of another.
        parts = [part for part in (names[0::3], names[1::3], names[2::3]) if part]
        return [self._ask(ask, part) for part in parts or [["none.csv"]]]

    def merged(self, ask: Callable[[Local, Room], T], merge: Callable[[Sequence[T]], T]) -> T:
        first, *others = self.each(ask)
        return merge([merge(others), first]) if others else first

    def dealt(
        self,
        deal: Callable[[Local, Room], list[T]],
        take: Callable[[Sequence[T], Room], Any],
        piles: int,
    ) -> list[Any]:
        found = self.each(deal)
        assert {len(one) for one in found} == {piles}
        taken = []
        for pile in range(piles):
            with self.here() as room:
                taken.append(take([one[pile] for one in found], room))
        return taken

    @contextmanager
    def here(self) -> Iterator[Room]:
        with tempfile.TemporaryDirectory() as folder:
            yield Room(Path(folder), LIMITS)

    def _ask(self, ask: Callable[[Local, Room], T], names: Sequence[str]) -> T:
        def lookup(_: Exists) -> str:
            return self.lookup

        cursor = self.connection.cursor()
        listed = ", ".join(map(quoted, names))
        cursor.execute(
            "CREATE OR REPLACE TEMP VIEW rows AS "  # noqa: S608 - quoted
            f"SELECT * FROM memory.main.rows WHERE __object IN ({listed})"
        )
        with self.here() as room:
            return ask(Local(cursor, lookup), room)


def found(outcome: Outcome) -> tuple[int, int]:
    """How many were judged, how many violate."""
    return outcome.evaluated, outcome.violations
