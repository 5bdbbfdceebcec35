"""A search with two trials at a time against one after the other, on the same rows.

Run from the root of the tree: `python -m tests.bench.search [--rows N] [--json FILE]`. Random
forests of some depths, in three folds; the start of the processes is part of it. Of three rounds,
one of each in turn, the fastest counts, since whatever else runs only adds to it. Both must come to
the same.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench import table

ROUNDS = 3
FOREST = "sklearn.ensemble.RandomForestClassifier"
SEARCH: dict[str, Any] = {
    "method": "Random",
    "trials": 16,
    "space": {
        "s0__max_depth": {"low": "6", "high": "10", "type": "Int"},
        "s0__min_samples_leaf": {"values": [5, 10, 20]},
    },
    "cv": {"folds": 3},
}
TARGETS = {"two at a time, times as fast": "≥ 1.7"}


def seconds(rows: int, parallelism: int) -> tuple[float, dict[str, Any]]:
    """How long a search takes, and what came of it."""
    # The processes of the search import this module, and are to import no more than in a run.
    from tests.unit.runner.search import benches
    from tests.unit.runner.workshop import estimator

    data, _ = benches.rows(rows)
    steps = estimator((FOREST, {"n_estimators": 20}))
    with tempfile.TemporaryDirectory() as folder:
        search = benches.searching(
            Path(folder), {**SEARCH, "parallelism": parallelism}, data=data, estimator=steps
        )
        begun = time.monotonic()
        found = search.run()
        return time.monotonic() - begun, benches.told(found)


def measured(rows: int) -> table.Figures:
    """Both, in turn."""
    best = {1: float("inf"), 2: float("inf")}
    for _ in range(ROUNDS):
        came = {}
        for parallelism in (1, 2):
            took, came[parallelism] = seconds(rows, parallelism)
            best[parallelism] = min(best[parallelism], took)
        if came[1] != came[2]:
            raise SystemExit("the two searches came to different ends")
    return {
        "one at a time, s": best[1],
        "two at a time, s": best[2],
        "two at a time, times as fast": best[1] / best[2],
    }


def main() -> None:
    options = table.options(__doc__, "rows", whole=40_000, quick=2_000)
    machine = table.machine()
    figures = measured(options.size)
    trials, folds = SEARCH["trials"], SEARCH["cv"]["folds"]
    title = f"{trials} trials in {folds} folds on {options.size:,} rows"
    table.show(title, figures, TARGETS)
    table.write(options.json, {"machine": machine, "rows": options.size, **figures})


if __name__ == "__main__":
    main()
