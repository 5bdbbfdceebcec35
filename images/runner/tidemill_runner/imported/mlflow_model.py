"""An MLflow model: which of its files holds the model, by its `MLmodel`.

Only what is kept without pickles is taken; the file is read as data and MLflow is not needed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tidemill_runner.failures import Failure
from tidemill_runner.imported.asked import FIELD

DESCRIPTION = "MLmodel"
MAX_BYTES = 1024 * 1024
_BY_FILE = ("xgboost", "lightgbm", "onnx")
_WAY_OUT = (
    "log it again with mlflow.sklearn.log_model(…, serialization_format='skops'), or save it by "
    "skops.io.dump and import that file"
)


@dataclass(frozen=True)
class Described:
    """The model's file, below the folder, and the names of its inputs where they are told."""

    file: str
    features: tuple[str, ...] | None


def read(data: bytes, called: str) -> Described:
    """Read an MLmodel; raises Failure."""
    try:
        document = yaml.safe_load(data)
        flavors = dict(document["flavors"])
        features = _features(document.get("signature"))
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Failure("ModelUnloadable", f"{called} cannot be read: is it MLflow's?") from None
    file = _file(flavors, called)
    if file.startswith("/") or any(part in ("", ".", "..") for part in file.split("/")):
        raise Failure("ModelUnloadable", f"{called} names {file!r}, which is not below it")
    return Described(file, features)


def _file(flavors: Mapping[str, Any], called: str) -> str:
    for name in _BY_FILE:
        if isinstance(flavors.get(name), Mapping):
            return _text(flavors[name].get("data"))
    sklearn = flavors.get("sklearn")
    if isinstance(sklearn, Mapping):
        kept = _text(sklearn.get("serialization_format"))
        if kept != "skops":
            raise Failure(
                "PickleRefused",
                f"{called}: its scikit-learn model is kept by {kept or 'pickle'}, which runs code "
                f"when it is loaded: {_WAY_OUT}",
            )
        return _text(sklearn.get("pickled_model"))
    there = ", ".join(sorted(filter(None, map(_text, flavors)))[:8]) or "none"
    raise Failure(
        "EstimatorRefused",
        f"{FIELD}: {called} has the flavors {there}; imported are sklearn (kept by skops), "
        "xgboost, lightgbm and onnx",
    )


def _text(value: object) -> str:
    """A text; anything else, which may refer to itself and be endless when written, is none."""
    return value[:1024] if isinstance(value, str) else ""


def _features(signature: object) -> tuple[str, ...] | None:
    """The names of the inputs; None where there is no signature by columns."""
    if not isinstance(signature, Mapping) or not signature.get("inputs"):
        return None
    inputs = json.loads(signature["inputs"])
    names = [one.get("name") for one in inputs]
    return tuple(names) if all(isinstance(name, str) for name in names) else None
