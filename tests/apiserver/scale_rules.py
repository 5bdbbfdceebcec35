"""The rules of runs over several pods and in a queue, and of a search by halves."""

from typing import Any

import pytest
from tests.apiserver.search_rules import TRIALS

SEARCH: dict[str, Any] = {
    "method": "Random",
    "trials": 9,
    "parallelism": 4,
    "space": {"model__c": {"values": [1, 2]}},
}
HALVING: dict[str, Any] = {**SEARCH, "method": "Halving"}
HALVES = "factor and minRows say how method Halving goes on: use it, or leave them out"
WITHOUT = (
    "distributed spreads a search over pods, or the fit of an estimator of xgboost or lightgbm: "
    "set search, take one of these as the last step, or leave it out"
)


def steps(*classes: str) -> dict[str, Any]:
    """The estimator with such steps."""
    named = [{"name": f"s{place}", "class": path} for place, path in enumerate(classes)]
    return {"sklearn": {"steps": named}}


SCALER = "sklearn.preprocessing.StandardScaler"
FEW = (
    "search.parallelism is how many trials run at a time in all pods: at least one for each of "
    "distributed.workers"
)
CASES: tuple[tuple[str, dict[str, Any], dict[str, Any], str], ...] = (
    (
        "factor of another method",
        {"search": {**HALVING, "factor": 2}},
        {"search": {**SEARCH, "factor": 2}},
        HALVES,
    ),
    (
        "minRows of another method",
        {"search": {**HALVING, "minRows": 100}},
        {"search": {**SEARCH, "minRows": 100}},
        HALVES,
    ),
    (
        "halving that stops early",
        {"search": {**SEARCH, "earlyStopping": {"trials": 2}}},
        {"search": {**HALVING, "earlyStopping": {"trials": 2}}},
        "Halving stops by itself what is not among the better: leave earlyStopping out",
    ),
    (
        "halving without a number",
        {"search": HALVING},
        {"search": {name: value for name, value in HALVING.items() if name != "trials"}},
        TRIALS,
    ),
    (
        "several pods without a search",
        {"distributed": {"workers": 2}, "search": SEARCH},
        {"distributed": {"workers": 2}},
        WITHOUT,
    ),
    (
        "several pods for a fit that is no boosting's",
        {"distributed": {"workers": 2}, "estimator": steps(SCALER, "xgboost.XGBClassifier")},
        {"distributed": {"workers": 2}, "estimator": steps("lightgbm.LGBMClassifier", SCALER)},
        WITHOUT,
    ),
    (
        "several pods for a name like one",
        {"distributed": {"workers": 2}, "estimator": steps("lightgbm.LGBMRegressor")},
        {"distributed": {"workers": 2}, "estimator": steps("xgboosted.XGBRegressor")},
        WITHOUT,
    ),
    (
        "more pods than trials at a time",
        {"distributed": {"workers": 4}, "search": SEARCH},
        {"distributed": {"workers": 5}, "search": SEARCH},
        FEW,
    ),
)
RULES = [
    pytest.param("TrainingRun", good, bad, message, id=name) for name, good, bad, message in CASES
]
