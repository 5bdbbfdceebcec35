"""The rules of what is measured, each with what it takes, what it refuses and what it then says."""

from typing import Any

import pytest

FAIRNESS: dict[str, Any] = {
    "fairness": [{"sensitive": "sex", "metric": "equalized_odds_difference", "max": "0.1"}]
}
FULL: dict[str, Any] = {
    **FAIRNESS,
    "baselines": ["Majority", "LastValue", "Linear"],
    "groupBy": ["site"],
    "slices": [{"column": "day", "minRows": 20}],
    "explain": {"partialDependence": True},
}
CHANGES: list[dict[str, Any]] = [
    {"evaluation.baselines": []},
    {"evaluation.groupBy": ["site", "plant"]},
    {"evaluation.slices.0.minRows": 21},
    {"evaluation.fairness.0.positive": "yes"},
    {"evaluation.explain.partialDependence": False},
    {"evaluation.explain.learningCurve": True},
]

RULES = [
    pytest.param(
        "TrainingRun",
        {"evaluation": FAIRNESS},
        {"evaluation": FAIRNESS, "task": "Regression"},
        "evaluation.fairness compares what is said of classes: it needs task: Classification",
        id="fairness of numbers",
    ),
    pytest.param(
        "TrainingRun",
        {"evaluation": {"explain": {"partialDependence": True}}},
        {"evaluation": {"explain": {"permutationImportance": False, "partialDependence": True}}},
        "partialDependence shows the most important features: it needs permutationImportance, "
        "which is false",
        id="dependence without importance",
    ),
]
