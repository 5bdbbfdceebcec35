"""One fit by two pods against one pod, on the same rows: each has one thread.

Run from the root of the tree: `python -m tests.bench.joint [--rows N] [--json FILE]`. Trees of
XGBoost and LightGBM; the pods are on one machine, and the start of their cluster is part of the
time. Of two rounds the faster counts, since whatever else runs only adds to it.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from tests.bench import table

from tidemill_runner import threads

ROUNDS = 2
COLUMNS = 30
LIBRARIES = {"XGBoost": "xgboost.XGBClassifier", "LightGBM": "lightgbm.LGBMClassifier"}
TREES: dict[str, Any] = {"n_estimators": 300, "n_jobs": 1, "max_depth": 6}
TARGETS = {f"{name}: two pods, times as fast": "≥ 1.4" for name in LIBRARIES}


def delivered(rows: int) -> str:
    """Rows of numbers, of which two columns tell the class."""
    features = np.random.default_rng(0).normal(size=(rows, COLUMNS)).round(4)
    target = (features[:, 0] * features[:, 1] + features[:, 2] > 0).astype(int)
    lines = [",".join([*(f"f{number}" for number in range(COLUMNS)), "y"])]
    lines += [
        ",".join([*map(str, row), str(label)])
        for row, label in zip(features.tolist(), target.tolist(), strict=True)
    ]
    return "\n".join(lines) + "\n"


def seconds(data: str, path: str, workers: int) -> float:
    """How long the fit took."""
    from tests.unit.runner.joint.crew import beside, pod
    from tests.unit.runner.workshop import Workshop, classification, estimator

    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder))
        workshop.deliver(data_csv=data)
        spec = classification(estimator=estimator((path, TREES)))
        document = {**workshop.train_document(workshop.ingest(), spec), "workers": workers}
        first, *others = [pod(workshop, document, f"pod-{n}") for n in range(workers)]
        with beside(others) as raised:
            first.run()
        if raised:
            raise SystemExit(f"another pod failed: {raised[0]}")
        return first.watch.seconds["fit"]


def measured(rows: int) -> table.Figures:
    """Both libraries, one pod and two in turn."""
    data, figures = delivered(rows), {}
    for name, path in LIBRARIES.items():
        best = {1: float("inf"), 2: float("inf")}
        for _ in range(ROUNDS):
            for workers, known in list(best.items()):
                best[workers] = min(known, seconds(data, path, workers))
        figures[f"{name}: one pod, s"] = best[1]
        figures[f"{name}: two pods, s"] = best[2]
        figures[f"{name}: two pods, times as fast"] = best[1] / best[2]
    return figures


def main() -> None:
    os.environ.setdefault("TIDEMILL_POD_IP", "127.0.0.1")
    os.environ.setdefault("GOMP_SPINCOUNT", threads.SPINS)
    begun = time.monotonic()
    options = table.options(__doc__, "rows", whole=150_000, quick=2_000)
    machine = table.machine()
    figures = measured(options.size)
    table.show(f"{TREES['n_estimators']} trees on {options.size:,} rows", figures, TARGETS)
    print(f"  in {time.monotonic() - begun:.0f} s")
    table.write(options.json, {"machine": machine, "rows": options.size, **figures})


if __name__ == "__main__":
    main()
