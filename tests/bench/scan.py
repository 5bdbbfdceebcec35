"""Checks and profile against what the engine does bare: one scan, and its own SUMMARIZE.

Run from the root of the tree: `python -m tests.bench.scan [--rows N] [--json FILE]`. The table has
13 columns, two of them text, in one Parquet file on this machine; all run in this process, each
three times after one time that does not count. Ratios are speed against the bare engine's: 1 is as
fast, 2 twice as fast.
"""

import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from tests.bench import table

from tidemill_runner.checks.parse import parse
from tidemill_runner.checks.run import run
from tidemill_runner.checks.verdict import judge
from tidemill_runner.database import Limits
from tidemill_runner.profile.measure import measure
from tidemill_runner.rows import Local
from tidemill_runner.schema import Column, ColumnType, Schema
from tidemill_runner.staging import staged, viewed

ROUNDS = 3
LIMITS = Limits(memory=600 * 1024 * 1024, threads=2)
NUMBERS, TEXTS = 10, 2
TARGETS = {"checks, of a bare scan's speed": "≥ 0.9", "profile, of SUMMARIZE's speed": "≥ 0.6"}
# The same six questions, once as checks and once as anybody would write them.
CHECKS: list[dict[str, Any]] = [
    {"name": "positive", "expression": "n0 >= 0"},
    {"name": "ordered", "expression": "n1 <= n2 + 1000"},
    {"name": "enough", "rowCount": {"min": 1}},
]
COLUMNS: list[dict[str, Any]] = [
    {"name": "n3", "min": "0", "max": "1000"},
    {"name": "t0", "in": [f"kind-{k}" for k in range(10)]},
    {"name": "id", "nullable": False},
]
BARE = """
SELECT count(*), count(*) FILTER (WHERE NOT n0 >= 0), count(*) FILTER (WHERE NOT n1 <= n2 + 1000),
  count(*) FILTER (WHERE n3 < 0), count(*) FILTER (WHERE n3 > 1000),
  count(*) FILTER (WHERE t0 NOT IN ('kind-0', 'kind-1', 'kind-2', 'kind-3', 'kind-4', 'kind-5',
    'kind-6', 'kind-7', 'kind-8', 'kind-9')), count(id) FROM rows
"""


def write(path: Path, rows: int) -> Schema:
    """Make the table, as an ingest stages it."""
    deliver(path, rows, places=["'a.csv' AS __object", "range + 1 AS __row"])
    return schema_of()


def deliver(path: Path, rows: int, places: Sequence[str] = ()) -> None:
    """Make the table as somebody delivers it."""
    numbers = [f"(hash(range, {n}) % 100000) / 100.0 AS n{n}" for n in range(NUMBERS)]
    texts = [f"'kind-' || hash(range, 'text', {n}) % 10 AS t{n}" for n in range(TEXTS)]
    columns = ", ".join(["range AS id", *numbers, *texts, *places])
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"COPY (SELECT {columns} FROM range({rows})) TO '{path}'")  # noqa: S608


def schema_of() -> Schema:
    """Say what the table's columns are."""
    kinds = {"id": ColumnType.INTEGER}
    kinds |= {f"n{n}": ColumnType.FLOAT for n in range(NUMBERS)}
    kinds |= {f"t{n}": ColumnType.STRING for n in range(TEXTS)}
    return Schema(tuple(Column(name, kind, nullable=False) for name, kind in kinds.items()))


def seconds(work: Callable[[], object]) -> float:
    """Do it several times; the median, without the first."""
    took = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return statistics.median(took[1:])


def asked(view: duckdb.DuckDBPyConnection) -> Local:
    """The rows of a view, with no other Dataset to look into."""
    return Local(view, lambda _: "")


def compared(path: Path, schema: Schema) -> table.Figures:
    plan = parse({"columns": COLUMNS}, CHECKS, schema)
    now = datetime.now(UTC)
    with viewed(staged([path]), path.parent, LIMITS) as rows:
        if judge(run(asked(rows), plan, now)).rejected:
            raise SystemExit("the table does not meet its checks")
        checks = seconds(lambda: run(asked(rows), plan, now))
        bare = seconds(lambda: rows.execute(BARE).fetchall())
        profile = seconds(lambda: measure(rows, schema, frozenset()))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        summary = seconds(lambda: rows.execute("SUMMARIZE rows").fetchall())
    return {
        "checks, s": checks,
        "bare scan, s": bare,
        "checks, of a bare scan's speed": bare / checks,
        "profile, s": profile,
        "SUMMARIZE, s": summary,
        "profile, of SUMMARIZE's speed": summary / profile,
        "peak RSS before SUMMARIZE, MiB": peak,
    }


def main() -> None:
    options = table.options(__doc__, "rows", whole=5_000_000, quick=100_000)
    machine = table.machine()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        figures = compared(path, write(path, options.size))
    table.show(f"{options.size:,} rows of 13 columns", figures, TARGETS)
    table.write(options.json, {"machine": machine, "rows": options.size, **figures})


if __name__ == "__main__":
    main()
