"""How trees are to be grown, as all pods are told it; and the estimator that has them in the end.

The estimator is first fitted here, with one tree on some of the rows: so its library judges the
parameters and completes them, and it knows its classes. Its tree then gives way to those that the
pods have grown.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from tidemill.store import boosted
from tidemill_runner.joint import steps
from tidemill_runner.joint.growing import Recipe
from tidemill_runner.joint.share import has_classes, numbered

SOME = 1000
_THREADS = ("n_jobs", "num_threads")


def begun(pipeline: Pipeline, features: NDArray[Any], target: NDArray[Any]) -> tuple[Any, Recipe]:
    """An estimator fitted on some rows, and the recipe for all; `pipeline` has fitted steps."""
    chosen = _some(target, classes=has_classes(pipeline))
    rows = steps.prepared(steps.before(pipeline), features[chosen])
    last = pipeline[-1]
    estimator = clone(last).set_params(n_estimators=1)
    estimator.fit(rows, target[chosen])
    estimator.set_params(n_estimators=last.n_estimators)
    library = boosted.library_of(type(last)) or ""
    params = _of_xgboost(estimator) if library == "xgboost" else _of_lightgbm(estimator)
    # A number that the spec names; else each pod has as many as it has CPUs.
    params = {name: value for name, value in params.items() if name not in _THREADS}
    params |= {} if last.n_jobs is None else {"n_jobs": last.n_jobs}
    rounds = last.get_num_boosting_rounds() if library == "xgboost" else last.n_estimators
    return estimator, Recipe(library, params, rounds)


def finished(estimator: Any, model: bytes) -> None:  # noqa: ANN401
    """Put the trees that the pods have grown in place of the one that was fitted here."""
    if boosted.library_of(type(estimator)) == "xgboost":
        import xgboost  # noqa: PLC0415 - only images for boosted models have it

        vars(estimator)["_Booster"] = xgboost.Booster(model_file=bytearray(model))
        return
    import lightgbm  # noqa: PLC0415

    vars(estimator)["_Booster"] = lightgbm.Booster(model_str=model.decode())


def _some(target: NDArray[Any], *, classes: bool) -> NDArray[np.int64]:
    """The first rows, and the first of each class."""
    found = np.arange(min(SOME, len(target)))
    if classes:
        found = np.union1d(found, np.unique(numbered(target), return_index=True)[1])
    return found.astype(np.int64)


def _of_xgboost(estimator: Any) -> dict[str, Any]:  # noqa: ANN401
    found: dict[str, Any] = dict(estimator.get_xgb_params())
    if getattr(estimator, "n_classes_", 2) > 2:
        found["num_class"] = estimator.n_classes_
    return {name: value for name, value in found.items() if value is not None}


def _of_lightgbm(estimator: Any) -> dict[str, Any]:  # noqa: ANN401
    found: dict[str, Any] = dict(estimator.booster_.params)
    found.pop("num_iterations", None)
    # Else it tries on the clock which way of adding up is the faster one, and sums would differ.
    return {"force_row_wise": not found.get("force_col_wise"), "deterministic": True, **found}
