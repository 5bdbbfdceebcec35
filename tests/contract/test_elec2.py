"""Elec2 from the sample's source to a model in the store, by the runner as a pod starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from tests.contract.workbench import Outcome, Workbench

from tidemill.store import package, trusted
from tidemill_runner.exits import Exit

REPOSITORY = Path(__file__).parents[2]
SPEC = {
    "task": "Classification",
    "target": "target",
    "split": {"holdout": "0.8", "by": "Order"},
    "seed": 7,
    "estimator": {
        "sklearn": {
            "steps": [
                {
                    "name": "model",
                    "class": "sklearn.ensemble.HistGradientBoostingClassifier",
                    "params": {"max_iter": 60},
                }
            ]
        }
    },
    "evaluation": {"metrics": ["error_rate", "accuracy", "log_loss", "roc_auc"]},
}


@pytest.fixture(scope="session")
def elec2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("elec2") / "elec.csv"
    command = [sys.executable, str(REPOSITORY / "manifests/samples/elec2/fetch.py"), str(path)]
    subprocess.run(command, check=True)
    return path


def as_pod(workbench: Workbench, document: dict[str, Any]) -> Outcome:
    paths = workbench.mount(document)
    environment = {
        **{f"TIDEMILL_{name.upper()}": str(value) for name, value in vars(paths).items()},
        "PYTHONPATH": os.pathsep.join(str(REPOSITORY / p) for p in ("operator", "images/runner")),
        "PATH": os.environ["PATH"],
    }
    command = [sys.executable, "-m", "tidemill_runner", document["verb"]]
    done = subprocess.run(command, env=environment, check=False)
    return workbench.outcome(Exit(done.returncode), document, paths)


def test_elec2_is_versioned_and_learnt(
    workbench: Workbench, elec2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workbench, "run", lambda self, _verb, document: as_pod(self, document))
    workbench.deliver("elec.csv", elec2.read_bytes())

    ingested = workbench.ingest()
    assert ingested.exit is Exit.OK, ingested.termination
    assert ingested.result["rows"] == 45_312
    assert [(c["name"], c["type"], c["nullable"]) for c in ingested.result["columns"]] == [
        *((f"feat_{i}", "Float", False) for i in range(1, 7)),
        ("target", "Integer", False),
    ]

    trained = workbench.train(ingested.result, SPEC)
    assert trained.exit is Exit.OK, trained.termination
    metrics = {metric["name"]: metric for metric in trained.result["metrics"]}
    assert metrics["error_rate"]["value"] == pytest.approx(0.265, abs=0.01)
    assert metrics["error_rate"]["low"] < metrics["error_rate"]["value"]
    baselines = {one["name"]: one["against"][0] for one in trained.result["judgement"]["baselines"]}
    # Published: the last value is right in 85.3 % of all rows.
    assert baselines["LastValue"]["baseline"]["value"] == pytest.approx(0.147, abs=0.01)
    assert baselines["LastValue"]["verdict"] == "Worse"
    assert trained.result["rows"] == {"train": 9_062, "holdout": 36_250}
    assert_answers_as_a_plain_script(workbench, trained.result, elec2)


def assert_answers_as_a_plain_script(
    workbench: Workbench, result: dict[str, Any], elec2: Path
) -> None:
    rows = np.genfromtxt(elec2, delimiter=",", skip_header=1)
    features, target = rows[:, :6], rows[:, 6].astype(int)
    plain = HistGradientBoostingClassifier(max_iter=60, random_state=7)
    plain.fit(features[:9062], target[:9062])
    folder = download(workbench, result)
    loaded = trusted.load(folder / "model.skops")
    sample = features[9062:10062]
    assert (loaded.predict(sample) == plain.predict(sample)).all()
    assert (loaded.predict_proba(sample) == plain.predict_proba(sample)).all()


def download(workbench: Workbench, result: dict[str, Any]) -> Path:
    """Fetch and prove the package as a server does."""
    prefix = result["artifact"]["uri"].removeprefix(f"s3://{workbench.server.config.bucket}/")
    folder = workbench.folder / "package"
    folder.mkdir()
    data = workbench.read(f"{prefix}manifest.json")
    manifest = package.parse_manifest(data, result["artifact"]["digest"])
    for file in manifest.files:
        (folder / file.path).write_bytes(workbench.read(f"{prefix}{file.path}"))
    package.verify_dir(folder, manifest)
    signature = json.loads((folder / "signature.json").read_bytes())
    assert [i["datatype"] for i in signature["inputs"]] == ["FP64"] * 6
    assert signature["classes"] == [0, 1]
    return folder
