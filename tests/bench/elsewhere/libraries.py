"""Asks one library six questions about a Parquet file, and prints seconds, failures, peak MiB.

Runs in an environment of its own, which `tests.bench.peers` makes; it knows nothing of Tidemill.
"""

import logging
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

KINDS = [f"kind-{k}" for k in range(10)]
LARGEST = 1000.0
COLUMNS = ["id", *(f"n{n}" for n in range(10)), "t0", "t1"]


def pandera_polars(path: str) -> Callable[[], int]:
    import pandera.polars as pa
    import polars as pl

    schema = pa.DataFrameSchema(
        {
            "id": pa.Column(pl.Int64, nullable=False),
            "n0": pa.Column(pl.Float64, pa.Check.ge(0)),
            "n3": pa.Column(pl.Float64, pa.Check.in_range(0, LARGEST)),
            "t0": pa.Column(pl.String, pa.Check.isin(KINDS)),
        },
        checks=[
            pa.Check(lambda data: data.lazyframe.select(pl.col("n1") <= pl.col("n2") + LARGEST)),
            pa.Check(lambda data: data.lazyframe.select(pl.len() >= 1)),
        ],
    )
    return lambda: _failures(pa, schema, pl.read_parquet(path, columns=COLUMNS))


def pandera_pandas(path: str) -> Callable[[], int]:
    import pandas as pd
    import pandera.pandas as pa

    schema = pa.DataFrameSchema(
        {
            "id": pa.Column(nullable=False),
            "n0": pa.Column(float, pa.Check.ge(0)),
            "n3": pa.Column(float, pa.Check.in_range(0, LARGEST)),
            "t0": pa.Column(None, pa.Check.isin(KINDS)),
        },
        checks=[
            pa.Check(lambda rows: rows["n1"] <= rows["n2"] + LARGEST),
            pa.Check(lambda rows: len(rows) >= 1),
        ],
    )
    return lambda: _failures(pa, schema, pd.read_parquet(path, columns=COLUMNS))


def _failures(pa: Any, schema: Any, rows: Any) -> int:
    try:
        schema.validate(rows, lazy=True)
    except pa.errors.SchemaErrors as error:
        return len(error.failure_cases)
    return 0


def great_expectations(path: str) -> Callable[[], int]:
    """Five of the six: of two columns it asks which is greater, not by how much."""
    import great_expectations as gx
    import pandas as pd

    logging.disable(logging.CRITICAL)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("source").add_dataframe_asset("rows")
    batches = asset.add_batch_definition_whole_dataframe("whole")
    suite, expect = gx.ExpectationSuite("six"), gx.expectations
    for one in (
        expect.ExpectColumnValuesToBeBetween(column="n0", min_value=0),
        expect.ExpectColumnValuesToBeBetween(column="n3", min_value=0, max_value=LARGEST),
        expect.ExpectColumnValuesToBeInSet(column="t0", value_set=KINDS),
        expect.ExpectColumnValuesToNotBeNull(column="id"),
        expect.ExpectTableRowCountToBeBetween(min_value=1),
    ):
        suite.add_expectation(one)

    def ask() -> int:
        batch = batches.get_batch({"dataframe": pd.read_parquet(path, columns=COLUMNS)})
        found = batch.validate(suite, result_format="BASIC")
        return int(found.statistics["unsuccessful_expectations"])

    return ask


PEERS = {
    "pandera-polars": pandera_polars,
    "pandera-pandas": pandera_pandas,
    "great-expectations": great_expectations,
}


def main() -> int:
    """Ask once that does not count, then three times; the median."""
    ask = PEERS[sys.argv[1]](sys.argv[2])
    took, failed = [], ask()
    for _ in range(3):
        began = time.perf_counter()
        ask()
        took.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"{sorted(took)[1]} {failed} {peak}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
