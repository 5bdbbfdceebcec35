"""The rules that are judged row by row, all in one scan; the places of violations in one more.

Counts are `count(CASE WHEN … THEN 1 END)`: with FILTER each of thousands of aggregates would keep a
copy of all columns (measured on DuckDB 2.0: 15 GB for 2 000 columns).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from tidemill_runner.checks import outcome
from tidemill_runner.checks.outcome import MAX_PLACES, Outcome, Place, Tally, counted, stated
from tidemill_runner.checks.rule import (
    Expression,
    Freshness,
    InScan,
    Member,
    RowCount,
    RowRule,
)
from tidemill_runner.database import identifier
from tidemill_runner.staging import OBJECT, ROW, VIEW

# A short list is compared one by one; a long one is joined, which DuckDB does not do by itself.
_SHORT = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = f"{{'object': {identifier(OBJECT)}, 'row': {identifier(ROW)}}}"


@dataclass(frozen=True)
class Scanned:
    """The number of rows; by the rules' positions what was found, and the newest moments."""

    rows: int
    tallies: Mapping[int, Tally]
    newest: Mapping[int, int | None]


def added(parts: Sequence[Scanned]) -> Scanned:
    """What one scan of all rows would find."""
    first = parts[0]
    moments = {p: [part.newest[p] for part in parts] for p in first.newest}
    return Scanned(
        sum(part.rows for part in parts),
        {p: outcome.added(part.tallies[p] for part in parts) for p in first.tallies},
        {p: max((m for m in found if m is not None), default=None) for p, found in moments.items()},
    )


class Scan:
    """Rules compiled to one query."""

    def __init__(self, rules: Sequence[tuple[int, InScan]], prefix: str, now: datetime) -> None:
        self._rules = rules
        self._now = (now - _EPOCH) // timedelta(microseconds=1)
        self._sql = _Sql(prefix)
        self._conditions = {
            position: _conditions(rule, self._sql)
            for position, rule in rules
            if isinstance(rule, RowRule | Member | Expression)
        }
        for conditions in self._conditions.values():
            for condition in conditions:
                self._sql.count(condition)
        self._moments = {
            position: f"max(CASE WHEN {rule.moment} <= {self._now} THEN {rule.moment} END)"
            for position, rule in rules
            if isinstance(rule, Freshness)
        }
        for moment in self._moments.values():
            self._sql.add(moment)

    def look(self, connection: duckdb.DuckDBPyConnection) -> Scanned:
        """Count in the view `rows`."""
        sql = self._sql
        answers = dict(zip(sql.aggregates, _one(connection, sql.query()), strict=True))
        tallies = {
            position: Tally(
                evaluated=answers[_count(judged)],
                violations=answers[_count(violated)],
                failed=answers[_count(failed)],
            )
            for position, (judged, violated, failed) in self._conditions.items()
        }
        where = self._places(connection, [p for p, one in tallies.items() if one.violations])
        return Scanned(
            answers[_ALL],
            {p: replace(one, where=where.get(p, ())) for p, one in tallies.items()},
            {p: answers[moment] for p, moment in self._moments.items()},
        )

    def outcomes(self, found: Scanned) -> dict[int, Outcome]:
        """The outcome of each rule by its position, where these are all rows."""
        outcomes: dict[int, Outcome] = {}
        for position, rule in self._rules:
            match rule:
                case RowCount():
                    outcomes[position] = _row_count(rule, found.rows)
                case Freshness():
                    outcomes[position] = _freshness(rule, found.newest[position], self._now)
                case _:
                    unit = "rows" if isinstance(rule, Expression) else "values"
                    tally = found.tallies[position]
                    counts = tally.among(found.rows)
                    outcomes[position] = counted(rule.label, counts, unit, tally.where)
        return outcomes

    def _places(
        self, connection: duckdb.DuckDBPyConnection, positions: Sequence[int]
    ) -> dict[int, tuple[Place, ...]]:
        """The first violations of some rules."""
        if not positions:
            return {}
        wanted = [
            f"min(CASE WHEN {self._conditions[position][1]} THEN {_PLACE} END, {MAX_PLACES})"
            for position in positions
        ]
        answers = _one(connection, self._sql.query(wanted))
        return {
            position: tuple((place["object"], place["row"]) for place in found or ())
            for position, found in zip(positions, answers, strict=True)
        }


_ALL = "count(*)"
_NEVER = "FALSE"
_ALWAYS = "TRUE"


def _count(condition: str) -> str:
    if condition == _ALWAYS:
        return _ALL
    return "0" if condition == _NEVER else f"count(CASE WHEN {condition} THEN 1 END)"


@dataclass
class _Sql:
    """The query as it grows: what it counts, from columns computed and lists of values."""

    prefix: str
    aggregates: dict[str, None] = field(default_factory=lambda: {_ALL: None})
    computed: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)

    def add(self, aggregate: str) -> None:
        self.aggregates[aggregate] = None

    def count(self, condition: str) -> None:
        self.add(_count(condition))

    def compute(self, value: str) -> str:
        """Name a value that several conditions use."""
        name = identifier(f"{self.prefix}{len(self.computed)}")
        self.computed.append(f"{value} AS {name}")
        return name

    def keep(self, literals: Sequence[str]) -> str:
        """Name a list of values that a condition looks up."""
        name = f"allowed_{len(self.lists)}"
        values = ", ".join(f"({literal})" for literal in literals)
        self.lists.append(f"{name}(v) AS (VALUES {values})")
        return name

    def query(self, wanted: Sequence[str] | None = None) -> str:
        source = VIEW
        if self.computed:
            source = f"(SELECT *, {', '.join(self.computed)} FROM {VIEW})"  # noqa: S608 - quoted
        lists = f"WITH {', '.join(self.lists)} " if self.lists else ""
        chosen = ", ".join(self.aggregates if wanted is None else wanted)
        return f"{lists}SELECT {chosen} FROM {source}"  # noqa: S608 - quoted


def _conditions(rule: RowRule | Member | Expression, sql: _Sql) -> tuple[str, str, str]:
    """When a row is judged, when it violates, when it could not be computed."""
    match rule:
        case RowRule():
            return rule.judged, rule.violated, _NEVER
        case Member():
            value = f"({rule.value})"
            known = f"{value} IN ({', '.join(rule.literals)})"
            if len(rule.literals) > _SHORT:
                kept = sql.keep(rule.literals)
                known = sql.compute(f"{value} IN (SELECT v FROM {kept})")  # noqa: S608 - our name
            return rule.judged, f"{rule.judged} AND NOT {known}", _NEVER
        case Expression():
            code = sql.compute(rule.code)
            # Code 2 is NULL; no code is a failure.
            return f"({code} IS DISTINCT FROM 2)", f"coalesce({code}, 0) = 0", f"{code} IS NULL"


def _row_count(rule: RowCount, rows: int) -> Outcome:
    passed = (rule.least is None or rule.least <= rows) and (rule.most is None or rows <= rule.most)
    return stated(rule.label, f"{rows:,} rows, {rule.label.fault} wanted", passed=passed)


def _freshness(rule: Freshness, newest: int | None, now: int) -> Outcome:
    if newest is None:
        return stated(rule.label, "the column has no value that is not of the future", passed=False)
    passed = now - newest <= rule.age
    said = f"the newest row is {'not ' if passed else ''}{rule.label.fault}"
    return stated(rule.label, said, passed=passed)


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    [row] = connection.execute(query).fetchall()
    return tuple(row)
