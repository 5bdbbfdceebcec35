"""Models that would lead their libraries astray are refused before the run is asked with them."""

import json
import os
import re
from pathlib import Path

import lightgbm
import numpy as np
import pytest
import xgboost
from tests.unit.runner.user_code.conftest import MakePod
from tests.unit.runner.user_code.pod import container
from tests.unit.runner.user_code.test_wrong_scripts import Writes, dumped, fitted, judged


def trees_that_point_outside(out: Path) -> None:
    dumped(fitted())(out)
    (out / "trees.json").write_text('{"library": "xgboost", "classes": [0, 1]}')
    rows, target = np.arange(20.0).reshape(10, 2), np.arange(10) % 2
    matrix = xgboost.DMatrix(rows, target)
    made = xgboost.train({"objective": "binary:logistic", "nthread": 1}, matrix, 2)
    document = json.loads(bytes(made.save_raw("json")))
    document["learner"]["gradient_booster"]["model"]["tree_info"] = [50_000_000] * 2
    bent = xgboost.Booster(model_file=bytearray(json.dumps(document).encode()))
    bent.save_model(out / "model.ubj")


def text_that_goes_in_circles(out: Path) -> None:
    dumped(fitted())(out)
    (out / "trees.json").write_text('{"library": "lightgbm", "classes": [0, 1]}')
    rows, target = np.arange(200.0).reshape(100, 2), np.arange(100) // 30 % 2
    asked = {"objective": "binary", "num_leaves": 4, "verbosity": -1, "num_threads": 1}
    text = lightgbm.train(asked, lightgbm.Dataset(rows, target), 2).model_to_string()
    inner = re.search("left_child=(.*)", text)
    assert inner is not None
    round_ = "left_child=" + " ".join("0" for _ in inner[1].split())
    sizes = re.search("tree_sizes=(.*)", text)
    assert sizes is not None
    first, rest = sizes[1].split(" ", 1)
    longer = int(first) + len(round_) - len(inner[0])
    text = text.replace(inner[0], round_, 1).replace(sizes[0], f"tree_sizes={longer} {rest}")
    (out / "model.txt").write_text(text)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (trees_that_point_outside, "classes that it has not"),
        (text_that_goes_in_circles, "two parents"),
    ],
)
def test_trees_that_lead_astray(pods: MakePod, write: Writes, said: str) -> None:
    pod = pods(estimator=container())
    pod.provide()
    write(pod.rooms.output)
    failure = judged(pod)
    assert failure.reason == "ModelNotPackable"
    assert said in failure.message


def test_a_model_that_ends_the_process_when_it_is_asked(
    pods: MakePod, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = pods(estimator=container())
    pod.provide()
    dumped(fitted())(pod.rooms.output)
    crash = (
        "import os\nfrom sklearn.linear_model import LogisticRegression as Model\n"
        "Model.predict = lambda *_: os.kill(os.getpid(), 11)\n"
    )
    (pod.folder / "sitecustomize.py").write_text(crash)
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{pod.folder}{os.pathsep}{before}".rstrip(os.pathsep))
    failure = judged(pod)
    assert failure.reason == "ModelNotPackable"
    assert "loading or asking it ends the process (signal 11)" in failure.message
