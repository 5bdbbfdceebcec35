"""One delivery, checked and described, by one pod and by several: each a process on one core.

Run from the root of the tree: `python -m tests.bench.spread [--rows N] [--json FILE]`. Sixteen
CSV files in a MinIO beside it. Ratios are of one pod's time: 2 is twice as fast. Where the machine
has fewer cores than pods they share them, and MinIO has none of its own.
"""

import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench import table
from tests.contract.minio_server import minio_server
from tests.contract.pods import Pods
from tests.contract.workbench import Workbench

from tidemill_runner.exits import Exit

FILES, PODS = 16, 2
CHECKS = [
    {"name": "once", "unique": {"columns": ["id"], "exact": True}},
    {"name": "low", "expression": "price < 1"},
    {"name": "grows", "monotonic": {"column": "id"}, "severity": "Warn"},
]


def deliver(bench: Workbench, rows: int) -> None:
    chance, each = random.Random(7), rows // FILES
    for number in range(FILES):
        lines = (
            f"{number * each + n},{chance.random():.6f},{chance.choice('abcdef')},{n % 97}\n"
            for n in range(each)
        )
        bench.deliver(f"{number:02d}.csv", ("id,price,site,day\n" + "".join(lines)).encode())


def seconds(bench: Workbench, workers: int, **asked: Any) -> float:
    """From the start of the processes to the version; a bare start included."""
    pods = Pods.of(bench, workers, checks=CHECKS, **asked)
    if workers == 1:
        pods.document.pop("workers")
    began = time.monotonic()
    try:
        cores = sorted(os.sched_getaffinity(0))
        started = [
            pods.start(worker, ["taskset", "-c", str(cores[worker % len(cores)])])
            for worker in range(workers)
        ]
        ended = pods.outcome(started[0])
    finally:
        pods.close()
    if ended.exit is not Exit.OK:
        raise SystemExit(ended.message)
    return time.monotonic() - began


def measured(rows: int) -> table.Figures:
    with tempfile.TemporaryDirectory() as folder, minio_server(Path(folder)) as server:
        bench = Workbench(server, Path(folder, "pods"))
        deliver(bench, rows)
        seconds(bench, 1)  # what is copied once need not be copied again
        one = seconds(bench, 1)
        several = seconds(bench, PODS)
        dask = seconds(bench, PODS, engine="Dask")
        return {
            "one pod, s": one,
            f"{PODS} pods, s": several,
            f"{PODS} pods over Dask, s": dask,
            f"{PODS} pods, of one's speed": one / several,
            f"{PODS} pods over Dask, of one's speed": one / dask,
        }


def main() -> None:
    options = table.options(__doc__, "rows", whole=6_000_000, quick=20_000)
    figures = measured(options.size)
    table.show(f"{options.size:,} rows in {FILES} files, {PODS} pods", figures)
    table.write(options.json, {"machine": table.machine(), "rows": options.size, **figures})


if __name__ == "__main__":
    main()
