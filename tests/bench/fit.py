"""A training run beside the script that somebody would write instead, on the same rows.

Run from the root of the tree: `python -m tests.bench.fit [--rows N] [--json FILE]`. Both read the
same Parquet from a MinIO beside them, fit the same gradient boosting on the first four fifths of
the rows, measure it on the others, and send the model back; the run also verifies what it read,
judges (baselines, importance, calibration, intervals), proves the model, and reports. Each is a
process of its own, from its start to its end, with both cores. Four sizes: a small fit; a fit that
takes about a minute, of trees one after the other; a million rows, where it is the rows that the
run looks at once more; and many rows. Medians of three rounds in turn; of many rows, one.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tests.bench import table
from tests.contract.minio_server import minio_server
from tests.contract.workbench import NAMESPACE, Workbench

from tidemill.store import layout

FEATURES, TARGET = 10, "y"
BARE = Path(__file__).parent / "elsewhere" / "bare_fit.py"
SMALL_ROWS, SMALL_TREES = 2_000, 20
MINUTE_ROWS, MINUTE_TREES = 100_000, 180
HISTOGRAMS = "HistGradientBoostingClassifier"
ONE_BY_ONE = "GradientBoostingClassifier"
ROUNDS = 3
WHOLE = 10_000_000
TARGETS = {
    "small fit: the run takes longer by, s": "≤ 3",
    "a minute: the run takes longer by, %": "≤ 5",
    "many rows: memory, of the script's": "≤ 1.2",
}


@dataclass(frozen=True)
class Spent:
    """What a process took: seconds by the clock, MiB at its peak."""

    seconds: float
    peak: float


def deliver(bench: Workbench, folder: Path, rows: int) -> dict[str, Any]:
    """Put rows into the store as they come, and as a version."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(rows, FEATURES)).astype(np.float64)
    target = (features[:, 0] * features[:, 1] + rng.normal(size=rows) > 0).astype(np.int64)
    columns = {f"f{i}": features[:, i] for i in range(FEATURES)}
    path = folder / "rows.parquet"
    pq.write_table(pa.table({**columns, TARGET: target}), path)
    del features, columns
    bench.prefix = f"rows-{rows}/"
    if not bench.client.bucket_exists(bench.bucket):
        bench.client.make_bucket(bench.bucket)
    bench.client.fput_object(bench.bucket, f"{bench.prefix}rows.parquet", str(path))
    path.unlink()
    return bench.ingest("Parquet").result


@dataclass(frozen=True)
class Fit:
    """What is fitted, to how much."""

    rows: int
    trees: int
    rounds: int = ROUNDS
    kind: str = HISTOGRAMS


def spec(fit: Fit) -> dict[str, Any]:
    params: dict[str, Any] = {"n_estimators": fit.trees}
    if fit.kind == HISTOGRAMS:
        params = {"max_iter": fit.trees, "early_stopping": False}
    name = f"sklearn.ensemble.{fit.kind}"
    return {
        "task": "Classification",
        "target": TARGET,
        "split": {"holdout": "0.2", "by": "Order"},
        "estimator": {"sklearn": {"steps": [{"name": "model", "class": name, "params": params}]}},
    }


def spent(command: Sequence[str], environment: Mapping[str, str]) -> Spent:
    """Run a program to its end."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, env=environment, stdout=words, stderr=words)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        if process.returncode:
            words.seek(0)
            raise SystemExit(words.read().decode()[-4000:])
    return Spent(seconds, _peak(used))


def _peak(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / 1024


@dataclass
class Pair:
    """The run and the script on one version."""

    bench: Workbench
    version: Mapping[str, Any]
    fit: Fit
    number: int = 0

    def run(self) -> Spent:
        self.number += 1
        uid = f"uid-{self.fit.trees}-{self.number}"
        document = {
            "apiVersion": "runner.tidemill.dev/v1",
            "verb": "train",
            "namespace": NAMESPACE,
            "name": "bench",
            "uid": uid,
            "output": f"{layout.run_prefix(NAMESPACE, uid)}job-1/",
            "progress": None,
            "dataset": {
                "name": self.bench.name,
                "version": self.version["version"],
                "manifest": self.version["manifest"],
                "cas": layout.cas_prefix(NAMESPACE),
            },
            "spec": spec(self.fit),
            # The package is new each time, as a run's is.
            "models": layout.model_prefix(NAMESPACE, uid),
            "image": "registry.example/runner@sha256:0",
        }
        paths = self.bench.mount(document)
        told = {f"TIDEMILL_{name.upper()}": str(value) for name, value in vars(paths).items()}
        command = [sys.executable, "-m", "tidemill_runner", "train"]
        return spent(command, {**os.environ, **told})

    def script(self) -> Spent:
        config = self.bench.server.config
        with tempfile.TemporaryDirectory() as folder:
            where = [config.host, config.access_key, config.secret_key, self.bench.bucket]
            what = [f"{self.bench.prefix}rows.parquet", self.fit.kind, str(self.fit.trees), folder]
            return spent([sys.executable, str(BARE), *where, *what], os.environ)

    def measured(self) -> tuple[Spent, Spent]:
        """Both, in turn; the medians."""
        runs, scripts = [], []
        for _ in range(self.fit.rounds):
            scripts.append(self.script())
            runs.append(self.run())
        return _median(runs), _median(scripts)


def _median(several: Sequence[Spent]) -> Spent:
    return Spent(
        statistics.median(one.seconds for one in several),
        statistics.median(one.peak for one in several),
    )


def sizes(rows: int) -> dict[str, Fit]:
    """What is fitted, where the largest has so many rows."""
    if rows < WHOLE:
        return {"small fit": Fit(SMALL_ROWS, SMALL_TREES, 1), "many rows": Fit(rows, 20, 1)}
    return {
        "small fit": Fit(SMALL_ROWS, SMALL_TREES),
        "a minute": Fit(MINUTE_ROWS, MINUTE_TREES, kind=ONE_BY_ONE),
        "a million rows": Fit(rows // 10, 400),
        "many rows": Fit(rows, 100, 1),
    }


def measured(rows: int) -> table.Figures:
    found: table.Figures = {}
    with tempfile.TemporaryDirectory() as folder, minio_server(Path(folder, "s3")) as server:
        bench = Workbench(server, Path(folder, "pods"))
        for name, fit in sizes(rows).items():
            version = deliver(bench, Path(folder), fit.rows)
            run, script = Pair(bench, version, fit).measured()
            found[f"{name}: rows"] = fit.rows
            found[f"{name}: script, s"] = script.seconds
            found[f"{name}: run, s"] = run.seconds
            found[f"{name}: the run takes longer by, s"] = run.seconds - script.seconds
            found[f"{name}: the run takes longer by, %"] = 100 * (run.seconds / script.seconds - 1)
            found[f"{name}: script's peak, MiB"] = script.peak
            found[f"{name}: memory, of the script's"] = run.peak / script.peak
    return found


def main() -> None:
    options = table.options(__doc__, "rows", whole=WHOLE, quick=20_000)
    machine = table.machine()
    figures = measured(options.size)
    table.show(f"a run and the bare script, at most {options.size:,} rows", figures, TARGETS)
    table.write(options.json, {"machine": machine, "rows": options.size, **figures})


if __name__ == "__main__":
    main()
