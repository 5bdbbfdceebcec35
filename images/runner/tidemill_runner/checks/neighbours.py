"""Rules that compare rows with others: repetitions by groups, order by what stands before.

Both spill to disk where memory ends. Without `exact` a sample by value is compared: of more than
SAMPLE rows, those whose key's hash is 0 modulo rows / SAMPLE. All rows of one key are in the sample
or none is, so what it finds are true repetitions, their fraction is an unbiased estimate, and r
repeated keys are all missed with probability (1 - 1/m)^r: of 20 million rows (m = 20) 100
repeated keys with 0.6 %, 1 000 never. A count of distinct values by HyperLogLog was measured to be
2 to 6 % wrong in DuckDB 2.0: it would miss a million repetitions among 20 million rows.
"""

from collections.abc import Sequence

import duckdb

from tidemill_runner.checks.outcome import MAX_PLACES, Outcome, Place, Tally, counted
from tidemill_runner.checks.rule import Order, Repeats
from tidemill_runner.database import identifier
from tidemill_runner.staging import OBJECT, ROW, VIEW

SAMPLE = 1_000_000
_O, _R = identifier(OBJECT), identifier(ROW)
_FIRST = f"ORDER BY {_O}, {_R} LIMIT {MAX_PLACES}"


def sampled(rule: Repeats, rows: int, sample: int = SAMPLE) -> int:
    """Of so many rows one is compared, by the hash of its keys; 1 where all are."""
    return 1 if rule.exact else -(-rows // sample) or 1


def outcome(rule: Repeats, found: Tally, rows: int, parts: int) -> Outcome:
    """The outcome, where one of `parts` of all rows was compared."""
    unit = "rows" if parts == 1 else "rows of a sample"
    return counted(rule.label, found.among(rows), unit, found.where)


def repeats(connection: duckdb.DuckDBPyConnection, rule: Repeats, parts: int) -> Tally:
    """Rows whose keys an earlier row has."""
    source = keyed(rule, parts)
    names = ", ".join(f"k{place}" for place in range(len(rule.keys)))
    group = "h" if rule.wide else names
    [(evaluated, repeated)] = connection.execute(
        "SELECT coalesce(sum(n), 0)::BIGINT, coalesce(sum(n - 1), 0)::BIGINT "  # noqa: S608
        f"FROM (SELECT count(*) AS n FROM {source} GROUP BY {group})"
    ).fetchall()
    where: Sequence[Place] = ()
    if repeated:
        candidates = (
            f"(SELECT * FROM {source} WHERE {_tuple(group)} IN "  # noqa: S608 - quoted
            f"(SELECT {_tuple(group)} FROM {source} GROUP BY {group} HAVING count(*) > 1))"
        )
        numbered = (
            f"(SELECT o, r, row_number() OVER (PARTITION BY {names} ORDER BY o, r) AS n "  # noqa: S608
            f"FROM {candidates})"
        )
        [(repeated, places)] = connection.execute(
            f"SELECT count(*), min({{'o': o, 'r': r}}, {MAX_PLACES}) "  # noqa: S608 - quoted
            f"FROM {numbered} WHERE n > 1"
        ).fetchall()
        where = [(place["o"], place["r"]) for place in places or ()]
    return Tally(evaluated, repeated, tuple(where))


def keyed(rule: Repeats, parts: int) -> str:
    """The rows judged, with keys k0, k1, … and their hash h."""
    keys = ", ".join(f"{key} AS k{place}" for place, key in enumerate(rule.keys))
    hashed = f"hash({', '.join((*rule.keys, '0'))})"
    sampled = f" AND {hashed} % {parts} = 0" if parts > 1 else ""
    return (
        f"(SELECT {_O} AS o, {_R} AS r, {keys}, {hashed} AS h "  # noqa: S608 - quoted
        f"FROM {VIEW} WHERE {rule.judged}{sampled})"
    )


def _tuple(names: str) -> str:
    return f"({names})" if "," not in names else f"row({names})"


def order(connection: duckdb.DuckDBPyConnection, rule: Order, *, within: bool = False) -> Tally:
    """Rows that do not follow the row before them that has a value; `within` objects only."""
    following = f"PARTITION BY {_O} ORDER BY {_R}" if within else f"ORDER BY {_O}, {_R}"
    pairs = (
        f"(SELECT {_O}, {_R}, ({rule.value}) AS v, "  # noqa: S608 - quoted
        f"lag({rule.value}) OVER ({following}) AS before "
        f"FROM {VIEW} WHERE {rule.judged})"
    )
    [(evaluated, wrong)] = connection.execute(
        f"SELECT count(before), count(CASE WHEN {rule.wrong} THEN 1 END) FROM {pairs}"  # noqa: S608
    ).fetchall()
    where: Sequence[Place] = ()
    if wrong:
        where = connection.execute(
            f"SELECT {_O}, {_R} FROM {pairs} WHERE {rule.wrong} {_FIRST}"  # noqa: S608 - quoted
        ).fetchall()
    return Tally(evaluated, wrong, tuple(where))


def in_order(rule: Order, found: Tally, rows: int) -> Outcome:
    """The outcome, where these are all rows."""
    return counted(rule.label, found.among(rows), "rows with one before", found.where)
