"""The rules of a search, each with what it takes, what it refuses and what it then says."""

from typing import Any

import pytest

DEPTH: dict[str, Any] = {
    "model__max_depth": {"values": [1, None, "auto", 0.5, True, [3], {"a": 1}]}
}
RATE: dict[str, Any] = {"low": "0.001", "high": "1e3", "type": "Float", "log": True}
FULL: dict[str, Any] = {
    "method": "TPE",
    "trials": 30,
    "metric": "roc_auc",
    "space": {**DEPTH, "model__learning_rate": RATE},
    "cv": {"folds": 3},
    "parallelism": 2,
    "earlyStopping": {"trials": 5},
}
CHANGES: list[dict[str, Any] | dict[str, None]] = [
    {"search.method": "Random"},
    {"search.trials": 31},
    {"search.metric": "accuracy"},
    {"search.space.model__max_depth.values": [1, 2]},
    {"search.space.model__learning_rate.high": "1e4"},
    {"search.cv.folds": 4},
    {"search.parallelism": 3},
    {"search.earlyStopping.trials": 6},
    {"search": None},
]


def grid(space: dict[str, Any]) -> dict[str, Any]:
    return {"search": {"method": "Grid", "space": space}}


def drawn(parameter: dict[str, Any]) -> dict[str, Any]:
    return {"search": {"method": "Random", "trials": 3, "space": {"model__c": parameter}}}


TRIALS = (
    "trials says how many Random, TPE and Halving draw, which need it; Grid tries all there are"
)
RANGE = "a range has low, high and type: set all three, or list values"
NAMES = (
    "space names parameters as scikit-learn does: the step's name, two underscores, the "
    "parameter's, such as model__max_depth"
)
COUNT = {"low": "1", "high": "10", "type": "Int"}
CASES: tuple[tuple[str, dict[str, Any], dict[str, Any], str], ...] = (
    (
        "draws without a number",
        {"search": {"method": "Random", "trials": 3, "space": DEPTH}},
        {"search": {"method": "Random", "space": DEPTH}},
        TRIALS,
    ),
    (
        "a grid with a number",
        grid(DEPTH),
        {"search": {"method": "Grid", "trials": 3, "space": DEPTH}},
        TRIALS,
    ),
    (
        "a grid over a range",
        grid(DEPTH),
        grid({"model__c": RATE}),
        "Grid tries every combination of values: list values instead of a range",
    ),
    (
        "a parameter without its step",
        grid({"my_step__max_depth": {"values": [1]}}),
        grid({"max_depth": {"values": [1]}}),
        NAMES,
    ),
    ("a range without a type", drawn(COUNT), drawn({"low": "1", "high": "10"}), RANGE),
    ("a range without an end", drawn(COUNT), drawn({"low": "1", "type": "Int"}), RANGE),
    (
        "values by order of magnitude",
        drawn({**COUNT, "log": True}),
        drawn({"values": [1], "log": True}),
        "log is of a range: it needs low, high and type",
    ),
    (
        "a range upside down",
        drawn({"low": "9", "high": "10", "type": "Int"}),
        drawn({"low": "10", "high": "9", "type": "Int"}),
        "low is to be less than high",
    ),
    (
        "orders of magnitude from 0",
        drawn({**COUNT, "low": "0"}),
        drawn({**COUNT, "low": "0", "log": True}),
        "a range with log begins above 0",
    ),
    (
        "whole numbers with a fraction",
        drawn(RATE),
        drawn({**RATE, "type": "Int"}),
        "low and high of type Int are whole numbers, written without fraction or exponent",
    ),
)
RULES = [
    pytest.param("TrainingRun", good, bad, message, id=name) for name, good, bad, message in CASES
]
