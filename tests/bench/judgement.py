"""The judgement of a million rows held out: each part, the report, and the memory it takes.

Run from the root of the tree: `python -m tests.bench.judgement [--rows N] [--json FILE]`. A
gradient boosting of ten features and two classes; rows belong to entities; slices, fairness,
importance and dependence are all asked for. Fitting, predicting and the metrics themselves are not
the judgement's. Of three rounds the fastest counts, since whatever else runs only adds to it.
"""

import resource
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from tests.bench import table

from tidemill.stats import catalog
from tidemill_runner.columns import Roles
from tidemill_runner.evaluate import ask, evaluate
from tidemill_runner.judgement import (
    baselines,
    explain,
    fairness,
    grouped,
    judge,
    leakage,
    sections,
    slices,
)
from tidemill_runner.judgement.asked import Asked
from tidemill_runner.judgement.scene import Scene
from tidemill_runner.matrix import Data
from tidemill_runner.schema import Column, ColumnType
from tidemill_runner.split import divide
from tidemill_runner.train_input import Split, Step, Training

FEATURES = 10
ROUNDS = 3
HOLDOUT = Decimal("0.8")
TARGETS = {"judgement and report, s": "≤ 5", "more memory, MiB": "≤ 600"}
EVALUATION: dict[str, Any] = {
    "groupBy": ["site"],
    "slices": [{"column": "kind"}, {"column": "size"}],
    "fairness": [{"sensitive": "kind", "metric": "equalized_odds_difference", "max": "0.1"}],
    "explain": {"partialDependence": True},
}


def scene_of(rows: int) -> Scene:
    """A fitted model and `rows` rows held out."""
    rng = np.random.default_rng(0)
    n = int(rows / float(HOLDOUT))
    features = rng.normal(size=(n, FEATURES))
    target = (features[:, 0] + rng.normal(size=n) > 0).astype(np.int64)
    beside = pa.table(
        {
            "site": rng.integers(0, 20_000, n),
            "kind": np.array(["a", "b", "c"], dtype=object)[rng.integers(0, 3, n)],
            "size": rng.random(n),
        }
    )
    kinds = {"site": ColumnType.INTEGER, "kind": ColumnType.STRING, "size": ColumnType.FLOAT}
    extra = tuple(Column(name, kind, nullable=False) for name, kind in kinds.items())
    names = [Column(f"f{i}", ColumnType.FLOAT, nullable=False) for i in range(FEATURES)]
    roles = Roles(Column("y", ColumnType.INTEGER, nullable=False), tuple(names), None, extra)
    training = Training(
        task="Classification",
        target="y",
        exclude=(),
        split=Split("Order", HOLDOUT, None),
        seed=1,
        steps=(Step("model", "sklearn.ensemble.HistGradientBoostingClassifier", {}),),
        metrics=(),
        evaluation=EVALUATION,
    )
    parts = divide(n, training.split, None, 1)
    model = HistGradientBoostingClassifier(max_iter=30, random_state=0)
    pipeline = Pipeline([("model", model)]).fit(features[parts.train], target[parts.train])
    answers = ask(pipeline, features[parts.holdout])
    metrics = catalog.DEFAULTS["Classification"]
    found = evaluate(pipeline, answers, target[parts.holdout], metrics, 1)
    data = Data(features, target, None, beside)
    return Scene(training, Asked.of(training), roles, pipeline, data, parts, found)


def spent(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Do it: seconds of the processor, of the clock, and what came of it."""
    began, clock = time.process_time(), time.perf_counter()
    found = work()
    return time.process_time() - began, time.perf_counter() - clock, found


def measured(scene: Scene) -> table.Figures:
    """Judge as a whole, then each part by itself."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def whole() -> str:
        judged = judge.judge(replace(scene, evaluation=grouped.regrouped(scene)))
        first = scene.evaluation.metrics[0]
        return "".join(
            [
                sections.summary(judged),
                sections.baselines(judged),
                sections.parts(judged, first),
                sections.fair(judged),
                sections.probabilities(judged, binary=True),
                sections.explained(judged),
            ]
        )

    rounds = [spent(whole) for _ in range(ROUNDS)]
    clock, page = min(one[1] for one in rounds), rounds[0][2]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    each: dict[str, Callable[[], Any]] = {
        "intervals over groups": lambda: grouped.regrouped(scene),
        "baselines": lambda: baselines.measure(scene),
        "slices": lambda: slices.measure(scene),
        "fairness": lambda: fairness.measure(scene),
        "importance and dependence": lambda: explain.measure(scene),
        "leakage": lambda: leakage.warnings(scene),
    }
    return {
        "judgement and report, s": clock,
        "its processor time, s": min(one[0] for one in rounds),
        "more memory, MiB": peak / 1024,
        "report, KiB": len(page) / 1024,
        "s of": {name: min(spent(work)[1] for _ in range(ROUNDS)) for name, work in each.items()},
    }


def main() -> None:
    options = table.options(__doc__, "rows", whole=1_000_000, quick=20_000)
    machine = table.machine()
    figures = measured(scene_of(options.size))
    table.show(f"{options.size:,} rows held out, {FEATURES} features", figures, TARGETS)
    table.write(options.json, {"machine": machine, "rows": options.size, **figures})


if __name__ == "__main__":
    main()
