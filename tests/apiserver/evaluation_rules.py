"""The rules of what is measured, each with what it takes, what it refuses and what it then says."""

from typing import Any

import pytest

FAIRNESS: dict[str, Any] = {
    "fairness": [{"sensitive": "sex", "metric": "equalized_odds_difference", "max": "0.1"}]
}
SLICE: dict[str, Any] = {"column": "day", "minRows": 20}

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
        "partialDependence shows the most important features: it needs permutationImportance",
        id="dependence without importance",
    ),
    pytest.param(
        "TrainingRun",
        {"evaluation": {"slices": [SLICE], "groupBy": ["site"], "baselines": []}},
        {"evaluation": {"slices": [{"column": "day", "minRows": 19}]}},
        "spec.evaluation.slices[0].minRows",
        id="slices of few rows",
    ),
    pytest.param(
        "TrainingRun",
        {"evaluation": {"baselines": ["Majority", "LastValue", "Linear"]}},
        {"evaluation": {"baselines": ["Best"]}},
        "spec.evaluation.baselines[0]",
        id="a baseline that is not there",
    ),
]
