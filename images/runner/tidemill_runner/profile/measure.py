"""A profile measured by the engine: the view `rows` in, counts out, no row but the sample's.

First all columns' counts, extremes and distinct values; then, by what these say, each column's
buckets and its values where they are few. Several columns go into one query, since opening wide
files costs more than scanning them.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import duckdb
import numpy as np

from tidemill_runner.database import identifier
from tidemill_runner.failures import Failure
from tidemill_runner.profile import cells, days, distinct, histogram, patterns, sample
from tidemill_runner.profile.cells import Cells
from tidemill_runner.profile.column import (
    COUNTED,
    MAX_LENGTH,
    MAX_VALUES,
    MOMENTS,
    NUMBERS,
    SHOWN_LENGTH,
    ColumnProfile,
    Gaps,
    Values,
)
from tidemill_runner.profile.document import Profile
from tidemill_runner.profile.patterns import Patterns
from tidemill_runner.profile.sample import Sample
from tidemill_runner.schema import Column, ColumnType, Schema

T = TypeVar("T")
_COLUMNS_AT_ONCE = 100
_SETS_AT_ONCE = 32
_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Grouping:
    """Columns whose groups are counted, each with the labels of one column if that is named."""

    columns: tuple[str, ...]
    label: str | None = None


@dataclass(frozen=True)
class _Basics:
    """What the first scan says of a column."""

    column: Column
    sensitive: bool
    profile: ColumnProfile
    least: Any
    greatest: Any
    longest: int

    @property
    def few(self) -> bool:
        """There may be so few values that they can be counted."""
        return (
            self.column.type in COUNTED
            and distinct.at_least(self.profile.registers) <= MAX_VALUES
            and self.longest <= MAX_LENGTH
        )


def measure(
    connection: duckdb.DuckDBPyConnection,
    schema: Schema,
    sensitive: frozenset[str],
    grouping: Grouping | None = None,
) -> Profile:
    """The profile of the view `rows`; raises Failure for a grouping that cannot be counted."""
    grouping = grouping or Grouping(())
    _check(grouping, schema, sensitive)
    rows = _one(connection, "SELECT count(*) FROM rows")[0]
    found = [
        basics
        for columns in _chunks(schema.columns, _COLUMNS_AT_ONCE)
        for basics in _scan(connection, columns, sensitive, rows)
    ]
    profiles = _spread(connection, found)
    return Profile(
        rows,
        tuple(profiles),
        _sample(connection, schema, sensitive),
        _patterns(connection, schema, profiles),
        tuple(
            _cells(connection, schema, profiles, name, grouping.label) for name in grouping.columns
        ),
        _one(connection, distinct.fingerprint_sql)[0],
    )


def _check(grouping: Grouping, schema: Schema, sensitive: frozenset[str]) -> None:
    for name in (*grouping.columns, *([grouping.label] if grouping.label else [])):
        column = schema.column(name)
        if column is None:
            raise Failure("SpecInvalid", f"spec.describe: the data set has no column {name!r}")
        if name in sensitive:
            raise Failure(
                "SpecInvalid",
                f"spec.describe: column {name!r} is sensitive and its values would be in the "
                "report: leave it out, or do not mark it as sensitive",
            )
        if column.type not in COUNTED:
            raise Failure(
                "SpecInvalid",
                f"spec.describe: column {name!r} is {column.type}, which has no groups: "
                "leave it out",
            )


def _scan(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[Column],
    sensitive: frozenset[str],
    rows: int,
) -> Iterator[_Basics]:
    """Counts, extremes and distinct values of some columns, in one scan."""
    wanted = [
        _expressions(place, column.type, column.name in sensitive)
        for place, column in enumerate(columns)
    ]
    flat = ", ".join(expression for one in wanted for expression in one.values())
    named = ", ".join(
        f"{identifier(column.name)} AS c{place}, {_value(column)} AS v{place}, "
        f"{distinct.hash_sql(_value(column))} AS h{place}"
        for place, column in enumerate(columns)
    )
    answers = iter(_one(connection, f"SELECT {flat} FROM (SELECT {named} FROM rows)"))  # noqa: S608
    for column, one in zip(columns, wanted, strict=True):
        found = {name: next(answers) for name in one}
        hidden = column.name in sensitive
        infinite = found["there"] - found["finite"]
        gaps = Gaps(rows - found["there"], *(_infinite(connection, column) if infinite else ()))
        total = found.get("sum")
        registers = distinct.from_bits(found["bits"])
        profile = ColumnProfile(column.name, column.type, hidden, rows, gaps, registers)
        profile = replace(profile, sum=None if total is None else int(total))
        ends = found.get("least"), found.get("greatest")
        yield _Basics(column, hidden, profile, *ends, found.get("longest") or 0)


def _infinite(connection: duckdb.DuckDBPyConnection, column: Column) -> tuple[int, int, int]:
    """How many values are NaN, minus and plus infinite; asked only where there is one."""
    name = identifier(column.name)
    nan = f"isnan({name}::DOUBLE)" if column.type is ColumnType.FLOAT else "FALSE"
    tests = (nan, f"{name} = '-infinity'", f"{name} = 'infinity'")
    flat = ", ".join(f"count(*) FILTER ({test})" for test in tests)
    nans, minus, plus = _one(connection, f"SELECT {flat} FROM rows")  # noqa: S608 - quoted
    return nans, minus, plus


def _expressions(place: int, kind: ColumnType, hidden: bool) -> dict[str, str]:
    """What the first scan asks of a column, by name; c is the column, v its value, h its hash."""
    value = f"v{place}"
    asked = {
        "there": f"count(c{place})",
        "finite": f"count({value})",
        "bits": distinct.bits_sql(f"h{place}"),
    }
    if hidden or kind in (ColumnType.BOOLEAN, ColumnType.OTHER):
        return asked
    asked |= {"least": f"min({value})", "greatest": f"max({value})"}
    if kind is ColumnType.INTEGER:
        asked["sum"] = f"sum({value})"
    if kind is ColumnType.STRING:
        asked["longest"] = f"max(length({value}))"
    return asked


def _spread(connection: duckdb.DuckDBPyConnection, found: Sequence[_Basics]) -> list[ColumnProfile]:
    """The profiles, completed by buckets and by values."""
    keys = {
        (place, part): key
        for place, basics in enumerate(found)
        for part, key in _keys(basics).items()
    }
    profiles = [basics.profile for basics in found]
    for chunk in _chunks(list(keys), _SETS_AT_ONCE):
        counted = _count(connection, [keys[one] for one in chunk])
        for (place, part), (kinds, counts) in zip(chunk, counted, strict=True):
            value = _part(found[place], part, kinds, counts)
            profiles[place] = replace(profiles[place], **{part: value})
    return [_with_texts(p, basics) for p, basics in zip(profiles, found, strict=True)]


def _keys(basics: _Basics) -> dict[str, str]:
    """By what the second scan groups a column, by the part of the profile that it fills."""
    value, kind = _value(basics.column), basics.column.type
    keys: dict[str, str] = {}
    if basics.sensitive:
        return keys
    if kind in NUMBERS:
        keys["spread"] = histogram.index_sql(value)
    if kind is ColumnType.STRING:
        keys["lengths"] = histogram.index_sql(f"length({value})")
    if kind in MOMENTS:
        keys["calendar"] = days.key_sql(value)
    if basics.few:
        keys["values"] = value
    return keys


def _part(basics: _Basics, part: str, kinds: list[Any], counts: list[int]) -> Any:  # noqa: ANN401
    """A field of the profile, from the keys of its groups and their counts."""
    if part == "values":
        return _values(kinds, counts)
    least, greatest = basics.least, basics.greatest
    if part == "calendar":
        ordered = sorted(zip(kinds, counts, strict=True))
        return days.Calendar(tuple(ordered), least, greatest)
    keys, numbers = np.array(kinds, np.int64), np.array(counts, np.int64)
    if part == "lengths":
        # Lengths are told apart up to 50 characters; beyond, the ends are exact.
        return histogram.build(keys, numbers, None, basics.longest)
    # Of the two zeros either may have come first.
    ends = (end + 0.0 if isinstance(end, float) else end for end in (least, greatest))
    return histogram.build(keys, numbers, *ends)


def _values(kinds: list[Any], counts: list[int]) -> Values | None:
    if len(kinds) > MAX_VALUES:
        return None
    plain = (kind + 0.0 if isinstance(kind, float) else kind for kind in kinds)
    return tuple(sorted(zip(plain, counts, strict=True)))


def _with_texts(profile: ColumnProfile, basics: _Basics) -> ColumnProfile:
    if basics.column.type is not ColumnType.STRING or basics.least is None:
        return profile
    return replace(profile, texts=(basics.least[:SHOWN_LENGTH], basics.greatest[:SHOWN_LENGTH]))


def _count(
    connection: duckdb.DuckDBPyConnection, keys: Sequence[str]
) -> list[tuple[list[Any], list[int]]]:
    """For each key its values with their numbers of rows, in one scan."""
    named = ", ".join(f"{key} AS k{place}" for place, key in enumerate(keys))
    sets = ", ".join(f"(k{place})" for place in range(len(keys)))
    flat = ", ".join(f"k{place}" for place in range(len(keys)))
    answer = connection.sql(
        f"SELECT {flat}, count(*) AS n FROM (SELECT {named} FROM rows) "  # noqa: S608 - quoted
        f"GROUP BY GROUPING SETS ({sets})"
    )
    found: list[tuple[list[Any], list[int]]] = [([], []) for _ in keys]
    for batch in answer.to_arrow_reader(100_000):
        counts = batch.column(len(keys))
        for place, (kinds, numbers) in enumerate(found):
            # A group belongs to the one key that it has; without any it is that of the NULLs.
            there = batch.column(place).is_valid()
            kinds.extend(batch.column(place).filter(there).to_pylist())
            numbers.extend(counts.filter(there).to_pylist())
    return found


def _sample(
    connection: duckdb.DuckDBPyConnection, schema: Schema, sensitive: frozenset[str]
) -> Sample:
    columns = [
        column
        for column in schema.columns
        if column.name not in sensitive and column.type is not ColumnType.OTHER
    ][: sample.COLUMNS]
    place = "hash(__object, __row) AS h, __object, __row"
    order = f"ORDER BY h, __object, __row LIMIT {sample.ROWS}"
    smallest = f"SELECT max(h) FROM (SELECT {place} FROM rows {order})"  # noqa: S608 - constants
    limit = _one(connection, smallest)[0]
    if limit is None:
        return Sample(tuple(column.name for column in columns), (), ())
    wanted = ", ".join([place, *(_cell(column) for column in columns)])
    rows = connection.execute(
        f"SELECT {wanted} FROM rows WHERE hash(__object, __row) <= {limit} {order}"  # noqa: S608
    ).fetchall()
    return Sample(
        tuple(column.name for column in columns),
        tuple(row[:3] for row in rows),
        tuple(tuple(_plain(cell) for cell in row[3:]) for row in rows),
    )


def _cell(column: Column) -> str:
    if column.type is ColumnType.STRING:
        return f"left({_value(column)}, {sample.TEXT})"
    return _value(column)


def _plain(cell: Any) -> Any:  # noqa: ANN401 - a cell of any type
    return cell + 0.0 if isinstance(cell, float) else cell


def _patterns(
    connection: duckdb.DuckDBPyConnection, schema: Schema, profiles: Sequence[ColumnProfile]
) -> Patterns:
    names = [profile.name for profile in profiles if profile.gaps.missing]
    columns = [column for column in schema.columns if column.name in set(names)]
    if len(columns) > patterns.MAX_COLUMNS:
        return patterns.build(names, None)
    bits = (f"({_missing(c)})::BIGINT * {1 << place}" for place, c in enumerate(columns))
    mask = " + ".join(["0::BIGINT", *bits])
    hashed = f"SELECT hash({mask}) AS h FROM rows"  # noqa: S608 - names are quoted
    bits_of_all = f"SELECT {distinct.bits_sql('h')} FROM ({hashed})"  # noqa: S608
    sets = distinct.from_bits(_one(connection, bits_of_all)[0])
    if distinct.at_least(sets) > patterns.MAX_PATTERNS:
        return patterns.build(names, None)
    counts: Counter[tuple[str, ...]] = Counter()
    [(masks, numbers)] = _count(connection, [mask])
    for found, number in zip(masks, numbers, strict=True):
        counts[tuple(n for place, n in enumerate(names) if found >> place & 1)] = number
    return patterns.build(names, counts)


def _cells(
    connection: duckdb.DuckDBPyConnection,
    schema: Schema,
    profiles: Sequence[ColumnProfile],
    name: str,
    label: str | None,
) -> Cells:
    limits = {name: cells.MAX_GROUPS, **({label: cells.MAX_LABELS} if label else {})}
    for profile in profiles:
        least = distinct.at_least(profile.registers)
        if least > limits.get(profile.name, least):
            return cells.build(name, label, None)
    columns = {column.name: column for column in schema.columns}
    kind = _value(columns[label]) if label else "NULL"
    rows = connection.execute(
        f"SELECT {_value(columns[name])}, {kind}, count(*) FROM rows GROUP BY ALL"  # noqa: S608
    ).fetchall()
    return cells.build(
        name, label, Counter({(_plain(group), _plain(kind)): n for group, kind, n in rows})
    )


def _value(column: Column) -> str:
    """The column as it is counted: what is not finite is NULL, moments are microseconds."""
    name = identifier(column.name)
    if column.type is ColumnType.FLOAT:
        return f"CASE WHEN isfinite({name}::DOUBLE) THEN {name}::DOUBLE END"
    return days.micros_sql(name) if column.type in MOMENTS else name


def _missing(column: Column) -> str:
    name = identifier(column.name)
    if column.type is ColumnType.FLOAT:
        return f"{name} IS NULL OR isnan({name}::DOUBLE)"
    return f"{name} IS NULL"


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    # All of it: a connection does nothing else while a result is unfinished.
    [row] = connection.execute(query).fetchall()
    return tuple(row)


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
