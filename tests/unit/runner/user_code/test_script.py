"""A script that trains: what it is given, what is made of what it returns."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.packages import served, unpack
from tests.unit.runner.user_code.conftest import MakePod
from tests.unit.runner.user_code.pod import SKLEARN, Pod, script
from tests.unit.runner.workshop import LOGISTIC, estimator, rows

from tidemill.store import digests
from tidemill_runner.train_input import TrainInput

TEXTS = "a,s,b,y\n" + "".join(
    f"{i},{'' if i % 7 == 0 else 'uv'[i % 2]},{i % 3},{['no', 'yes'][i % 2]}\n" for i in range(60)
)
PIPELINE = """
import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

def train(data, params, context):
    text = [i for i, kind in enumerate(data.types) if kind == "String"]
    number = [i for i, kind in enumerate(data.types) if kind != "String"]
    fill = SimpleImputer(strategy="most_frequent")
    code = make_pipeline(fill, OneHotEncoder(handle_unknown="ignore"))
    columns = ColumnTransformer([("t", code, text), ("n", SimpleImputer(), number)])
    model = Pipeline([("columns", columns), ("model", LogisticRegression())])
    return model.fit(data.features, data.target)
"""
LOOKS = """
import json, os
from sklearn.dummy import DummyClassifier

def train(data, params, context):
    seen = {
        "features": [[None if v != v else v for v in row] for row in data.features.tolist()],
        "target": data.target.tolist(),
        "names": data.names,
        "types": data.types,
        "weights": None if data.weights is None else data.weights.tolist(),
        "groups": None if data.groups is None else data.groups.tolist(),
        "params": params,
        "seed": context.seed,
        "rank": [context.rank, context.world_size],
        "threads": os.environ["OMP_NUM_THREADS"] == str(context.threads),
    }
    with open(os.environ["TIDEMILL_OUT"] + "/seen.json", "w") as file:
        json.dump(seen, file)
    return DummyClassifier().fit(data.features, data.target)
"""
LIBRARIES = {
    "xgboost": "from xgboost import XGBClassifier as Model",
    "lightgbm": "from lightgbm import LGBMClassifier as Model",
}
TREES = """
{}
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

def train(data, params, context):
    model = Model(n_estimators=5, n_jobs=context.threads, random_state=context.seed)
    return {}.fit(data.features, data.target)
"""


def lineage(pod: Pod, result: dict[str, Any]) -> dict[str, Any]:
    folder = unpack(pod.workshop, result)
    found: dict[str, Any] = json.loads((folder / "lineage.json").read_text())
    return found


def test_what_it_returns_is_measured_packed_and_served(pods: MakePod) -> None:
    pod = pods()
    result = pod.train(SKLEARN)
    served(unpack(pod.workshop, result)).assert_the_same()
    metrics = {one["name"]: one["value"] for one in result["metrics"]}
    assert metrics["accuracy"] > 0.9
    assert result["rows"] == {"train": 42, "holdout": 18}
    assert b"LogisticRegression" in pod.workshop.store.objects["runs/ns/u-1/job/report.html"]


def test_its_model_is_the_one_that_the_same_steps_give(pods: MakePod) -> None:
    pod = pods()
    result = pod.train(SKLEARN)
    own = pod.workshop.train(pod.ingested, {**pod.spec, "estimator": estimator(LOGISTIC)})
    assert result["metrics"] == own["metrics"]
    assert result["judgement"]["baselines"] == own["judgement"]["baselines"]


def test_the_same_script_twice_is_one_package(pods: MakePod) -> None:
    pod = pods()
    first, second = pod.train(SKLEARN), pod.again("second").train(SKLEARN)
    assert first["artifact"]["digest"] == second["artifact"]["digest"]
    other = pod.again("third").train(f"{SKLEARN}\n# changed\n")
    assert other["artifact"]["digest"] != first["artifact"]["digest"]


def test_lineage_result_and_report_name_its_digest(pods: MakePod) -> None:
    pod = pods(estimator=script(params={"C": 0.5}))
    result = pod.train(SKLEARN)
    digest = digests.sha256_digest(SKLEARN.encode())
    assert result["code"]["digest"] == digest
    assert lineage(pod, result)["code"]["script"] == {
        "digest": digest,
        "function": "train",
        "source": {"configMap": "code", "key": "train.py"},
        "params": {"C": 0.5},
    }
    assert digest.encode() in pod.workshop.store.objects["runs/ns/u-1/job/report.html"]
    assert digest in (unpack(pod.workshop, result) / "card.md").read_text()


def test_it_is_given_the_rows_trained_on_and_no_other(pods: MakePod) -> None:
    pod = pods(
        data=TEXTS,
        split={"by": "Order", "holdout": "0.2"},
        weights={"column": "b"},
        evaluation={"groupBy": ["a"]},
        seed=7,
        estimator=script(params={"deep": {"er": [1, None]}}),
    )
    pod.train(LOOKS)
    seen = json.loads((pod.rooms.output / "seen.json").read_text())
    assert (seen["names"], seen["types"]) == (["a", "s"], ["Integer", "String"])
    assert seen["features"][:3] == [[0.0, None], [1.0, "v"], [2.0, "u"]]
    assert len(seen["features"]) == len(seen["target"]) == 48
    assert seen["target"][:2] == ["no", "yes"]
    assert seen["weights"][:4] == [0.0, 1.0, 2.0, 0.0]
    assert len(set(seen["groups"])) == 48
    assert (seen["params"], seen["seed"]) == ({"deep": {"er": [1, None]}}, 7)
    assert (seen["rank"], seen["threads"]) == ([0, 1], True)
    every = b"".join(p.read_bytes() for p in pod.rooms.input.rglob("*") if p.is_file())
    assert b"59" not in every.replace(b"\0", b"") or b"a,s,b,y" not in every


def test_nothing_of_the_rows_held_out_is_where_it_can_read(pods: MakePod) -> None:
    data = rows(header="a,b,s,y", line="{a},{b},{i}-of-all,{y}")
    pod = pods(data=data, split={"by": "Order", "holdout": "0.5"})
    pod.mount(SKLEARN)
    pod.provide()
    seen = b"".join(p.read_bytes() for p in pod.rooms.input.rglob("*") if p.is_file())
    assert b"29-of-all" in seen
    assert not [i for i in range(30, 60) if f'"{i}-of-all'.encode() in seen]


def test_texts_come_as_the_server_gives_them(pods: MakePod) -> None:
    pod = pods(data=TEXTS, estimator=script())
    result = pod.train(PIPELINE)
    both = served(unpack(pod.workshop, result))
    model, server = both.answers([{"a": 3, "s": None, "b": 1}, {"a": 9, "s": "new", "b": 2}])
    assert model.tolist() == server.tolist()


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("steps", ["model", "make_pipeline(StandardScaler(), model)"])
def test_trees_are_kept_in_their_own_format(pods: MakePod, library: str, steps: str) -> None:
    pytest.importorskip(library)
    pod = pods(data=rows(200))
    result = pod.train(TREES.format(LIBRARIES[library], steps))
    assert result["artifact"]["trees"] == library
    folder = unpack(pod.workshop, result)
    served(folder).assert_the_same()
    environment = json.loads((folder / "environment.json").read_text())
    assert any(name.startswith(library) for name in environment["packages"])


def test_numbers_are_predicted_too(pods: MakePod) -> None:
    pod = pods(task="Regression")
    result = pod.train(SKLEARN.replace("LogisticRegression", "Ridge"))
    assert [one["name"] for one in result["metrics"]] == ["rmse", "mae", "r2"]


def test_another_function_of_another_file_is_called(pods: MakePod) -> None:
    asked = script(configMap={"key": "my-code.py"}, function="fit_it")
    result = pods(estimator=asked).train(SKLEARN.replace("def train", "def fit_it"))
    assert result["artifact"]["digest"]


def test_what_it_logs_is_kept_in_bounds(pods: MakePod) -> None:
    logs = """
    for epoch in range(5000):
        context.log("loss", 1 / (epoch + 1))
    for name in range(100):
        context.log(f"name-{name}", name)
    context.log("broken", float("nan"))
    return Logistic"""
    pod = pods()
    result = pod.train(SKLEARN.replace("    return Logistic", logs))
    logged = result["code"]["logged"]
    assert len(logged) == 64
    assert len(logged["loss"]) <= 1000
    assert logged["loss"][0] == 1.0
    assert logged["loss"][-1] == 1 / 5000
    assert b"has told of itself" in pod.workshop.store.objects["runs/ns/u-1/job/report.html"]


def test_a_metric_that_the_model_cannot_give_is_told(pods: MakePod) -> None:
    pod = pods(evaluation={"metrics": ["log_loss"]})
    text = SKLEARN.replace("linear_model import LogisticRegression", "svm import LinearSVC as L")
    pod.mount(text.replace("LogisticRegression", "L"))
    pod.provide()
    assert pod.run().code == 0
    with pytest.raises(Exception, match="log_loss needs probabilities, which LinearSVC"):
        pod.judge()


def test_a_pod_that_begins_again_finds_nothing_of_before(pods: MakePod) -> None:
    pod = pods()
    for room in (pod.rooms.input, pod.rooms.output, pod.rooms.state, pod.rooms.checkpoint):
        (room / "left" / "over").mkdir(parents=True)
        (room / "link").symlink_to("/etc")
    pod.train(SKLEARN)
    assert not list(pod.folder.rglob("left"))
    assert Path("/etc").is_dir()


def test_of_steps_nothing_is_different(pods: MakePod) -> None:
    pod = pods(estimator=estimator(LOGISTIC))
    document: TrainInput = pod.document
    assert document.training.code is None
    assert "code" not in lineage(pod, pod.workshop.train(pod.ingested, pod.spec))
