"""Keys that must be in another Dataset: an anti-join, which spills to disk where memory ends."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from tidemill_runner import names
from tidemill_runner.checks import column as columns
from tidemill_runner.checks.outcome import MAX_PLACES, Outcome, Tally, counted
from tidemill_runner.checks.rule import Exists
from tidemill_runner.database import identifier
from tidemill_runner.failures import Failure
from tidemill_runner.schema import Column, Schema
from tidemill_runner.staging import OBJECT, ROW, VIEW, staged


def theirs(rule: Exists, schema: Schema) -> tuple[Column, ...]:
    """The columns referred to, in the other Dataset's schema; raises Failure."""
    found = []
    for place, (name, own) in enumerate(zip(rule.references, rule.columns, strict=True)):
        column = schema.column(name)
        field = f"{rule.label.field}.{'references' if rule.named else 'columns'}[{place}]"
        if column is None:
            near = names.suggestion(name, schema.names())
            raise _invalid(f"{field}: Dataset {rule.dataset} has no column {name!r}{near}")
        if column.type is not own.type:
            raise _invalid(
                f"{field}: column {own.name!r} is {own.type}, {name!r} of Dataset {rule.dataset} "
                f"is {column.type}: cast one of them in its spec.prepare.sql"
            )
        found.append(column)
    return tuple(found)


def keys(found: Sequence[Column], files: Sequence[Path]) -> str:
    """The query for the keys that there are, from files staged with their columns."""
    values = ", ".join(f"{columns.key(column)} AS k{n}" for n, column in enumerate(found))
    judged = " AND ".join(columns.present(column) for column in found)
    return f"SELECT {values} FROM ({staged(files)}) WHERE {judged}"  # noqa: S608 - quoted


def missing(connection: duckdb.DuckDBPyConnection, rule: Exists, lookup: str) -> Tally:
    """Rows whose keys `lookup`, a query for k0, k1, …, does not give."""
    values = ", ".join(f"{columns.key(column)} AS k{n}" for n, column in enumerate(rule.columns))
    there = " AND ".join(columns.present(column) for column in rule.columns)
    own = (
        f"(SELECT {identifier(OBJECT)} AS o, {identifier(ROW)} AS r, {values} "  # noqa: S608
        f"FROM {VIEW} WHERE {there})"
    )
    same = " AND ".join(f"own.k{n} = known.k{n}" for n in range(len(rule.columns)))
    [(evaluated,)] = connection.execute(f"SELECT count(*) FROM {own}").fetchall()  # noqa: S608
    [(unknown, found)] = connection.execute(
        f"SELECT count(*), min({{'o': o, 'r': r}}, {MAX_PLACES}) "  # noqa: S608 - quoted
        f"FROM {own} AS own ANTI JOIN ({lookup}) AS known ON {same}"
    ).fetchall()
    return Tally(evaluated, unknown, tuple((place["o"], place["r"]) for place in found or ()))


def outcome(rule: Exists, found: Tally, rows: int) -> Outcome:
    """The outcome, where these are all rows."""
    return counted(rule.label, found.among(rows), "rows", found.where)


def _invalid(message: str) -> Failure:
    return Failure("CheckInvalid", message)
