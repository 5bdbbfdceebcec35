"""Data of which it is known what a judgement must find."""

from collections.abc import Callable
from typing import Any

import numpy as np
from tests.unit.runner.workshop import Workshop, classification, estimator

TREE = ("sklearn.tree.DecisionTreeClassifier", {"max_depth": 3, "random_state": 0})
Columns = dict[str, Any]


def csv(columns: Columns) -> str:
    """A file of these columns."""
    lines = [",".join(columns)]
    lines += [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(lines) + "\n"


def judged(workshop: Workshop, columns: Columns, **spec: Any) -> dict[str, Any]:
    """Train on the columns, of which `y` is the target; the judgement in the result."""
    workshop.deliver(data_csv=csv(columns))
    result = workshop.train(workshop.ingest(), classification(**{"seed": 1, **spec}))
    found: dict[str, Any] = result["judgement"]
    return found


def report(workshop: Workshop) -> str:
    return workshop.store.objects["runs/ns/u-1/job/report.html"].decode()


def noise(n: int = 600, seed: int = 0) -> Columns:
    """Two features, of which the first tells the target a little."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n).round(4)
    return {
        "a": a,
        "b": rng.normal(size=n).round(4),
        "y": (a + rng.normal(size=n) > 0).astype(int),
    }


def sticky(n: int = 800, seed: int = 0) -> Columns:
    """The target stays what it was in nine of ten rows, and no feature knows."""
    rng = np.random.default_rng(seed)
    y = (np.cumsum(rng.random(n) < 0.1) % 2).astype(int)
    return {"a": rng.normal(size=n).round(4), "b": rng.normal(size=n).round(4), "y": y}


def by_name(found: list[dict[str, Any]] | tuple[dict[str, Any], ...]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in found}


def tree() -> dict[str, Any]:
    return estimator(TREE)


Judge = Callable[..., dict[str, Any]]
