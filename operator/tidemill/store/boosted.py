"""Boosted trees of XGBoost and LightGBM, kept in their own formats: their names."""

from typing import Any

FILES = {"xgboost": "model.ubj", "lightgbm": "model.txt"}
# As pip has them: what an environment tells.
DISTRIBUTIONS = {"xgboost": "xgboost-cpu", "lightgbm": "lightgbm"}


def library_of(cls: type[Any]) -> str | None:
    """Name the library of an estimator's class, if it is one of these."""
    names = [each.__module__.partition(".")[0] for each in cls.__mro__]
    return next((name for name in names if name in FILES), None)
