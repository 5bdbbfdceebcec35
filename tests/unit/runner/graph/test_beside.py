"""ONNX is kept where it answers as the pipeline does, and left out with the reason elsewhere."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.unit.runner.graph.scene import ROWS, bench, fitted, numbers

from tidemill.store import onnx_model
from tidemill.store.onnx_model import OnnxModel
from tidemill_runner.graph.beside import Outcome
from tidemill_runner.graph.bounded import Bounds
from tidemill_runner.schema import ColumnType

TEXTS = np.array(["north", "south", "west"], dtype=object)


def of_outcome(outcome: Outcome, columns: int, classes: Any) -> OnnxModel:
    assert outcome.file is not None, outcome.left_out
    assert outcome.terms is not None
    names = [f"f{place}" for place in range(columns)]
    return onnx_model.load(outcome.file, names, outcome.terms, classes)


def sited(*, missing: bool = False) -> tuple[Any, Any]:
    """A number and a text, and what is to be learnt of them."""
    rows = np.empty((ROWS, 2), dtype=object)
    rows[:, 0] = numbers(width=1)[:, 0]
    rows[:, 1] = np.random.default_rng(1).choice(TEXTS, ROWS)
    if missing:
        rows[::9, 1] = np.nan
    target = np.array([row[1] == "north" or row[0] > 1 for row in rows])
    return rows, target.astype(int)


def encoded(encoder: Any, *before: Any) -> ColumnTransformer:
    steps = make_pipeline(*before, encoder) if before else encoder
    return ColumnTransformer([("n", StandardScaler(), [0]), ("t", steps, [1])])


def test_a_linear_model_is_kept_and_agrees_to_the_last_digits(tmp_path: Path) -> None:
    rows = numbers()
    target = (rows[:, 0] + rows[:, 1] > 0).astype(int)
    pipeline = fitted(StandardScaler(), LogisticRegression(), rows=rows, target=target)
    outcome = bench(pipeline, rows, tmp_path).outcome()
    assert outcome.agreement is not None
    assert outcome.content() == {
        "agreement": {
            "rows": ROWS // 3,
            "flips": 0,
            "maxDifference": outcome.agreement.difference,
        },
        "opset": 21,
    }
    assert outcome.agreement.difference < 1e-12
    model = of_outcome(outcome, 4, pipeline.classes_.tolist())
    assert (model.predict(rows) == pipeline.predict(rows)).all()


def test_trees_take_numbers_of_seven_digits_and_agree(tmp_path: Path) -> None:
    rows = np.round(numbers(), 2)
    target = rows @ np.array([1.0, -2.0, 0.5, 3.0])
    forest = RandomForestRegressor(10, random_state=0)
    pipeline = fitted(forest, rows=rows, target=target)
    outcome = bench(pipeline, rows, tmp_path).outcome()
    assert outcome.agreement is not None
    assert 0 < outcome.agreement.difference < outcome.agreement.tolerance
    assert outcome.file is not None
    assert outcome.file.name == "single.onnx"


def test_categories_of_histogram_boosting_are_left_out(tmp_path: Path) -> None:
    """Converted without a word, and wrong in half of the rows: sklearn-onnx #1051."""
    rows = numbers()
    rows[:, 3] = np.random.default_rng(0).integers(0, 8, ROWS)
    target = np.isin(rows[:, 3], (1, 4, 6)).astype(int)
    model = HistGradientBoostingClassifier(categorical_features=[3], max_iter=20)
    pipeline = fitted(model, rows=rows, target=target)
    outcome = bench(pipeline, rows, tmp_path).outcome()
    assert outcome.file is None
    assert "categorical features is converted wrongly" in str(outcome.left_out)


def test_what_is_wrong_without_a_word_is_seen_by_its_answers(tmp_path: Path) -> None:
    rows = numbers()
    target = (rows[:, 0] * rows[:, 1] > 0).astype(int)
    quadratic = QuadraticDiscriminantAnalysis()
    pipeline = fitted(StandardScaler(), quadratic, rows=rows, target=target)
    outcome = bench(pipeline, rows, tmp_path).outcome()
    assert outcome.file is None
    assert "differ from the pipeline's" in str(outcome.left_out)


@pytest.mark.parametrize(
    ("model", "said"),
    [(KNeighborsClassifier(), "graph within an operator")],
    ids=["neighbours"],
)
def test_graphs_that_are_no_gain_or_cannot_be_trusted_are_left_out(
    tmp_path: Path, model: Any, said: str
) -> None:
    rows = numbers()
    pipeline = fitted(model, rows=rows, target=(rows[:, 0] > 0).astype(int))
    assert said in str(bench(pipeline, rows, tmp_path).outcome().left_out)


def test_words_are_left_out(tmp_path: Path) -> None:
    rows, target = sited()
    columns = ColumnTransformer([("t", TfidfVectorizer(), 1)])
    pipeline = fitted(columns, LogisticRegression(), rows=rows, target=target)
    kinds = (ColumnType.FLOAT, ColumnType.STRING)
    outcome = bench(pipeline, rows, tmp_path, kinds=kinds).outcome()
    assert str(outcome.left_out).startswith("TfidfVectorizer: it cuts texts into words")


@pytest.mark.parametrize("handle", ["ignore", "error"])
def test_texts_are_inputs_of_their_own(tmp_path: Path, handle: str) -> None:
    rows, target = sited()
    pipeline = fitted(
        encoded(OneHotEncoder(handle_unknown=handle)),
        LogisticRegression(),
        rows=rows,
        target=target,
    )
    kinds = (ColumnType.FLOAT, ColumnType.STRING)
    model = of_outcome(bench(pipeline, rows, tmp_path, kinds=kinds).outcome(), 2, [0, 1])
    assert np.allclose(
        model.answer(rows, ["predict_proba"])["predict_proba"],
        pipeline.predict_proba(rows),
        atol=1e-6,
    )
    odd = np.array([[0.3, "east"]], dtype=object)
    if handle == "ignore":
        assert (model.predict(odd) == pipeline.predict(odd)).all()
    else:
        with pytest.raises(ValueError, match="'f1': the model does not know 'east'"):
            model.predict(odd)


def test_a_missing_number_is_filled_in_or_refused_as_the_pipeline_does(tmp_path: Path) -> None:
    rows = numbers()
    rows[::7, 1] = np.nan
    target = (rows[:, 0] > 0).astype(int)
    filled = ColumnTransformer([("f", SimpleImputer(), [0, 1]), ("k", StandardScaler(), [2, 3])])
    pipeline = fitted(filled, LogisticRegression(), rows=rows, target=target)
    model = of_outcome(bench(pipeline, rows, tmp_path, nullable=True).outcome(), 4, [0, 1])
    lacking = rows[:2].copy()
    lacking[0, 0] = np.nan
    assert (model.predict(lacking) == pipeline.predict(lacking)).all()
    lacking[0, 2] = np.nan
    with pytest.raises(ValueError, match="'f2' has no value"):
        model.predict(lacking)


def test_where_only_rows_at_the_edge_differ_it_is_left_out(tmp_path: Path) -> None:
    """Forests trained without gaps answer rows that have some, and their graphs do otherwise."""
    rows = numbers()
    target = rows @ np.array([1.0, -2.0, 0.5, 3.0])
    forest = RandomForestRegressor(10, random_state=0)
    pipeline = fitted(forest, rows=rows, target=target)
    assert bench(pipeline, rows, tmp_path).outcome().file is not None
    outcome = bench(pipeline, rows, tmp_path, nullable=True).outcome()
    assert str(outcome.left_out).startswith("where a row lacks a value")


def test_the_same_model_twice_is_the_same_file(tmp_path: Path) -> None:
    digests = set()
    for place in ("a", "b"):
        rows, target = sited()
        pipeline = fitted(encoded(OneHotEncoder()), LogisticRegression(), rows=rows, target=target)
        (tmp_path / place).mkdir()
        kinds = (ColumnType.FLOAT, ColumnType.STRING)
        outcome = bench(pipeline, rows, tmp_path / place, kinds=kinds).outcome()
        assert outcome.file is not None
        digests.add(hashlib.sha256(outcome.file.read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        (Bounds(0.001, 1 << 40), "takes more than 0.001 s"),
        (Bounds(60.0, 1 << 20), "memory"),
    ],
    ids=["time", "memory"],
)
def test_a_conversion_has_bounds_and_costs_the_run_nothing(
    tmp_path: Path, bounds: Bounds, said: str
) -> None:
    rows = numbers(2000, 20)
    model = RandomForestRegressor(50, random_state=0)
    pipeline = fitted(model, rows=rows, target=rows[:, 0])
    made = replace(bench(pipeline, rows, tmp_path), bounds=lambda: bounds)
    outcome = made.outcome()
    assert outcome.file is None
    assert said in str(outcome.left_out)
    assert said in outcome.content()["leftOut"]
    # The package is the same, whatever bound it was.
    assert outcome.kept() == {"leftOut": "it was not done within its bounds"}


def test_why_a_model_has_none_stands_in_the_package(tmp_path: Path) -> None:
    rows = numbers()
    pipeline = fitted(KNeighborsClassifier(), rows=rows, target=(rows[:, 0] > 0).astype(int))
    outcome = bench(pipeline, rows, tmp_path).outcome()
    assert outcome.left_out
    assert outcome.kept() == outcome.content() == {"leftOut": outcome.left_out}


def test_a_regression_whose_predictions_are_all_the_same_has_a_tolerance(tmp_path: Path) -> None:
    rows = numbers()
    pipeline = fitted(LinearRegression(), rows=rows, target=np.full(ROWS, 1e6))
    outcome = bench(pipeline, rows, tmp_path).outcome()
    assert outcome.agreement is not None, outcome.left_out
    assert 0 < outcome.agreement.tolerance <= 1.01
