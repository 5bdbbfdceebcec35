"""Small searches: rows that can be learnt, and what trials of them are judged on."""

from pathlib import Path
from typing import Any, cast

import numpy as np
from tests.unit.runner.memory import MemoryStorage
from tests.unit.runner.workshop import classification, estimator

from tidemill_runner import train_input
from tidemill_runner.columns import Roles
from tidemill_runner.matrix import Data
from tidemill_runner.progress import Progress, Subject
from tidemill_runner.schema import Column, ColumnType
from tidemill_runner.search.journal import Trials
from tidemill_runner.search.search import Found, Search, bench_of
from tidemill_runner.search.sought import Sought
from tidemill_runner.split import divide
from tidemill_runner.storage import Storage
from tidemill_runner.train_input import TrainInput

TREE = "sklearn.tree.DecisionTreeClassifier"
RANDOM: dict[str, Any] = {
    "method": "Random",
    "trials": 8,
    "space": {
        "s0__max_depth": {"values": [1, 2, None]},
        "s0__min_samples_leaf": {"low": "2", "high": "40", "type": "Int", "log": True},
        "s0__ccp_alpha": {"low": "0", "high": "0.05", "type": "Float"},
    },
    "cv": {"folds": 3},
}
GRID: dict[str, Any] = {
    "method": "Grid",
    "space": {
        "s0__min_samples_leaf": {"values": [2, 30]},
        "s0__max_depth": {"values": [1, 2, 4]},
    },
    "cv": {"folds": 3},
}
TPE: dict[str, Any] = {**RANDOM, "method": "TPE", "trials": 14}


def document(search: dict[str, Any], **changes: Any) -> TrainInput:
    spec = classification(**{"estimator": estimator((TREE, {})), "search": search, **changes})
    return train_input.train(
        {
            "namespace": "ns",
            "name": "power",
            "uid": "u-1",
            "output": "runs/ns/u-1/job/",
            "dataset": {"name": "power", "version": "sha256:1", "manifest": "m", "cas": "cas"},
            "spec": spec,
            "models": "models/",
        }
    )


def rows(n: int = 150, seed: int = 5) -> tuple[Data, Roles]:
    """Two features, of which both tell something of the class."""
    chance = np.random.default_rng(seed)
    features = chance.normal(size=(n, 2))
    noisy = features[:, 0] + features[:, 1] * 0.5 + chance.normal(size=n) * 0.7
    columns = [Column(name, ColumnType.FLOAT, nullable=False) for name in ("a", "b")]
    roles = Roles(Column("y", ColumnType.INTEGER, nullable=False), tuple(columns), None)
    return Data(features, (noisy > 0).astype(np.int64), None), roles


def searching(
    folder: Path,
    search: dict[str, Any],
    store: MemoryStorage | None = None,
    data: Data | None = None,
    **changes: Any,
) -> Search:
    known, roles = rows()
    data = data or known
    asked_for = document(search, **changes)
    training = asked_for.training
    sought = Sought.of(training)
    assert sought
    parts = divide(data.n, training.split, data.time, training.seed)
    bench = bench_of(training, sought, roles, data, parts)
    trials = Trials.of(cast("Storage", store or MemoryStorage()), asked_for)
    progress = Progress(Subject("TrainingRun", "ns", "power", "u-1"), None)
    return Search(sought, bench, trials, progress, folder / "search")


def found(folder: Path, search: dict[str, Any], **changes: Any) -> Found:
    return searching(folder, search, **changes).run()


def told(result: Found) -> dict[str, Any]:
    """What came of it, without how long it took."""
    content = result.content()
    return {**content, "trials": [{**one, "seconds": 0} for one in content["trials"]]}
