"""A transformer gives later rows, in any parts, what it gave those it was fitted on, or is refused.

So that it does not matter which pod transforms which row.
"""

import warnings
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from tests.unit.runner.test_every_estimator import NO_PLACE, PARAMS, TEXTS

from tidemill_runner import catalogue, parameters
from tidemill_runner.joint.steps import OTHERWISE
from tidemill_runner.parameters import Place

# These consist of others.
WHOLES = ("ColumnTransformer", "FeatureUnion", "Pipeline")
FOUND = {
    path: cls
    for path, cls in catalogue.estimators().items()
    if hasattr(cls, "transform") and cls.__name__ not in (*WHOLES, *OTHERWISE)
}


def matrix(made: Any) -> np.ndarray[Any, Any]:
    return np.asarray(made.toarray() if sparse.issparse(made) else made, dtype=np.float64)


@pytest.mark.parametrize("path", sorted(set(FOUND) - NO_PLACE))
def test_rows_are_transformed_alike_together_and_in_shares(path: str) -> None:
    name, chance = FOUND[path].__name__, np.random.default_rng(3)
    rows = np.abs(chance.normal(size=(90, 1 if name == "IsotonicRegression" else 4)))
    target = (rows.sum(axis=1) > np.median(rows.sum(axis=1))).astype(int)
    if name in ("SimpleImputer", "KNNImputer", "MissingIndicator"):
        rows[chance.random(rows.shape) < 0.1] = np.nan
    if name in TEXTS:
        rows = np.array(["red car", "blue car", "red bike"] * 30, dtype=object)
    step = parameters.make(path, PARAMS.get(name, {}), Place("field", 3, raw=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        at_once = matrix(clone(step).fit_transform(rows, target))
        fitted = clone(step).fit(rows, target)
        shares = [matrix(fitted.transform(rows[number::3])) for number in range(3)]
    for number, share in enumerate(shares):
        np.testing.assert_allclose(share, at_once[number::3], rtol=1e-9, atol=1e-9)


def test_those_refused_are_there() -> None:
    assert set(OTHERWISE) <= {cls.__name__ for cls in catalogue.estimators().values()}
