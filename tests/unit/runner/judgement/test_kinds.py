"""Data of all kinds is judged: types of targets, columns that are of no use, numbers beyond all."""

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.runner.judgement.scenes import by_name, csv, judged, noise, report, tree
from tests.unit.runner.workshop import RIDGE, Workshop, classification, estimator, regression

from tidemill_runner.failures import Failure

ORDER = {"by": "Order", "holdout": "0.25"}
FOREST = estimator(("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 5}))
FAIR = {"sensitive": "b", "metric": "demographic_parity_difference", "max": "0.9"}


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        ((0, 1), "1"),
        ((-3, 40), "40"),
        (("no", "yes"), "yes"),
        (("false", "true"), "true"),
        (("1.0", "2.0"), "2"),
    ],
    ids=["0 and 1", "integers", "text", "booleans", "whole floats"],
)
def test_classes_of_all_types(workshop: Workshop, labels: tuple[Any, ...], positive: str) -> None:
    data = noise()
    data["b"] = np.arange(600) % 3
    data["y"] = [labels[y] for y in data["y"]]
    spec = {"split": ORDER, "estimator": tree()}
    found = judged(workshop, data, evaluation={"fairness": [FAIR]}, **spec)
    assert found["fairness"][0]["positive"] == positive
    assert [one["against"][0]["metric"] for one in found["baselines"]] == ["accuracy"] * 3
    assert found["baselines"][1]["against"][0]["baseline"]["value"] < 0.7
    assert sum(map(sum, found["confusion"])) == 150


@pytest.mark.parametrize(
    "column",
    [[""] * 600, [1] * 600, [1e30 * (-1) ** i for i in range(600)]],
    ids=["nothing", "a constant", "huge numbers"],
)
def test_features_that_are_of_no_use(workshop: Workshop, column: list[Any]) -> None:
    data = noise() | {"useless": column}
    found = judged(workshop, data, estimator=FOREST, evaluation={"explain": {}})
    assert {one["feature"] for one in found["explained"]["importance"]} == {"a", "b", "useless"}
    assert by_name(found["baselines"])["Majority"]["against"]


def test_a_linear_model_that_goes_astray_is_left_out(workshop: Workshop) -> None:
    data = noise() | {"wild": [float(f"1e{i % 600 - 300}") for i in range(600)]}
    spec = regression(estimator=estimator("sklearn.dummy.DummyRegressor"), split=ORDER)
    workshop.deliver(data_csv=csv(data))
    found = by_name(workshop.train(workshop.ingest(), spec)["judgement"]["baselines"])
    assert found["Majority"]["against"]
    told = found["Linear"]
    assert all(np.isfinite(one["baseline"]["value"]) for one in told["against"])


def test_slices_of_times_dates_and_booleans(workshop: Workshop) -> None:
    n = 1_200
    noisy = noise(n)
    day = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    table = pa.table(
        {
            **{name: pa.array(values) for name, values in noisy.items()},
            "at": [day + dt.timedelta(hours=i) for i in range(n)],
            "day": [(day + dt.timedelta(hours=i)).date() for i in range(n)],
            "flag": [i % 2 == 0 for i in range(n)],
            "few": [float(i % 3) if i % 5 else float("nan") for i in range(n)],
        }
    )
    pq.write_table(table, workshop.folder / "data.parquet")
    workshop.format = "Parquet"
    content = (workshop.folder / "data.parquet").read_bytes()
    workshop.deliver(data_parquet=content)
    names = ["at", "day", "flag", "few"]
    spec = classification(
        split=ORDER,
        features={"exclude": ["at", "day", "flag", "few"]},
        evaluation={"slices": [{"column": name, "minRows": 20} for name in names]},
    )
    found = workshop.train(workshop.ingest(), spec)["judgement"]["slices"]
    parts = {one["column"]: [part["name"] for part in one["parts"]] for one in found}
    assert len(parts["at"]) == 4
    assert parts["at"][0].startswith("2026-02-07")
    assert parts["flag"] == ["false", "true"]
    assert parts["few"][:3] == ["0", "1", "2"]
    assert sum(part["n"] for part in found[3]["parts"]) == 300
    assert "2026-02-07" in report(workshop)


def test_a_column_of_lists_is_refused(workshop: Workshop) -> None:
    table = pa.table(
        {**{k: pa.array(v) for k, v in noise().items()}, "l": [[i] for i in range(600)]}
    )
    pq.write_table(table, workshop.folder / "data.parquet")
    workshop.format = "Parquet"
    workshop.deliver(data_parquet=(workshop.folder / "data.parquet").read_bytes())
    spec = classification(
        features={"exclude": ["l"]}, evaluation={"slices": [{"column": "l"}]}, split=ORDER
    )
    with pytest.raises(Failure, match=r"slices\[0\].column: column 'l' is Other"):
        workshop.train(workshop.ingest(), spec)


def test_a_regression_of_a_constant(workshop: Workshop) -> None:
    workshop.deliver(data_csv=csv(noise() | {"y": [2.5] * 600}))
    found = workshop.train(workshop.ingest(), regression(estimator=estimator(RIDGE)))["judgement"]
    assert found["baselines"][0]["against"][0]["verdict"] == "Inconclusive"
    assert found["residuals"]["bias"]["value"] == pytest.approx(0)
