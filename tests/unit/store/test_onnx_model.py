"""A model in ONNX is asked as its pipeline is, and refuses what that refuses."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.unit.store import onnx_graphs

from tidemill.store import onnx_model
from tidemill.store.errors import PackageError
from tidemill.store.onnx_model import OnnxModel, Terms

NUMBER = Terms("variable", None)


def written(data: bytes, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(data)
    return path


def line(folder: Path, terms: Terms = NUMBER) -> OnnxModel:
    path = written(onnx_graphs.line([1.0, 2.0], 0.5).SerializeToString(), folder)
    return onnx_model.load(path, ["a", "b"], terms, None)


def softmax(folder: Path, terms: Terms) -> OnnxModel:
    """Two features as the scores of two classes."""
    found = onnx_graphs.model(
        [helper.make_node("Softmax", ["X"], ["p"])],
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 2])],
    )
    path = written(found.SerializeToString(), folder)
    return onnx_model.load(path, ["a", "b"], terms, ["no", "yes"])


def test_numbers_come_of_a_matrix(tmp_path: Path) -> None:
    model = line(tmp_path)
    assert model.width == 2
    assert model.predict(np.array([[1.0, 1.0], [0.0, -1.0]])).tolist() == [3.5, -1.5]
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model, "classes_")


def test_labels_may_follow_from_probabilities_alone(tmp_path: Path) -> None:
    model = softmax(tmp_path, Terms(None, "p"))
    answers = model.answer(np.array([[0.0, 5.0], [5.0, 0.0]]), ("predict", "predict_proba"))
    assert answers["predict"].tolist() == ["yes", "no"]
    assert answers["predict_proba"].dtype == np.float64
    assert model.classes_.tolist() == ["no", "yes"]  # type: ignore[attr-defined]


def test_columns_may_be_inputs_of_their_own_with_texts_among_them(tmp_path: Path) -> None:
    keys = helper.make_node(
        "LabelEncoder",
        ["colour"],
        ["code"],
        domain="ai.onnx.ml",
        keys_strings=["red", ""],
        values_floats=[10.0, 7.0],
        default_float=-1.0,
    )
    found = onnx_graphs.model(
        [keys, helper.make_node("Add", ["code", "size"], ["variable"])],
        [
            helper.make_tensor_value_info("size", TensorProto.FLOAT, [None, 1]),
            helper.make_tensor_value_info("colour", TensorProto.STRING, [None, 1]),
        ],
        [helper.make_tensor_value_info("variable", TensorProto.FLOAT, [None, 1])],
    )
    path = written(found.SerializeToString(), tmp_path)
    rows = np.array([[1.0, "red"], [2.0, float("nan")], [3.0, "blue"]], dtype=object)
    model = onnx_model.load(path, ["size", "colour"], NUMBER, None)
    assert model.predict(rows).tolist() == [11.0, 9.0, 2.0]
    strict = Terms("variable", None, texts={"colour": frozenset({"red"})})
    strict_model = onnx_model.load(path, ["size", "colour"], strict, None)
    assert strict_model.predict(rows[:2]).tolist() == [11.0, 9.0]
    with pytest.raises(ValueError, match="column 'colour': the model does not know 'blue'"):
        strict_model.predict(rows)


def test_a_column_that_may_not_lack_a_value_is_named(tmp_path: Path) -> None:
    model = line(tmp_path, Terms("variable", None, missing=("b",)))
    with pytest.raises(ValueError, match="column 'b' has no value"):
        model.predict(np.array([[1.0, np.nan]]))


def test_an_answer_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no number"):
        line(tmp_path).predict(np.array([[np.nan, 1.0]]))


def test_a_number_beyond_the_graphs_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot take 1e\\+39"):
        softmax(tmp_path, Terms(None, "p")).predict(np.array([[1e39, 0.0]]))


def test_terms_are_written_as_they_are_read() -> None:
    terms = Terms("label", "p", ("a",), {"b": frozenset({"x", "y"})})
    assert Terms.of(terms.content()) == terms


@pytest.mark.parametrize("document", [{}, {"predict": 3}, {"predict": ""}, {"predict_proba": []}])
def test_terms_that_name_no_output_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="onnx"):
        Terms.of(document)


@pytest.mark.parametrize(
    ("columns", "terms", "said"),
    [
        (["a"], NUMBER, "takes 2 columns, not 1"),
        (["a", "b"], Terms("label", None), "no output 'label'"),
        (["a", "b"], Terms("variable", None, missing=("z",)), "z"),
    ],
)
def test_a_signature_of_another_model_is_refused(
    tmp_path: Path, columns: list[str], terms: Terms, said: str
) -> None:
    path = written(onnx_graphs.line([1.0, 2.0]).SerializeToString(), tmp_path)
    with pytest.raises(PackageError, match=said):
        onnx_model.load(path, columns, terms, None)


def test_what_onnx_runtime_refuses_is_a_broken_package(tmp_path: Path) -> None:
    found = onnx_graphs.model(
        [helper.make_node("NoSuchThing", ["X"], ["y"])],
        [helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, 1])],
        [numpy_helper.from_array(np.zeros(1), "w")],
    )
    path = written(found.SerializeToString(), tmp_path)
    with pytest.raises(PackageError, match="NoSuchThing"):
        onnx_model.load(path, ["a"], Terms("y", None), None)
