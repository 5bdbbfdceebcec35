"""Models that were fitted elsewhere, as files: what an import may be given."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import skops.io
import xgboost
from sklearn.ensemble import HistGradientBoostingClassifier
from tests.unit.runner.workshop import Workshop, classification, rows

KEY = "models/m"
N = 200


def table(n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Give features a and b, and y: those of workshop.rows."""
    lines = [line.split(",") for line in rows(n).splitlines()[1:]]
    features = np.array([[float(a), float(b)] for a, b, _ in lines])
    return features, np.array([int(y) for *_, y in lines])


def matrix(names: list[str] | None) -> xgboost.DMatrix:
    features, target = table()
    return xgboost.DMatrix(features, target, feature_names=names)


def xgb(folder: Path, ending: str = ".ubj", names: list[str] | None = None, **params: Any) -> bytes:
    asked = {"objective": "binary:logistic", "max_depth": 2, "verbosity": 0, "nthread": 1, **params}
    booster = xgboost.train(asked, matrix(names), num_boost_round=5)
    path = folder / f"made{ending}"
    booster.save_model(path)
    return path.read_bytes()


def lgb(names: list[str] | None = None, **params: Any) -> bytes:
    features, target = table()
    data = lightgbm.Dataset(features, target, feature_name=names or "auto")
    asked = {"objective": "binary", "num_leaves": 4, "verbosity": -1, "num_threads": 1, **params}
    return lightgbm.train(asked, data, num_boost_round=5).model_to_string().encode()


def sklearn(estimator: Any = None, names: list[str] | None = None) -> bytes:
    features, target = table()
    if estimator is None:
        estimator = HistGradientBoostingClassifier(max_iter=5)
    fitted = estimator.fit(features, target)
    if names:
        fitted.feature_names_in_ = np.array(names, dtype=object)
    return bytes(skops.io.dumps(fitted))


def mlmodel(flavor: str, **fields: Any) -> bytes:
    """Give an MLmodel as MLflow writes it; JSON is YAML."""
    python = {"loader_module": "mlflow.x", "python_version": "3.13.1"}
    return json.dumps({"flavors": {"python_function": python, flavor: fields}}).encode()


@dataclass
class Importing:
    """A workshop with rows, and a model in the bucket."""

    workshop: Workshop
    ingested: dict[str, Any] = field(default_factory=dict)

    def data(self, text: str) -> "Importing":
        self.workshop.deliver(data_csv=text)
        self.ingested = self.workshop.ingest()
        return self

    def put(self, data: bytes, key: str = KEY) -> None:
        self.workshop.source.objects[key] = data

    def run(self, spec: dict[str, Any] | None = None, **asked: Any) -> dict[str, Any]:
        """Import what lies there; `asked` are further fields of the import."""
        place = {"key": None if "prefix" in asked else KEY, **asked}
        document = {"endpoint": "http://s", "bucket": "b", "pathStyle": True, **place}
        wanted = classification(estimator={"import": {}}, **(spec or {}))
        return self.workshop.train(self.ingested, wanted, **{"import": document})


Make = Callable[[Path], bytes]
