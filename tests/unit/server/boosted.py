"""Packages with trees of XGBoost and LightGBM, as the runner packs them."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import skops.io
import xgboost
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.unit.server import packages
from tests.unit.server.packages import Model, labels, numbers, signature

from tidemill.store import trees


@dataclass
class WithTrees(Model):
    """The steps before the trees are in the skops file, or none are."""

    def files(self) -> dict[str, bytes]:
        steps = Pipeline(self.estimator.steps[:-1] or [("none", "passthrough")])
        with tempfile.TemporaryDirectory() as folder:
            path = trees.save(self.estimator.steps[-1][1], Path(folder))
            kept = {path.name: path.read_bytes()}
        return {**replace_estimator(self, steps), **kept}


def replace_estimator(model: Model, estimator: Any) -> dict[str, bytes]:
    plain = Model(estimator, model.rows, model.signature)
    return {**plain.files(), "model.skops": skops.io.dumps(estimator)}


def of_xgboost() -> Model:
    """Whole numbers for classes, two steps."""
    rows, target = numbers()
    rows[::7, 1] = np.nan
    estimator = make_pipeline(StandardScaler(), xgboost.XGBClassifier(n_estimators=10))
    told = {**signature(labels("INT64"), nullable=True), "trees": "model.ubj", "classes": [0, 1]}
    return WithTrees(estimator.fit(rows, target), rows, told)


def of_lightgbm() -> Model:
    """Texts for classes, no step before the trees."""
    rows, target = numbers()
    estimator = make_pipeline(lightgbm.LGBMClassifier(n_estimators=10, verbose=-1))
    names = ["DOWN", "UP"]
    told = {**signature(labels("BYTES")), "trees": "model.txt", "classes": names}
    estimator.fit(rows, np.array(names, dtype=object)[target])
    return WithTrees(estimator, rows, told)


def of_numbers() -> Model:
    """A regression."""
    model = packages.regression()
    rows, target = model.rows, model.rows @ np.array([1.5, -2.0, 0.25, 3.0])
    estimator = make_pipeline(xgboost.XGBRegressor(n_estimators=10)).fit(rows, target)
    return WithTrees(estimator, rows, {**model.signature, "trees": "model.ubj"})
