"""Estimators within estimators, as specs write them, and rows of each kind of column for them."""

from typing import Any

from tests.unit.runner.workshop import LOGISTIC

COLUMNS = "sklearn.compose.ColumnTransformer"
SCALER = "sklearn.preprocessing.StandardScaler"
ONE_HOT = {"class": "sklearn.preprocessing.OneHotEncoder", "params": {"handle_unknown": "ignore"}}
TREES = {"class": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 4}}
LINE = {"class": LOGISTIC}
KERNELS = "sklearn.gaussian_process.kernels."
NUMBERS = {
    "name": "numbers",
    "columns": "numeric",
    "steps": [
        {"name": "fill", "class": "sklearn.impute.SimpleImputer", "params": {"strategy": "mean"}},
        {"name": "scale", "class": SCALER},
    ],
}
WORDS = {
    "name": "words",
    "columns": "categorical",
    "steps": [
        {
            "name": "fill",
            "class": "sklearn.impute.SimpleImputer",
            "params": {"strategy": "most_frequent"},
        },
        {"name": "code", **ONE_HOT},
    ],
}


def delivered(n: int = 80) -> str:
    """Numbers, a flag and two texts, with gaps in a number and in a text."""
    lines = ["a,b,flag,site,kind,y"]
    for i in range(n):
        a, b = (i * 37) % n, (i * 7) % 10
        site = ("north", "south", "", "east")[i % 4]
        kind = ("x", "y", "z")[(i * 5) % 3]
        lines.append(
            f"{'' if i % 9 == 0 else a},{b},{str(i % 3 == 0).lower()},{site},{kind},"
            f"{'UP' if a > n / 2 else 'DOWN'}"
        )
    return "\n".join(lines) + "\n"


def columns(*transformers: dict[str, Any], **more: Any) -> tuple[str, dict[str, Any]]:
    return COLUMNS, {"transformers": list(transformers), **more}
