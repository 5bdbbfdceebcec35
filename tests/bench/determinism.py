"""Is a model the same, bit by bit, when it is trained again? Each estimator of scikit-learn, twice.

Run from the root of the tree: `python -m tests.bench.determinism [--names N] [--json FILE]`. Each
class of the catalogue is trained with its own defaults by the runner's own `train`, in two
processes whose hashes are salted differently: classifiers and regressors alone, everything else as
a first step before a linear model. Compared are the digests of the packages; where they differ, the
files that do are named. What the runner refuses is listed with its reason.
"""

import csv
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench import table

from tidemill_runner import threads

# Before what computes is imported, as the runner does.
threads.apply(os.environ)

ROOT = Path(__file__).resolve().parents[2]
ROWS, MANY_ROWS, FEATURES = 200, 20_000, 5
SEEDS = ("1", "2")  # of Python's hashes, on which the order of sets depends
CHILD = "--child"
# One of each family: what the suite looks at.
FAMILIES = (
    "sklearn.calibration.CalibratedClassifierCV",
    "sklearn.cluster.KMeans",
    "sklearn.decomposition.PCA",
    "sklearn.ensemble.ExtraTreesRegressor",
    "sklearn.ensemble.GradientBoostingClassifier",
    "sklearn.ensemble.HistGradientBoostingClassifier",
    "sklearn.ensemble.RandomForestClassifier",
    "sklearn.feature_selection.SelectKBest",
    "sklearn.gaussian_process.GaussianProcessRegressor",
    "sklearn.linear_model.LogisticRegression",
    "sklearn.linear_model.SGDClassifier",
    "sklearn.naive_bayes.GaussianNB",
    "sklearn.neighbors.KNeighborsClassifier",
    "sklearn.neural_network.MLPRegressor",
    "sklearn.preprocessing.QuantileTransformer",
    "sklearn.svm.SVC",
    "sklearn.tree.DecisionTreeRegressor",
)
# What computes with several threads: sums in another order show on many rows alone, and with more
# than two threads, since a + b is b + a.
THREADS = 6
THREADED = (
    "sklearn.cluster.KMeans",
    "sklearn.cluster.MiniBatchKMeans",
    "sklearn.decomposition.PCA",
    "sklearn.ensemble.HistGradientBoostingClassifier",
    "sklearn.ensemble.HistGradientBoostingRegressor",
    "sklearn.ensemble.RandomForestClassifier",
    "sklearn.linear_model.LinearRegression",
    "sklearn.linear_model.LogisticRegression",
    "sklearn.linear_model.Ridge",
    "sklearn.neighbors.KNeighborsClassifier",
    "sklearn.neural_network.MLPClassifier",
)
Found = dict[str, dict[str, Any]]


def data(rows: int) -> str:
    """A CSV file from which both a class and a number can be learnt; nothing is negative."""
    import numpy as np

    drawn = np.random.default_rng(0)
    features = drawn.random((rows, FEATURES))
    number = features @ np.arange(1, FEATURES + 1) + 0.1 * drawn.random(rows)
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow([*(f"x{n}" for n in range(FEATURES)), "number", "y"])
    for row, value in zip(features, number, strict=True):
        writer.writerow([*(f"{x:.6f}" for x in row), f"{value:.6f}", int(value > number.mean())])
    return target.getvalue()


def trained(names: list[str], rows: int) -> Found:
    """Train each, in this process; its digest and those of its files, or why it is refused."""
    from tests.unit.runner.workshop import Workshop

    from tidemill_runner.failures import translate

    found: Found = {}
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(Path(folder))
        shop.deliver(data_csv=data(rows))
        ingested = shop.ingest()
        for name in names:
            try:
                result = shop.train(ingested, _asked(name))["artifact"]
            except Exception as error:
                found[name] = {"refused": translate(error).reason}
                continue
            prefix = result["uri"].split("/", 3)[3]
            manifest = json.loads(shop.store.objects[f"{prefix}manifest.json"])
            files = {file["path"]: file["sha256"] for file in manifest["files"]}
            found[name] = {"digest": result["digest"], "files": files}
    return found


def _asked(name: str) -> dict[str, Any]:
    from sklearn.base import ClassifierMixin, RegressorMixin
    from tests.unit.runner.workshop import LOGISTIC, classification, estimator, regression

    from tidemill_runner import catalogue

    cls = catalogue.estimators()[name]
    if issubclass(cls, RegressorMixin) and not issubclass(cls, ClassifierMixin):
        excluded = {"features": {"exclude": ["y"]}}
        return regression(estimator=estimator(name), target="number", **excluded)
    steps = (name,) if issubclass(cls, ClassifierMixin) else (name, LOGISTIC)
    return classification(estimator=estimator(*steps), features={"exclude": ["number"]})


def in_two_processes(
    names: list[str], rows: int = ROWS, several: int | None = None
) -> tuple[Found, Found]:
    """Train all of them in one process, and again in another; with so many threads, if given."""
    more = {} if several is None else dict.fromkeys(threads.VARIABLES, str(several))
    one, two = (_in_a_process(names, rows, {"PYTHONHASHSEED": seed, **more}) for seed in SEEDS)
    return one, two


def _in_a_process(names: list[str], rows: int, variables: Mapping[str, str]) -> Found:
    command = [sys.executable, "-m", "tests.bench.determinism", CHILD]
    paths = [ROOT, *(ROOT / part for part in ("operator", "images/runner", "images/server"))]
    environment = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        input=json.dumps([names, rows]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=1800,
    )
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def differing(one: Found, two: Found) -> dict[str, list[str]]:
    """Name what is not the same twice, with the files that differ."""
    return {
        name: sorted(
            path for path, digest in _files(first).items() if _files(two[name]).get(path) != digest
        )
        for name, first in one.items()
        if first != two[name]
    }


def _files(found: Mapping[str, Any]) -> Mapping[str, str]:
    files: Mapping[str, str] = found.get("files", {})
    return files


def main() -> None:
    if CHILD in sys.argv:
        logging.disable()  # what a class says of its defaults is not what is asked here
        sys.stdout.write(f"{json.dumps(trained(*json.load(sys.stdin)))}\n")
        return
    options = table.options(__doc__, "names", whole=1000, quick=4)
    from tidemill_runner import catalogue

    every = [*FAMILIES, *sorted(set(catalogue.estimators()) - set(FAMILIES))]
    one, two = in_two_processes(every[: options.size])
    others = differing(one, two)
    refused = {name: found["refused"] for name, found in one.items() if "refused" in found}
    figures: table.Figures = {
        "trained": len(one) - len(refused),
        "the same package twice": len(one) - len(refused) - len(others),
        "refused by the runner": len(refused),
    }
    table.show("estimators of scikit-learn, with their defaults", figures, {})
    threaded = list(THREADED[: options.size // 2])
    again = differing(*in_two_processes(threaded, MANY_ROWS, THREADS))
    several = {
        "trained": len(threaded),
        "the same package twice": len(threaded) - len(again),
    }
    table.show(f"{THREADS} threads, {MANY_ROWS:,} rows", several, {})
    others |= again
    for name, files in others.items():
        print(f"not the same twice: {name}: {', '.join(files)}")
    for name, reason in refused.items():
        print(f"refused: {name}: {reason}")
    told = {"on many rows": several, "differing": others, "refused": refused}
    table.write(options.json, {"machine": table.machine(), **figures, **told})


if __name__ == "__main__":
    main()
