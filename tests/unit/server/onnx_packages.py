"""Packages with a model in ONNX, as the runner packs them, beside skops and alone."""

from typing import Any

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.unit.server import packages
from tests.unit.server.packages import Model

from tidemill.store import digests

OPSETS = {"": 21, "ai.onnx.ml": 3}
LABELS = {"predict": "label", "predict_proba": "probabilities"}


def graph(model: Model, *, double: bool = True) -> bytes:
    """Convert the model; trees take floats."""
    kind = DoubleTensorType if double else FloatTensorType
    options = {"zipmap": False} if hasattr(model.estimator, "classes_") else None
    found = to_onnx(
        model.estimator,
        initial_types=[("X", kind([None, model.rows.shape[1]]))],
        options=options,
        target_opset=OPSETS,
    )
    return bytes(found.SerializeToString())


def told(model: Model, **terms: Any) -> dict[str, Any]:
    """The signature, with what it says of the graph."""
    classes = model.estimator.classes_.tolist() if hasattr(model.estimator, "classes_") else None
    outputs = LABELS if classes else {"predict": "variable", "predict_proba": None}
    return {**model.signature, "classes": classes, "onnx": {**outputs, **terms}}


def beside(model: Model, *, double: bool = True, **terms: Any) -> dict[str, bytes]:
    """Both formats."""
    signature = told(model, **terms)
    return {
        **model.files(),
        "model.onnx": graph(model, double=double),
        "signature.json": digests.canonical_json(signature),
    }


def alone(data: bytes, signature: dict[str, Any]) -> dict[str, bytes]:
    """A package that needs no scikit-learn, and names none."""
    return {
        "model.onnx": data,
        "signature.json": digests.canonical_json(signature),
        "environment.json": digests.canonical_json({"packages": {"onnxruntime": "1.23"}}),
    }


def disagreeing() -> dict[str, bytes]:
    """A package whose graph is that of another model: its labels are the others."""
    model = packages.logistic()
    target = 1 - model.estimator.predict(model.rows)
    other = make_pipeline(StandardScaler(), LogisticRegression()).fit(model.rows, target)
    examples = model.rows[:3].tolist()
    answers = {"predict": model.estimator.predict(np.array(examples)).tolist()}
    signature = {**told(model, answers=answers), "examples": examples}
    return {
        **model.files(),
        "model.onnx": graph(Model(other, model.rows, model.signature)),
        "signature.json": digests.canonical_json(signature),
    }
