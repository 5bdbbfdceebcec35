"""A package's profile: what the model was shown, what it said, and how often that came true."""

import json
from typing import Any

import numpy as np
import pytest
from tests.unit.runner.packages import unpack
from tests.unit.runner.workshop import Workshop, classification, regression, rows

from tidemill_runner import reference

TEXTS = "a,town,y\n" + "".join(
    f"{'' if n % 9 == 0 else n},{['Ulm', 'Bonn', ''][n % 3]},{'no' if n < 50 else 'yes'}\n"
    for n in range(100)
)
WITH_TEXTS = {
    "sklearn": {
        "steps": [
            {
                "name": "columns",
                "class": "sklearn.compose.ColumnTransformer",
                "params": {
                    "transformers": [
                        {"name": "n", "columns": "numeric", "class": "sklearn.impute.SimpleImputer"}
                    ]
                },
            },
            {"name": "model", "class": "sklearn.linear_model.LogisticRegression"},
        ]
    }
}


def profile(workshop: Workshop, csv: str, spec: dict[str, Any]) -> dict[str, Any]:
    workshop.deliver(data_csv=csv)
    folder = unpack(workshop, workshop.train(workshop.ingest(), spec))
    found: dict[str, Any] = json.loads((folder / "profile.json").read_bytes())
    return found


def test_all_rows_held_out_are_counted(workshop: Workshop) -> None:
    found = profile(workshop, TEXTS, classification(estimator=WITH_TEXTS))
    number, town = found["inputs"]
    assert (number["name"], town["name"], found["rows"]) == ("a", "town", 30)
    assert sum(number["counts"]) + number["missing"] == 30
    assert number["missing"] > 0
    assert {value for value, _ in town["values"]} == {"Ulm", "Bonn"}
    assert sum(times for _, times in town["values"]) + town["missing"] == 30
    said = found["scores"]
    assert sum(times for _, times in said["predict"]["values"]) == 30
    assert sum(said["confidence"]["counts"]) == 30
    assert [one["class"] for one in said["predict_proba"]] == ["no", "yes"]
    assert all(sum(one["counts"]) == 30 for one in said["predict_proba"])


def test_of_numbers_predicted_there_are_edges(workshop: Workshop) -> None:
    said = profile(workshop, rows(80), regression())["scores"]
    assert list(said) == ["predict"]
    assert sum(said["predict"]["counts"]) == 24


@pytest.mark.parametrize("rows_held", [1, 40, 5000])
def test_the_map_rises_and_stays_small(rows_held: int) -> None:
    rng = np.random.default_rng(3)
    probabilities = rng.random(rows_held)
    found = reference.calibration(probabilities, rng.random(rows_held) < probabilities**2)
    assert (np.diff(found["observed"]) >= 0).all()
    assert (np.diff(found["probability"]) > 0).all()
    assert 1 <= len(found["probability"]) == len(found["observed"]) <= reference.MAX_KNOTS


def test_what_is_said_too_surely_is_mapped_to_what_came_true() -> None:
    rng = np.random.default_rng(5)
    probabilities = rng.random(20_000)
    found = reference.calibration(probabilities, rng.random(20_000) < probabilities**2)
    at = np.linspace(0.1, 0.9, 9)
    mapped = np.interp(at, found["probability"], found["observed"])
    assert np.abs(mapped - at**2).max() < 0.05


def test_long_texts_are_counted_and_not_kept(workshop: Workshop) -> None:
    lines = "".join(f"{n},{n % 7}{'x' * 20_000},{n % 2}\n" for n in range(100))
    few = "".join(f"{n},{n % 3},{n % 2}\n".replace(",", ",t", 1) for n in range(100))
    excluded = classification(estimator=WITH_TEXTS)
    towns = profile(workshop, f"a,town,y\n{few}", excluded)["inputs"][1]
    assert len(towns["values"]) == 3
    long = profile(workshop, f"a,town,y\n{lines.replace('x', 'é')}", excluded)["inputs"][1]
    assert long["values"] == []
    assert long["other"] + long["missing"] == 30
