"""Models whose parts do not fit each other are refused; honest ones of every kind are not.

The broken ones are honest models with one array or one shape changed in the file: each of them was
seen to end the process, or to answer from memory that is not its own.
"""

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import skops.io
from sklearn.base import BaseEstimator
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM
from sklearn.utils import all_estimators
from tests.unit.server.packages import numbers

from tidemill.store.structure import BrokenModel, check_structure
from tidemill_server.exits import Refused
from tidemill_server.formats.sklearn_model import load

ROWS, TARGET = numbers(200)
Array = np.ndarray


def write(model: BaseEstimator, path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """The model's file with each of its members passed through a change."""
    with (
        zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as old,
        zipfile.ZipFile(path, "w") as new,
    ):
        for item in old.infolist():
            new.writestr(item.filename, change(item.filename, old.read(item)))
    return path


def arrays(choose: Callable[[Array], Array | None]) -> Callable[[str, bytes], bytes]:
    """Replace the arrays for which the function gives another."""

    def change(name: str, data: bytes) -> bytes:
        if not name.endswith(".npy"):
            return data
        changed = choose(np.load(io.BytesIO(data)))
        if changed is None:
            return data
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(changed))
        return buffer.getvalue()

    return change


def narrower(shape: tuple[int | None, int]) -> Callable[[str, bytes], bytes]:
    def choose(array: Array) -> Array | None:
        fits = array.ndim == 2 and array.shape[1] == shape[1] and shape[0] in (None, array.shape[0])
        return array[:, :1] if fits else None

    return arrays(choose)


def first_node_only(array: Array) -> Array | None:
    return array[:1] if array.dtype.names and "idx_start" in array.dtype.names else None


def no_leaves(array: Array) -> Array | None:
    if not array.dtype.names or "idx_start" not in array.dtype.names:
        return None
    array["is_leaf"] = 0
    return array


def stages_side_by_side(name: str, data: bytes) -> bytes:
    """An ensemble of n stages of one tree becomes one stage of n trees."""
    if name != "schema.json":
        return data
    schema = json.loads(data)
    _turn(schema)
    return json.dumps(schema).encode()


def _turn(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _turn(item)
    elif isinstance(node, dict):
        if node.get("type") == "json" and len(node["shape"]["content"]) == 2:
            row = [item["content"][0] for item in node["content"]]
            node["content"] = [{**node["content"][0], "content": row}]
            node["shape"]["content"].reverse()
        else:
            for item in node.values():
                _turn(item)


def neighbours(algorithm: str) -> KNeighborsClassifier:
    return KNeighborsClassifier(algorithm=algorithm, leaf_size=5).fit(ROWS, TARGET)


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (lambda: neighbours("kd_tree"), arrays(first_node_only)),
        (lambda: neighbours("kd_tree"), arrays(no_leaves)),
        (lambda: neighbours("ball_tree"), arrays(no_leaves)),
        (lambda: neighbours("brute"), narrower((200, 4))),
        (lambda: SVC().fit(ROWS, TARGET), narrower((None, 4))),
        (lambda: SVR().fit(ROWS, ROWS[:, 0]), narrower((None, 4))),
        (lambda: SVC().fit(ROWS, TARGET), narrower((1, len(SVC().fit(ROWS, TARGET).support_)))),
        (
            lambda: GradientBoostingClassifier(n_estimators=3).fit(ROWS, TARGET),
            stages_side_by_side,
        ),
    ],
    ids=[
        "tree-of-one-node",
        "kd-tree-without-leaves",
        "ball-tree-without-leaves",
        "samples-too-narrow",
        "support-vectors-too-narrow",
        "support-vectors-of-a-regression-too-narrow",
        "coefficients-too-few",
        "boosting-stages-side-by-side",
    ],
)
def test_parts_that_do_not_fit_are_refused(
    tmp_path: Path, make: Callable[[], BaseEstimator], change: Callable[[str, bytes], bytes]
) -> None:
    model = make_pipeline(make())
    with pytest.raises(Refused) as refused:
        load(write(model, tmp_path / "model.skops", change))
    assert refused.value.reason == "ModelUnloadable"


def test_a_sparse_matrix_that_points_outside_is_refused() -> None:
    matrix = scipy.sparse.csr_array(np.eye(4))
    matrix.indices[2] = 1 << 20
    with pytest.raises(BrokenModel, match="sparse"):
        check_structure({"model": [matrix]})


@pytest.mark.parametrize(
    "model",
    [
        SVC(probability=True),
        SVC(kernel="linear"),
        NuSVC(nu=0.2),
        SVR(),
        NuSVR(),
        OneClassSVM(),
        KNeighborsRegressor(algorithm="ball_tree"),
        GradientBoostingRegressor(n_estimators=3),
    ],
    ids=lambda model: type(model).__name__,
)
def test_honest_models_pass(tmp_path: Path, model: BaseEstimator) -> None:
    pipeline = make_pipeline(
        StandardScaler(), model.fit(StandardScaler().fit_transform(ROWS), TARGET)
    )
    pipeline.steps[0][1].fit(ROWS)
    loaded = load(write(pipeline, tmp_path / "model.skops", lambda _, data: data))
    answer = loaded.predict(ROWS, ["predict"])["predict"]
    assert (answer == pipeline.predict(ROWS)).all()


def test_many_classes_and_every_estimator_pass() -> None:
    """Whatever scikit-learn fits with its defaults is not taken for broken."""
    classes = np.digitize(ROWS[:, 0], [-0.5, 0.5])
    checked = 0
    for _, estimator in all_estimators(type_filter=["classifier", "regressor", "transformer"]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model = estimator().fit(np.abs(ROWS[:80]), classes[:80])
            except (TypeError, ValueError, AttributeError):
                continue  # needs other arguments or other data than these
        check_structure(model)
        checked += 1
    assert checked > 100
