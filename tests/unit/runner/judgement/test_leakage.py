"""Signs of leakage: each planted one is found, and clean data has none."""

from typing import Any

import numpy as np
import pytest
from tests.unit.runner.judgement.scenes import Columns, judged, noise, report, sticky, tree
from tests.unit.runner.workshop import Workshop, classification, estimator

ENCODER = (
    "sklearn.preprocessing.OrdinalEncoder",
    {"handle_unknown": "use_encoded_value", "unknown_value": -1},
)
ORDER = {"by": "Order", "holdout": "0.25"}


def warnings(workshop: Workshop, data: Columns, **spec: Any) -> list[str]:
    return list(judged(workshop, data, **spec)["warnings"])


def test_clean_data_is_not_warned_of(workshop: Workshop) -> None:
    assert warnings(workshop, noise(2_000)) == []
    assert warnings(workshop, noise(2_000), split=ORDER, estimator=tree()) == []


def test_a_feature_that_tells_the_target_alone(workshop: Workshop) -> None:
    data = noise()
    data["a"] = data["y"] * 7 + 1
    (told,) = warnings(workshop, data)
    assert told.startswith("features tell the target alone: 'a' (spares 100.0 % of the errors)")
    assert "Features tell the target alone" in report(workshop)


def test_a_text_that_tells_the_target_alone(workshop: Workshop) -> None:
    data = noise()
    data["t"] = [f"kind-{y}" for y in data["y"]]
    steps = estimator(ENCODER, "sklearn.dummy.DummyClassifier")
    told = warnings(workshop, data, estimator=steps)
    assert "'t' (spares" in told[0]


def test_rows_in_both_parts(workshop: Workshop) -> None:
    data = {name: np.concatenate([values, values[:60]]) for name, values in noise().items()}
    (told,) = warnings(workshop, data)
    assert "are also among those trained on, in all features and the target" in told


def test_repeated_rows_with_gaps_and_text_are_found(workshop: Workshop) -> None:
    data = {name: np.concatenate([values, values[:60]]) for name, values in noise().items()}
    gaps = ["" if i % 4 else "1" for i in range(600)]
    names = [f"n{i}" for i in range(600)]
    data |= {"gap": gaps + gaps[:60], "t": names + names[:60]}
    steps = estimator(ENCODER, "sklearn.dummy.DummyClassifier")
    assert any(
        "are also among those trained on" in w for w in warnings(workshop, data, estimator=steps)
    )


def test_few_possible_rows_repeat_by_nature(workshop: Workshop) -> None:
    rng = np.random.default_rng(0)
    data = {"a": rng.integers(0, 3, 600), "b": rng.integers(0, 3, 600)}
    data["y"] = ((data["a"] + rng.integers(0, 3, 600)) > 2).astype(int)
    assert warnings(workshop, data) == []


def test_groups_in_both_parts(workshop: Workshop) -> None:
    data = noise()
    data["who"] = np.arange(600) % 40
    spec: dict[str, Any] = {
        "evaluation": {"groupBy": ["who"]},
        "features": {"exclude": ["who"]},
    }
    (told,) = warnings(workshop, data, **spec)
    assert "40 of 40 groups of spec.evaluation.groupBy" in told
    assert warnings(workshop, data, split=ORDER, **spec) == []


def test_few_groups(workshop: Workshop) -> None:
    data = noise()
    data["who"] = np.arange(600) // 75
    spec: dict[str, Any] = {"evaluation": {"groupBy": ["who"]}, "features": {"exclude": ["who"]}}
    (told,) = warnings(workshop, data, split={"by": "Order", "holdout": "0.25"}, **spec)
    assert "are of 2 groups only: intervals over fewer than 20 groups are too narrow" in told


def test_rows_trained_on_that_are_later(workshop: Workshop) -> None:
    data = noise()
    data["at"] = [f"2024-01-{1 + i // 24:02}T{i % 24:02}:00:00Z" for i in range(600)]
    spec = {"features": {"exclude": ["at"]}}
    (told,) = warnings(workshop, data, **spec)
    assert "of the rows trained on are later ('at') than the first one held out" in told
    assert warnings(workshop, data, split=ORDER, **spec) == []
    time = {"by": "Time", "column": "at", "holdout": "0.25"}
    assert warnings(workshop, data, split=time, **spec) == []


def test_order_that_is_not_that_of_time(workshop: Workshop) -> None:
    data = noise()
    data["at"] = [f"2024-01-{30 - i // 24:02}" for i in range(600)]
    spec = {"features": {"exclude": ["at"]}}
    (told,) = warnings(workshop, data, split=ORDER, **spec)
    assert "are later ('at')" in told


def test_a_date_of_birth_is_no_time_of_rows(workshop: Workshop) -> None:
    data = noise()
    data["born"] = [f"19{50 + i * 37 % 50}-01-{1 + i * 11 % 28:02}" for i in range(600)]
    assert warnings(workshop, data, features={"exclude": ["born"]}) == []


def test_the_time_of_shuffled_rows_goes_by_its_name(workshop: Workshop) -> None:
    data = noise()
    data["born"] = ["1990-01-01"] * 600
    data["ts"] = [f"2024-01-{1 + i * 11 % 28:02}" for i in range(600)]
    (told,) = warnings(workshop, data, features={"exclude": ["born", "ts"]})
    assert "are later ('ts')" in told


def test_neighbours_that_are_alike(workshop: Workshop) -> None:
    (told,) = warnings(workshop, sticky())
    assert told.startswith("neighbouring rows have the same target in 9")
    assert warnings(workshop, sticky(), split=ORDER) == []


def test_a_file_sorted_by_the_target_is_not_taken_for_a_series(workshop: Workshop) -> None:
    data = noise()
    order = np.argsort(data["y"], kind="stable")
    assert warnings(workshop, {name: values[order] for name, values in data.items()}) == []


@pytest.mark.parametrize(
    ("target", "feature", "alike"),
    [
        ("churn", "churn_flag", True),
        ("churn", "isChurn", True),
        ("churn", "label", True),
        ("loan_default", "default of loan", True),
        ("churn", "churn_prev", False),
        ("churn", "lagChurn", False),
        ("churn", "churner_age", False),
        ("y", "y2", False),
    ],
)
def test_names_like_the_target(workshop: Workshop, target: str, feature: str, alike: bool) -> None:
    data = noise()
    renamed = {feature: data["a"], "b": data["b"], target: data["y"]}
    lines = [",".join(renamed)]
    lines += [",".join(map(str, row)) for row in zip(*renamed.values(), strict=True)]
    workshop.deliver(data_csv="\n".join(lines) + "\n")
    result = workshop.train(workshop.ingest(), classification(target=target))
    named = [w for w in result["judgement"]["warnings"] if "named like the target" in w]
    assert (len(named) == 1 and repr(feature) in named[0]) is alike
