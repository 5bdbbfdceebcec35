"""Trees are read as their libraries read them: what would be read otherwise is refused unread."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from tests.unit.runner.imported.foreign import lgb, table, xgb

from tidemill_runner.imported import structure, tree_files

TREE = re.compile(rb"\nTree=0\n(.*?)\n\n", re.DOTALL)
Change = Callable[[bytes], bytes]


def sized(data: bytes) -> bytes:
    """The same with the sizes of the trees put right."""
    body = data.partition(b"\nend of trees")[0]
    sizes = [len(part) + len(b"\nTree=") for part in body.split(b"\nTree=")[1:]]
    return re.sub(rb"tree_sizes=.*", b"tree_sizes=" + b" ".join(b"%d" % s for s in sizes), data)


def first(change: Change) -> Change:
    """Change the first tree."""
    return lambda data: sized(TREE.sub(lambda m: b"\nTree=0\n" + change(m[1]) + b"\n\n", data))


def put(name: str, value: str) -> Change:
    return lambda data: re.sub(rf"(?m)^{name}=.*".encode(), f"{name}={value}".encode(), data)


def circle(tree: bytes) -> bytes:
    return put("right_child", "0 0 0")(put("left_child", "0 0 0")(tree))


@pytest.mark.parametrize(
    "params",
    [
        {"objective": "multiclass", "num_class": 3},
        {"objective": "multiclassova", "num_class": 3},
        {"objective": "regression"},
        {"boosting": "dart"},
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"min_data_in_leaf": 1000},
    ],
    ids=["classes", "one by one", "numbers", "dart", "forest", "one leaf"],
)
def test_what_lightgbm_writes_is_taken(params: dict[str, Any]) -> None:
    features, _ = table()
    target = np.digitize(features[:, 0], [50, 100]) % params.get("num_class", 2)
    asked = {"objective": "binary", "num_leaves": 4, "verbosity": -1, "num_threads": 1, **params}
    made = lightgbm.train(asked, lightgbm.Dataset(features, target), num_boost_round=3)
    found = structure.of_lightgbm(made.model_to_string().encode())
    found.check()
    assert found.width == 2


TEXTS: dict[str, tuple[Change, str]] = {
    "an honest tree after a circle": (
        first(lambda tree: circle(tree) + b"\n\n" + tree),
        "something between its trees",
    ),
    "a key twice, the circle last": (first(lambda t: t + b"\n" + circle(t)), "something twice"),
    "a key hidden by a line without one": (
        first(lambda tree: tree.replace(b"left_child", b"x\nleft_child")),
        "update sequence",
    ),
    "line ends of another kind": (
        first(lambda tree: tree + b"\rleft_child=0 0 0"),
        "lines end otherwise",
    ),
    "trees elsewhere": (put("tree_sizes", "1 2 3 4 5"), "lie elsewhere"),
    "no end": (lambda data: data.replace(b"end of trees", b"end of"), "no end of them"),
    "more trees in a round": (put("num_tree_per_iteration", "2"), "number of trees in a round"),
    "an objective of more classes": (
        put("objective", "multiclass num_class:9"),
        "objective has another number",
    ),
    "the number of classes twice": (
        lambda data: data.replace(b"label_index", b"num_class=9\nlabel_index"),
        "twice",
    ),
    "a number that begins otherwise": (put("num_class", "=9"), "twice"),
    "categories": (first(put("num_cat", "1")), "splits by categories"),
    "a split by categories": (first(put("decision_type", "1 2 2")), "splits by categories"),
    "linear leaves": (first(put("is_linear", "1")), "linear leaves"),
    "fewer thresholds": (first(put("threshold", "1")), "number of nodes"),
    "digits of another kind": (first(put("left_child", "1_0 0 0")), "no whole number"),
    "a circle": (first(circle), "two parents"),
}


@pytest.mark.parametrize(("change", "said"), TEXTS.values(), ids=TEXTS)
def test_a_text_that_lightgbm_would_read_otherwise(change: Change, said: str) -> None:
    with pytest.raises((ValueError, KeyError), match=said):
        structure.of_lightgbm(change(lgb())).check()


def test_what_only_python_takes_for_the_end_of_a_line_is_none() -> None:
    change = first(lambda tree: tree.replace(b"internal_count=", b"internal_count=\x0bnum_cat=1"))
    structure.of_lightgbm(change(lgb())).check()


def bent(folder: Path, change: Callable[[dict[str, Any]], None], **params: Any) -> Path:
    """A model of XGBoost whose learner is changed."""
    document = json.loads(xgb(folder, ".json", **params))
    change(document["learner"])
    path = folder / "model.json"
    path.write_text(json.dumps(document))
    return path


def of(learner: dict[str, Any]) -> dict[str, Any]:
    booster: dict[str, Any] = learner["gradient_booster"]
    found: dict[str, Any] = booster.get("model") or booster["gbtree"]["model"]
    return found


@pytest.mark.parametrize("group", [50_000_000, -1, 1])
def test_trees_of_xgboost_that_add_to_no_class(tmp_path: Path, group: int) -> None:
    path = bent(tmp_path, lambda learner: of(learner).update(tree_info=[group] * 5))
    with pytest.raises(ValueError, match="classes that it has not"):
        tree_files.read(path, "XGBoost")


def test_categories_of_xgboost_without_types_of_features(tmp_path: Path) -> None:
    features, target = table()
    data = xgboost.DMatrix(
        np.floor(features / 50), target, feature_types=["c", "c"], enable_categorical=True
    )
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 3)
    booster.save_model(tmp_path / "made.json")
    document = json.loads((tmp_path / "made.json").read_text())
    document["learner"]["feature_types"] = []
    (tmp_path / "model.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match="splits by categories"):
        tree_files.read(tmp_path / "model.json", "XGBoost")


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"objective": "multi:softprob", "num_class": 2},
        {"booster": "dart", "rate_drop": 0.5},
        {"num_parallel_tree": 3},
    ],
    ids=["two", "classes", "dart", "forest"],
)
def test_what_xgboost_writes_is_taken(tmp_path: Path, params: dict[str, Any]) -> None:
    path = bent(tmp_path, lambda _: None, **params)
    assert tree_files.read(path, "XGBoost")[0].width == 2


def test_weights_of_trees_that_are_missing(tmp_path: Path) -> None:
    learner = json.loads(xgb(tmp_path, ".json", booster="dart"))
    learner["learner"]["gradient_booster"]["weight_drop"] = [1.0]
    with pytest.raises(ValueError, match="number of weights"):
        structure.of_xgboost(json.dumps(learner).encode(), 2)
