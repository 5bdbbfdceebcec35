"""Models load when they hold what is listed and point only into themselves."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures
from sklearn.tree import DecisionTreeClassifier

from tidemill.store import trusted
from tidemill.store.trusted import ModelRefused

X = np.random.default_rng(0).normal(size=(120, 4))
Y = (X[:, 0] + X[:, 1] ** 2 > 0).astype(int)


def save(model: BaseEstimator, folder: Path) -> Path:
    path = folder / "model.skops"
    skops.io.dump(model, path)
    return path


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(),
        DecisionTreeClassifier(max_leaf_nodes=5),
        RandomForestClassifier(3),
        GradientBoostingClassifier(n_estimators=3),
        HistGradientBoostingClassifier(max_iter=3),
        BaggingClassifier(n_estimators=3, max_features=0.5),
        KNeighborsClassifier(),
        KNeighborsClassifier(algorithm="ball_tree"),
        make_pipeline(PolynomialFeatures(), RandomForestClassifier(3)),
        StackingClassifier([("t", DecisionTreeClassifier())], DecisionTreeClassifier()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_honest_models_load_and_answer_alike(model: BaseEstimator, tmp_path: Path) -> None:
    model.fit(X, Y)
    loaded = trusted.load(save(model, tmp_path))
    assert (loaded.predict(X) == model.predict(X)).all()


def system(_: object) -> None:
    """Stand for any function a file might name."""


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(FunctionTransformer(system), id="a-function"),
        pytest.param(
            HistGradientBoostingClassifier(max_iter=2, categorical_features=[0]), id="partial"
        ),
    ],
)
def test_what_could_call_is_refused(model: BaseEstimator, tmp_path: Path) -> None:
    data = np.column_stack([(X[:, 0] > 0).astype(float), X])
    path = save(model.fit(data, Y), tmp_path)
    with pytest.raises(ModelRefused, match="Untrusted types"):
        trusted.load(path)


@pytest.mark.parametrize("name", trusted.TRUSTED_TYPES)
def test_nothing_trusted_calls_what_it_is_given(name: str) -> None:
    assert not name.startswith(("builtins.", "functools.", "operator.", "os.", "subprocess."))
    assert "PyFunc" not in name


def forge(model: BaseEstimator, folder: Path, spoil: Callable[[np.ndarray], None]) -> Path:
    """Rewrite the arrays of nodes in a saved model."""
    path = save(model, folder)
    forged = folder / "forged.skops"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(forged, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(data), allow_pickle=False)
                if array.dtype.names and "left" in "".join(array.dtype.names):
                    spoil(array)
                    buffer = io.BytesIO()
                    np.save(buffer, array, allow_pickle=False)
                    data = buffer.getvalue()
            target.writestr(name, data)
    return forged


def spoiler(field: str, value: int) -> Callable[[Any], None]:
    def spoil(nodes: Any) -> None:
        nodes[field][0] = value

    return spoil


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        pytest.param(DecisionTreeClassifier(), "left_child", 1 << 40, id="tree-child-far"),
        pytest.param(DecisionTreeClassifier(), "right_child", -7, id="tree-child-negative"),
        pytest.param(DecisionTreeClassifier(), "left_child", 0, id="tree-child-is-itself"),
        pytest.param(DecisionTreeClassifier(), "feature", 99, id="tree-feature"),
        pytest.param(RandomForestClassifier(2), "left_child", 1 << 40, id="forest-child"),
        pytest.param(
            HistGradientBoostingClassifier(max_iter=2), "left", 1 << 20, id="histogram-child"
        ),
        pytest.param(
            HistGradientBoostingClassifier(max_iter=2), "left", 0, id="histogram-child-is-itself"
        ),
        pytest.param(
            HistGradientBoostingClassifier(max_iter=2), "feature_idx", 99, id="histogram-feature"
        ),
    ],
)
def test_a_tree_that_points_outside_is_refused(
    model: BaseEstimator, field: str, value: int, tmp_path: Path
) -> None:
    path = forge(model.fit(X, Y), tmp_path, spoiler(field, value))
    with pytest.raises(ModelRefused, match=r"tree|index|ValueError|Overflow"):
        trusted.load(path)


def test_a_forest_that_hands_its_trees_too_little_is_refused() -> None:
    forest = RandomForestClassifier(2).fit(X, Y)
    forest.n_features_in_ = 1
    with pytest.raises(ModelRefused, match="other features"):
        trusted.validate_trees(forest)


def test_a_stump_without_nodes_is_refused() -> None:
    model = HistGradientBoostingClassifier(max_iter=1).fit(X, Y)
    predictor = model._predictors[0][0]
    predictor.nodes = predictor.nodes[:0]
    with pytest.raises(ModelRefused, match="no nodes"):
        trusted.validate_trees(model)


def test_neighbours_that_point_outside_are_refused() -> None:
    class KDTree:
        """What a forged file could hold."""

        def get_arrays(self) -> tuple[Any, ...]:
            nodes = np.zeros(1, [("idx_start", np.intp), ("idx_end", np.intp)])
            return np.zeros((3, 1)), np.array([0, 1, 99]), nodes, np.zeros((1, 1))

    with pytest.raises(ModelRefused, match="point index"):
        trusted.validate_trees({"tree": KDTree()})


def test_a_plain_model_has_no_structure_to_prove() -> None:
    trusted.validate_trees(LogisticRegression().fit(X, Y))
