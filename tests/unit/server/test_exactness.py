"""Predictions over HTTP are the numbers that scikit-learn gives, to the last bit."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.server import boosted, packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import serve


def by_columns(model: packages.Model, rows: np.ndarray) -> dict[str, Any]:
    inputs = []
    for place, column in enumerate(model.signature["inputs"]):
        values = [None if _missing(v) else v for v in rows[:, place].tolist()]
        kind = {"INT64": int, "BOOL": bool}.get(column["datatype"], lambda v: v)
        data = [v if v is None else kind(v) for v in values]
        described = {"name": column["name"], "datatype": column["datatype"], "shape": [len(rows)]}
        inputs.append({**described, "data": data})
    return {"inputs": inputs}


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


@pytest.mark.parametrize(
    "make",
    [
        packages.logistic,
        packages.boosted,
        packages.forest,
        packages.regression,
        packages.texts,
        packages.texts_with_nan,
        boosted.of_xgboost,
        boosted.of_lightgbm,
        boosted.of_numbers,
    ],
    ids=lambda make: make.__name__,
)
def test_answers_equal_scikit_learn(make: Any, bucket: Bucket, tmp_path: Path) -> None:
    model = make()
    digest = packages.publish(bucket, model.files())
    with serve(bucket, digest, tmp_path) as server:
        server.ready()
        reply = server.infer(by_columns(model, model.rows))
        one = server.infer(by_columns(model, model.rows[:1]))
    assert reply.status == 200, reply.body
    for output in reply.json["outputs"]:
        expected = getattr(model.estimator, output["name"])(model.rows)
        assert output["shape"] == list(expected.shape)
        assert output["data"] == expected.ravel().tolist()
    for output in one.json["outputs"]:
        expected = getattr(model.estimator, output["name"])(model.rows[:1])
        assert output["data"] == expected.ravel().tolist()


def test_a_matrix_gives_the_same_as_columns(logistic: Any) -> None:
    model = packages.logistic()
    shape = list(model.rows.shape)
    tensor = {"name": "x", "datatype": "FP64", "shape": shape, "data": model.rows.tolist()}
    nested = logistic.infer({"inputs": [tensor]})
    flat = logistic.infer({"inputs": [{**tensor, "data": model.rows.ravel().tolist()}]})
    named = logistic.infer(by_columns(model, model.rows))
    assert nested.json["outputs"] == flat.json["outputs"] == named.json["outputs"]


def test_numbers_survive_the_journey(logistic: Any) -> None:
    model = packages.logistic()
    reply = logistic.infer(json.dumps(by_columns(model, model.rows)).encode())
    told = np.array(reply.json["outputs"][1]["data"]).reshape(-1, 2)
    assert (told == model.estimator.predict_proba(model.rows)).all()
