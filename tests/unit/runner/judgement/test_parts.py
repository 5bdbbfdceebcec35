"""Slices, groups of rows and groups of people: what is bad there, and what is too little to say."""

from typing import Any

import numpy as np
import pytest
from fairlearn import metrics as reference
from sklearn.metrics import accuracy_score
from tests.unit.runner.judgement.scenes import Columns, judged, noise, report, tree
from tests.unit.runner.workshop import Workshop, estimator

from tidemill_runner.failures import Failure

TOLD = estimator(("sklearn.tree.DecisionTreeClassifier", {"max_depth": 1, "random_state": 0}))


def regions(n: int = 2_000) -> Columns:
    """In the west the feature tells nothing; 30 rows are from elsewhere."""
    rng = np.random.default_rng(0)
    region = np.array(["east", "north", "west"])[rng.integers(0, 3, n)]
    region[:30] = "elsewhere"
    a = rng.normal(size=n).round(4)
    y = np.where((region == "west") & (rng.random(n) < 0.5), a < 0, a > 0).astype(int)
    return {"region": region, "a": a, "y": y, "size": rng.random(n).round(3)}


def sliced(workshop: Workshop, *slices: dict[str, Any], **spec: Any) -> list[dict[str, Any]]:
    evaluation = {"slices": list(slices), **spec}
    exclude = {"exclude": ["region", "size"]}
    found = judged(workshop, regions(), features=exclude, evaluation=evaluation, estimator=TOLD)
    parts: list[dict[str, Any]] = found["slices"]
    return parts


def test_a_bad_part_is_found_and_others_are_not(workshop: Workshop) -> None:
    (found,) = sliced(workshop, {"column": "region", "minRows": 50})
    assert (found["column"], found["metric"]) == ("region", "accuracy")
    parts = {part["name"]: part for part in found["parts"]}
    assert list(parts) == ["east", "north", "west"]
    assert [part["worse"] for part in parts.values()] == [False, False, True]
    assert parts["west"]["estimate"]["high"] < 0.7
    assert 0 < found["small"] < 30
    assert "accuracy is worse than overall where region is west" in report(workshop)
    assert "rows are in parts too small to judge" in report(workshop)


def test_numbers_are_cut_in_quarters(workshop: Workshop) -> None:
    (found,) = sliced(workshop, {"column": "size"})
    assert [part["n"] for part in found["parts"]] == pytest.approx([150] * 4, abs=3)
    assert found["parts"][0]["name"].startswith("0")
    assert not any(part["worse"] for part in found["parts"])


def test_of_many_values_the_most_frequent_are_judged(workshop: Workshop) -> None:
    data = noise(3_000)
    data["who"] = [f"w{i % 25}" for i in range(3_000)]
    spec = {"features": {"exclude": ["who"]}, "estimator": tree()}
    evaluation = {"slices": [{"column": "who", "minRows": 20}]}
    (found,) = judged(workshop, data, evaluation=evaluation, **spec)["slices"]
    assert len(found["parts"]) == 20
    assert found["rest"] > 0


def test_missing_values_are_a_part(workshop: Workshop) -> None:
    data = noise(1_000)
    data["who"] = ["" if i % 2 else "x" for i in range(1_000)]
    spec = {"features": {"exclude": ["who"]}, "evaluation": {"slices": [{"column": "who"}]}}
    (found,) = judged(workshop, data, **spec)["slices"]
    assert [part["name"] for part in found["parts"]] == ["x", "(missing)"]


def repeated(n: int = 60, times: int = 20) -> Columns:
    """Each entity's rows are all alike."""
    one = noise(n)
    data: Columns = {"who": np.repeat(np.arange(n), times)}
    return data | {name: np.repeat(values, times) for name, values in one.items()}


def test_rows_of_one_entity_do_not_narrow_the_interval(workshop: Workshop) -> None:
    spec: dict[str, Any] = {
        "split": {"by": "Order", "holdout": "0.5"},
        "features": {"exclude": ["who"]},
        "estimator": tree(),
    }
    widths = []
    for evaluation in ({}, {"groupBy": ["who"]}):
        judged(workshop, repeated(), evaluation=evaluation, **spec)
        result = workshop.train(workshop.ingest(), {**_spec(spec), "evaluation": evaluation})
        (accuracy,) = [m for m in result["metrics"] if m["name"] == "accuracy"]
        widths.append(accuracy["high"] - accuracy["low"])
    assert widths[1] > 3 * widths[0]
    assert "Intervals count groups, 30 of them by who, not rows." in report(workshop)


def test_parts_of_few_entities_are_not_judged(workshop: Workshop) -> None:
    data = repeated()
    data["region"] = np.where(data["who"] < 33, "few", "many")
    spec: dict[str, Any] = {
        "split": {"by": "Order", "holdout": "0.5"},
        "features": {"exclude": ["who", "region"]},
        "evaluation": {"groupBy": ["who"], "slices": [{"column": "region", "minRows": 20}]},
    }
    (found,) = judged(workshop, data, estimator=tree(), **spec)["slices"]
    known = {part["name"]: part["estimate"] is not None for part in found["parts"]}
    assert known == {"few": False, "many": True}


def _spec(changes: dict[str, Any]) -> dict[str, Any]:
    return {"task": "Classification", "target": "y", "seed": 1, **changes}


def people(n: int = 3_000, gap: float = 0.3) -> Columns:
    rng = np.random.default_rng(0)
    sex = rng.integers(0, 2, n)
    a = (rng.random(n) + gap * sex).round(4)
    group = np.array(["f", "m"], dtype=object)[sex]
    group[:25] = "x"
    return {"sex": group, "a": a, "y": (a + rng.normal(size=n) / 4 > 0.6).astype(int)}


NAMES = [
    "demographic_parity_difference",
    "equalized_odds_difference",
    "equal_opportunity_difference",
]


@pytest.mark.parametrize("name", NAMES)
def test_gaps_equal_fairlearn(workshop: Workshop, name: str) -> None:
    data = people()
    asked = [{"sensitive": "sex", "metric": name, "max": "0.05"}]
    spec: dict[str, Any] = {
        "split": {"by": "Order", "holdout": "0.5"},
        "features": {"exclude": ["sex"]},
        "estimator": TOLD,
    }
    (found,) = judged(workshop, data, evaluation={"fairness": asked}, **spec)["fairness"]
    y, a, sex = data["y"][1500:], data["a"][1500:], data["sex"][1500:]
    said = _stump(data["a"][:1500], data["y"][:1500], a)
    expected = getattr(reference, name)(y, said, sensitive_features=sex)
    assert found["value"] == pytest.approx(expected)
    assert found["low"] <= found["value"] <= found["high"]
    assert (found["verdict"], found["positive"]) == ("Failed", "1")
    assert f"{name} of sex is" in report(workshop)


def _stump(known: np.ndarray, truth: np.ndarray, asked: np.ndarray) -> np.ndarray:
    from sklearn.tree import DecisionTreeClassifier

    stump = DecisionTreeClassifier(max_depth=1, random_state=0).fit(known[:, None], truth)
    assert accuracy_score(truth, stump.predict(known[:, None])) > 0.7
    return np.asarray(stump.predict(asked[:, None]))


@pytest.mark.parametrize(
    ("gap", "wanted", "verdict"),
    [
        (0.5, "0.1", "Failed"),
        (0.0, "0.2", "Successful"),
        (0.1, "0.12", "Inconclusive"),
        (0.1, "0.1", "Inconclusive"),  # the value is above, the interval not wholly
    ],
)
def test_the_verdict_counts_with_chance(
    workshop: Workshop, gap: float, wanted: str, verdict: str
) -> None:
    asked = [{"sensitive": "sex", "metric": NAMES[0], "max": wanted}]
    spec = {"features": {"exclude": ["sex"]}, "estimator": TOLD}
    found = judged(workshop, people(gap=gap), evaluation={"fairness": asked}, **spec)["fairness"]
    assert found[0]["verdict"] == verdict


def test_few_people_are_not_told_of(workshop: Workshop) -> None:
    asked = [{"sensitive": "sex", "metric": NAMES[0], "max": "0.1"}]
    spec = {"features": {"exclude": ["sex"]}, "estimator": TOLD}
    (found,) = judged(workshop, people(), evaluation={"fairness": asked}, **spec)["fairness"]
    assert {rate["group"] for rate in found["rates"]["all"]} == {"f", "m"}
    assert found["suppressed"] == 1


def test_where_nobody_can_be_compared_the_verdict_is_an_error(workshop: Workshop) -> None:
    data = noise()
    data["who"] = np.arange(600) // 40
    asked = [{"sensitive": "who", "metric": NAMES[0], "max": "0.1"}]
    spec = {"features": {"exclude": ["who"]}, "evaluation": {"fairness": asked}}
    (found,) = judged(workshop, data, **spec)["fairness"]
    assert (found["verdict"], found["value"]) == ("Error", None)
    assert "could not be measured: fewer than two groups" in report(workshop)


def test_people_with_several_rows_each_widen_the_interval(workshop: Workshop) -> None:
    one = people(120, gap=0.4)
    data: Columns = {"who": np.repeat(np.arange(120), 20)}
    data |= {name: np.repeat(values, 20) for name, values in one.items()}
    asked = [{"sensitive": "sex", "metric": NAMES[0], "max": "0.1"}]
    spec: dict[str, Any] = {
        "features": {"exclude": ["sex", "who"]},
        "split": {"by": "Order", "holdout": "0.5"},
        "estimator": TOLD,
    }
    widths = []
    for grouped in ({}, {"groupBy": ["who"]}):
        evaluation = {"fairness": asked, **grouped}
        (found,) = judged(workshop, data, evaluation=evaluation, **spec)["fairness"]
        widths.append(found["high"] - found["low"])
    assert widths[1] > 2 * widths[0]


def test_the_positive_class_can_be_named(workshop: Workshop) -> None:
    asked = [{"sensitive": "sex", "metric": NAMES[2], "max": "0.1", "positive": "0"}]
    spec = {"features": {"exclude": ["sex"]}, "estimator": TOLD}
    (found,) = judged(workshop, people(), evaluation={"fairness": asked}, **spec)["fairness"]
    assert found["positive"] == "0"


FAIR = {"sensitive": "b", "metric": NAMES[0], "max": "0.1"}


@pytest.mark.parametrize(
    ("evaluation", "reason", "tells"),
    [
        ({"slices": [{"column": "aa"}]}, "SpecInvalid", "slices[0].column: the data set has no"),
        ({"groupBy": ["site"]}, "SpecInvalid", "spec.evaluation.groupBy: the data set has no"),
        (
            {"fairness": [FAIR, {**FAIR, "sensitive": "c"}]},
            "SpecInvalid",
            "spec.evaluation.fairness[1].sensitive: the data set has no column 'c'",
        ),
        (
            {"fairness": [{**FAIR, "positive": "yes"}]},
            "MetricInvalid",
            "spec.evaluation.fairness[0].positive: 'yes' is no class of the target; there are 0, 1",
        ),
        ({"groupBy": ["one"]}, "SpecInvalid", "all rows held out are of one group"),
    ],
    ids=["slice", "group", "sensitive column", "positive class", "one group"],
)
def test_what_cannot_be_judged_is_refused_before_the_fit(
    workshop: Workshop, evaluation: dict[str, Any], reason: str, tells: str
) -> None:
    data = noise() | {"one": [1] * 600}
    with pytest.raises(Failure) as raised:
        judged(workshop, data, evaluation=evaluation)
    assert raised.value.reason == reason
    assert tells in raised.value.message


def test_fairness_of_three_classes_is_refused(workshop: Workshop) -> None:
    data = noise()
    data["y"][:20] = 2
    with pytest.raises(Failure, match="needs two classes, the target has 3"):
        judged(workshop, data, evaluation={"fairness": [FAIR]})
