"""Simple models on the same rows: their values are those of a plain script, verdicts are honest."""

from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error
from tests.unit.runner.judgement.scenes import (
    Columns,
    by_name,
    csv,
    judged,
    noise,
    report,
    sticky,
    tree,
)
from tests.unit.runner.workshop import Workshop, estimator, regression

from tidemill_runner.judgement import simple

ORDER = {"by": "Order", "holdout": "0.25"}
DUMMY = estimator("sklearn.dummy.DummyClassifier")


def values(found: dict[str, Any]) -> dict[str, float]:
    return {one["metric"]: one["baseline"]["value"] for one in found["against"]}


def test_baselines_are_what_a_plain_script_gives(workshop: Workshop) -> None:
    data = noise()
    found = by_name(judged(workshop, data, split=ORDER, estimator=tree())["baselines"])
    assert list(found) == ["Majority", "LastValue", "Linear"]
    x, y, cut = np.column_stack([data["a"], data["b"]]), data["y"], 450
    prior = DummyClassifier(strategy="prior").fit(x[:cut], y[:cut])
    assert values(found["Majority"]) == pytest.approx(
        {
            "accuracy": accuracy_score(y[cut:], prior.predict(x[cut:])),
            "error_rate": 1 - accuracy_score(y[cut:], prior.predict(x[cut:])),
            "log_loss": log_loss(y[cut:], prior.predict_proba(x[cut:])),
            "roc_auc": 0.5,
        }
    )
    assert values(found["LastValue"])["accuracy"] == pytest.approx(
        accuracy_score(y[cut:], y[cut - 1 : -1])
    )
    assert "log_loss" not in values(found["LastValue"])  # it gives no probabilities
    linear = LogisticRegression().fit(x[:cut], y[:cut])
    expected = log_loss(y[cut:], linear.predict_proba(x[cut:]))
    assert values(found["Linear"])["log_loss"] == pytest.approx(expected, abs=0.003)


def test_where_the_last_value_is_better_it_is_said_plainly(workshop: Workshop) -> None:
    found = by_name(judged(workshop, sticky(), split=ORDER, estimator=tree())["baselines"])
    first = found["LastValue"]["against"][0]
    assert (first["metric"], first["verdict"]) == ("accuracy", "Worse")
    assert first["difference"]["high"] < -0.2
    text = report(workshop)
    assert "Worse than LastValue: accuracy 0." in text
    assert "Repeating what was true of the row before does better than this model" in text
    assert '<li class="bad">' in text.split("</ul>")[0]


def test_a_model_that_is_its_baseline_is_not_told_apart(workshop: Workshop) -> None:
    found = by_name(judged(workshop, noise(), estimator=DUMMY)["baselines"])
    first = found["Majority"]["against"][0]
    assert (first["verdict"], first["difference"]["value"]) == ("Inconclusive", 0)
    assert found["Linear"]["against"][0]["verdict"] == "Worse"


def test_rows_in_no_order_have_no_last_value_unless_asked(workshop: Workshop) -> None:
    data = sticky()
    assert list(by_name(judged(workshop, data)["baselines"])) == ["Majority", "Linear"]
    asked = judged(workshop, data, evaluation={"baselines": ["LastValue"]})["baselines"]
    assert values(asked[0])["accuracy"] > 0.85  # in the order of the files
    assert "order of the data" in asked[0]["note"]
    assert judged(workshop, data, evaluation={"baselines": []})["baselines"] == []


def test_the_last_value_is_the_last_by_time(workshop: Workshop) -> None:
    data = sticky()
    n = len(data["y"])
    mixed = np.random.default_rng(5).permutation(n)
    shuffled = {"t": np.arange(n)[mixed], **{k: v[mixed] for k, v in data.items()}}
    split = {"by": "Time", "column": "t", "holdout": "0.25"}
    found = by_name(judged(workshop, shuffled, split=split)["baselines"])
    cut = n - n // 4
    expected = accuracy_score(data["y"][cut:], data["y"][cut - 1 : -1])
    assert values(found["LastValue"])["accuracy"] == pytest.approx(expected)


def test_the_last_value_is_that_of_the_group(workshop: Workshop) -> None:
    """Two sites take turns and always say the opposite of each other."""
    n = 400
    data: Columns = {
        "site": ["north", "south"] * (n // 2),
        "a": np.random.default_rng(0).normal(size=n).round(4),
        "y": [0, 1] * (n // 2),
    }
    spec: dict[str, Any] = {"split": ORDER, "features": {"exclude": ["site"]}}
    alone = by_name(judged(workshop, data, **spec)["baselines"])
    assert values(alone["LastValue"])["accuracy"] == 0
    grouped = judged(workshop, data, evaluation={"groupBy": ["site"]}, **spec)
    assert values(by_name(grouped["baselines"])["LastValue"])["accuracy"] == 1
    assert grouped["groups"] == {"columns": ["site"], "count": 2}


def test_a_metric_that_the_baseline_lacks_is_replaced_by_accuracy(workshop: Workshop) -> None:
    evaluation = {"metrics": ["roc_auc"]}
    found = judged(workshop, sticky(), split=ORDER, evaluation=evaluation)["baselines"]
    assert list(values(by_name(found)["LastValue"])) == ["accuracy"]


def test_a_regression_has_baselines(workshop: Workshop) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=600).cumsum().round(4)
    workshop.deliver(data_csv=csv({"a": rng.normal(size=600).round(4), "y": y}))
    found = workshop.train(workshop.ingest(), regression(split=ORDER))["judgement"]["baselines"]
    last = by_name(found)["LastValue"]
    assert values(last)["mae"] == pytest.approx(mean_absolute_error(y[450:], y[449:-1]))
    assert [one["verdict"] for one in last["against"]] == ["Worse", "Worse", "Worse"]
    majority = values(by_name(found)["Majority"])
    assert majority["mae"] == pytest.approx(np.abs(y[450:] - y[:450].mean()).mean())


def test_text_and_gaps_are_taken_by_the_linear_one(workshop: Workshop) -> None:
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 500)
    data = {
        "kind": [f"k{k}" if k else "" for k in kind],
        "gap": ["" if i % 3 else "1.5" for i in range(500)],
        "y": (kind == 2).astype(int),
    }
    steps = estimator("sklearn.preprocessing.OrdinalEncoder", "sklearn.dummy.DummyClassifier")
    found = by_name(judged(workshop, data, estimator=steps)["baselines"])
    assert values(found["Linear"])["accuracy"] == 1


def test_many_classes_leave_the_linear_one_out_and_say_so(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simple, "MAX_CLASSES", 1)
    found = by_name(judged(workshop, noise())["baselines"])
    assert found["Linear"]["against"] == []
    assert "2 classes are more than the 1" in found["Linear"]["note"]
    assert "Left out: 2 classes" in report(workshop)
    assert list(values(found["Majority"])) == ["accuracy", "error_rate", "log_loss"]


def test_a_sample_is_told(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simple, "MAX_ROWS", 100)
    found = by_name(judged(workshop, noise())["baselines"])
    assert found["Linear"]["note"] == "Fitted on a sample of 100 rows."
