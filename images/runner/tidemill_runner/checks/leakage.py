"""Columns that alone tell the target, by a sample of rows that any order of them gives.

The sample is of the rows whose place has a small hash; its halves are told apart by another one. Of
a text only a hash is looked at, and nothing is told but the column's name and how much it tells.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from tidemill_runner.checks import column as columns
from tidemill_runner.checks.outcome import Counts, Outcome, counted
from tidemill_runner.checks.rule import Leakage
from tidemill_runner.database import identifier
from tidemill_runner.profile import leakage
from tidemill_runner.profile.leakage import Coder, Codes
from tidemill_runner.schema import Column
from tidemill_runner.staging import OBJECT, ROW, VIEW

# As few rows as leave the sample below so many cells, whatever the number of columns.
ROWS, CELLS = 20_000, 4_000_000
MAX_NAMED = 5
_PLACE = f"{identifier(OBJECT)}, {identifier(ROW)}"
# The last bit of the database's own hash repeats with the row's number.
_HALF = f"md5_number_lower({identifier(OBJECT)} || ':' || {identifier(ROW)}) % 2 = 0"
_NUMBERS = columns.ORDERED
# By the names that the query gives: the target's is c0.
Cells = Mapping[str, NDArray[Any]]


def look(connection: duckdb.DuckDBPyConnection, rule: Leakage, rows: int) -> Cells:
    """Of so many rows in all, a sample of those here that have a target, as numbers or hashes."""
    wanted = [_number_or_hash(column) for column in (rule.target, *rule.columns)]
    named = ", ".join(f"{value} AS c{n}" for n, value in enumerate(wanted))
    most = min(ROWS, CELLS // (len(rule.columns) + 1))
    limit = 2**64 // max(rows // most, 1) - 1
    return connection.execute(
        f"SELECT {named}, {_HALF} AS half FROM {VIEW} "  # noqa: S608 - quoted
        f"WHERE hash({_PLACE}) <= {limit} AND {columns.present(rule.target)}"
    ).fetchnumpy()


def added(parts: Sequence[Cells]) -> Cells:
    """The sample of all rows, from those of parts in their order."""
    joined = np.ma.concatenate
    return {n: joined([part[n] for part in parts]) for n in parts[0]}  # type: ignore[no-untyped-call]


def judged(rule: Leakage, cells: Cells) -> Outcome:
    """Columns that tell the target by the rule's threshold or more."""
    sample = _Sample(rule, cells)
    target = sample.target()
    tested, found = 0, []
    for column in rule.columns:
        told = leakage.strongest(sample.coders(column), target, sample.half)
        tested += told is not None
        if told is not None and told >= rule.threshold:
            found.append((column.name, told))
    found.sort(key=lambda one: (-one[1], one[0]))
    outcome = counted(rule.label, Counts(tested, len(found), len(rule.columns)), "columns")
    if not tested and rule.columns:
        few = f"{rule.label.field}: too few rows, or rows of one value only, to tell"
        return replace(outcome, message=few)
    named = ", ".join(f"{name!r} by {told:.3f}" for name, told in found[:MAX_NAMED])
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    if not found:
        return outcome
    advice = ": leave out of the features what is not known before the target is"
    return replace(outcome, message=f"{outcome.message}: {named}{more}{advice}")


class _Sample:
    """Rows that have a target, as numbers or hashes."""

    def __init__(self, rule: Leakage, cells: Cells) -> None:
        self._target = rule.target
        self._names = {c.name: f"c{n}" for n, c in enumerate((rule.target, *rule.columns))}
        self._cells = cells
        self.half = np.ma.getdata(cells["half"]).astype(bool)

    def target(self) -> Codes:
        """The target's values; of a number with many, ranges."""
        values, missing = self._values(self._target)
        if self._target.type in _NUMBERS and leakage.many(values):
            return leakage.bins(values.astype(np.float64), leakage.TARGET_BINS)
        return leakage.codes(values, missing)

    def coders(self, column: Column) -> Iterator[Coder]:
        """The ways to look at a column: whether it is there, its value, what value it is near."""
        values, missing = self._values(column)
        if missing.any():
            absent = missing.astype(np.int64)
            yield lambda _: absent
        by_value = leakage.codes(values, missing)
        yield lambda _: by_value
        if column.type in _NUMBERS and leakage.many(values[~missing]):
            yield partial(leakage.nearest, values.astype(np.float64), missing)

    def _values(self, column: Column) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        cells = self._cells[self._names[column.name]]
        return np.ma.getdata(cells), np.ma.getmaskarray(cells)


def _number_or_hash(column: Column) -> str:
    """The value as a number, or a hash of it; NULL where it is missing."""
    if column.type in columns.MOMENTS:
        return columns.moment(column)
    if column.type in _NUMBERS:
        return columns.key(column)
    name = identifier(column.name)
    return f"CASE WHEN {columns.present(column)} THEN hash({name}) END"
