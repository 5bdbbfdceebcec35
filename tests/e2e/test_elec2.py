"""The sample, as the README shows it: Elec2, with the error that the literature knows.

A gradient boosting learnt on the first fifth and left alone errs on .265 ± .01 of the rest; what
the Service answers is what scikit-learn answers in a plain script.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from tests.e2e.prediction import infer
from tests.e2e.raw_store import RawStore
from tests.e2e.specs import RAW_BUCKET
from tests.e2e.world import World

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "manifests" / "samples" / "elec2"
ROWS = 45312
TRAINED = ROWS - round(ROWS * 0.8)
ASKED = 1000


@pytest.fixture(scope="module")
def elec2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("elec2") / "elec.csv"
    subprocess.run([sys.executable, str(SAMPLE / "fetch.py"), str(file)], check=True)
    return file


def test_the_sample_errs_as_published_and_answers_as_scikit_learn(
    world: World, raw: RawStore, elec2: Path
) -> None:
    raw.put("elec2/elec.csv", elec2.read_bytes(), bucket=RAW_BUCKET)
    for name in ("dataset.yaml", "trainingrun.yaml", "modeldeployment.yaml"):
        world.kubectl("apply", "-n", world.namespace, "-f", str(SAMPLE / name))
    dataset = world.wait_ready("Dataset", "elec2")["status"]
    assert dataset["rows"] == ROWS
    run = world.wait_ready("TrainingRun", "elec2-hgb")["status"]
    error = next(m for m in run["metrics"] if m["name"] == "error_rate")
    assert float(error["value"]) == pytest.approx(0.265, abs=0.01)
    assert float(error["low"]) < 0.265 < float(error["high"]) + 0.01
    last = next(b for b in run["judgement"]["baselines"] if b["name"] == "LastValue")
    assert (last["verdict"], round(float(last["value"]), 2)) == ("Worse", 0.14)
    world.wait_ready("ModelDeployment", "elec2")

    names, data = read(elec2)
    features, target = data[:, :-1], data[:, -1]
    script = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    script.fit(features[:TRAINED], target[:TRAINED])
    asked = features[-ASKED:]
    columns: Mapping[str, list[float]] = {
        name: asked[:, i].tolist() for i, name in enumerate(names[:-1])
    }
    answer = infer(world, "elec2", "elec2", columns)
    assert answer["predict"] == script.predict(asked).astype(int).tolist()
    probabilities = np.array(answer["predict_proba"]).reshape(ASKED, 2)
    # Served from ONNX, whose numbers have seven digits.
    assert np.allclose(probabilities, script.predict_proba(asked), rtol=0, atol=1e-4)


def read(file: Path) -> tuple[list[str], np.ndarray]:
    with file.open(encoding="utf-8") as lines:
        names = lines.readline().strip().split(",")
    return names, np.genfromtxt(file, delimiter=",", skip_header=1)
