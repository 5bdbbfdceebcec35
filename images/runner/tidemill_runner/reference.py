"""`profile.json` of a package: what the model was shown and what it said, on the rows held out.

Whoever serves the model counts what it is asked over the same edges: how far the world has moved
from what the model was measured on is then a matter of two lists of numbers. The calibration map
says how often a probability came true; with it the quality of predictions can be estimated before
anybody knows what was right (CBPE, as in NannyML).
"""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from tidemill.stats import reference
from tidemill.stats.classification import Classified
from tidemill_runner.columns import Roles
from tidemill_runner.evaluate import Evaluation
from tidemill_runner.schema import Column, ColumnType

FORMAT = "tidemill.dev/model-profile/v1"
# Of so many classes each has a histogram of its own; of more, the class predicted alone.
MAX_CLASSES = 50
MAX_KNOTS = 64
# Of a column whose most frequent texts are longer, together, only their number is kept; so is that
# of the columns after these have come to as much as all may.
MAX_TEXT_BYTES = 256 * 1024
MAX_ALL_TEXT_BYTES = 16 * 1024 * 1024


def content(roles: Roles, features: NDArray[Any], evaluation: Evaluation) -> dict[str, Any]:
    """Describe the rows held out: features of shape (rows, columns), and what was said of them."""
    inputs, left = [], MAX_ALL_TEXT_BYTES
    for place, column in enumerate(roles.features):
        told = _input(column, features[:, place], min(left, MAX_TEXT_BYTES))
        left -= _length(told.get("values", []))
        inputs.append(told)
    return {
        "format": FORMAT,
        "rows": len(features),
        "inputs": inputs,
        "scores": _scores(evaluation),
    }


def _input(column: Column, values: NDArray[Any], most: int) -> dict[str, Any]:
    if column.type is ColumnType.STRING:
        return {"name": column.name, **_categories(values.tolist(), most)}
    numbers = values.astype(np.float64)
    return {"name": column.name, **_counts(numbers, reference.edges_of(numbers))}


def _counts(values: NDArray[np.float64], edges: NDArray[np.float64]) -> dict[str, Any]:
    found = reference.count(values, edges)
    return {
        "edges": found.edges.tolist(),
        "counts": found.counts.tolist(),
        "missing": found.missing,
    }


def _length(kept: list[Any]) -> int:
    return len(json.dumps(kept))


def _categories(values: list[Any], most: int = MAX_TEXT_BYTES) -> dict[str, Any]:
    found = reference.categories(values)
    kept = [[value, times] for value, times in found.values]
    other = found.other
    if _length(kept) > most:
        kept, other = [], other + sum(times for _, times in kept)
    return {
        "values": kept,
        "other": other,
        "missing": found.missing,
    }


def _scores(evaluation: Evaluation) -> dict[str, Any]:
    rows = evaluation.rows
    if not isinstance(rows, Classified):
        return {"predict": _counts(rows.predicted, reference.edges_of(rows.predicted))}
    said = [evaluation.classes[code] for code in rows.predicted.tolist()]
    found: dict[str, Any] = {"predict": _categories(said)}
    if rows.probabilities is None:
        return found
    highest = rows.probabilities.max(axis=1)
    found["confidence"] = _counts(highest, reference.PROBABILITY_EDGES)
    if rows.classes <= MAX_CLASSES and _length(list(evaluation.classes)) <= MAX_TEXT_BYTES:
        found["predict_proba"] = [
            {
                "class": label,
                **_counts(rows.probabilities[:, code], reference.PROBABILITY_EDGES),
                "calibration": calibration(rows.probabilities[:, code], rows.truth == code),
            }
            for code, label in enumerate(evaluation.classes)
        ]
    return found


def calibration(
    probabilities: NDArray[np.float64], came_true: NDArray[np.bool_]
) -> dict[str, list[float]]:
    """How often what was given each probability came true: knots, linear in between.

    Isotonic regression (pool adjacent violators; Zadrozny and Elkan, KDD 2002) on (rows,) each; at
    most 64 of its knots are kept, spread evenly over them.
    """
    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    model.fit(probabilities, came_true.astype(np.float64))
    at, share = model.X_thresholds_, model.y_thresholds_
    if len(at) > MAX_KNOTS:
        kept = np.unique(np.linspace(0, len(at) - 1, MAX_KNOTS).round().astype(int))
        at, share = at[kept], share[kept]
    return {"probability": at.tolist(), "observed": share.tolist()}
