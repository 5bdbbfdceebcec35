"""What a model goes by: the right feature first, bounded in rows, features and time."""

from typing import Any

import numpy as np
import pytest
from tests.unit.runner.judgement.scenes import csv, judged, noise, report, tree
from tests.unit.runner.workshop import Workshop, estimator, regression

from tidemill_runner.judgement import explain, judge
from tidemill_runner.judgement.explain import Explained
from tidemill_runner.judgement.scene import Scene

BOTH: dict[str, Any] = {"explain": {"partialDependence": True}}


def explained(workshop: Workshop, **spec: Any) -> dict[str, Any]:
    found: dict[str, Any] = judged(workshop, noise(2_000), **{"estimator": tree(), **spec})[
        "explained"
    ]
    return found


def test_the_feature_that_tells_comes_first(workshop: Workshop) -> None:
    found = explained(workshop)
    assert [one["feature"] for one in found["importance"]] == ["a", "b"]
    a, b = found["importance"]
    assert a["low"] <= a["mean"] <= a["high"]
    assert a["mean"] > 0.1 > 10 * abs(b["mean"])
    assert (found["metric"], found["rows"], found["skipped"]) == ("accuracy", 600, 0)
    assert found["dependence"] == []


def test_an_error_counts_as_worse_when_it_grows(workshop: Workshop) -> None:
    found = explained(workshop, evaluation={"metrics": ["log_loss"]})
    assert found["importance"][0]["feature"] == "a"
    assert found["importance"][0]["mean"] > 0.1


def test_the_prediction_rises_with_the_feature(workshop: Workshop) -> None:
    (found, *_) = explained(workshop, evaluation=BOTH)["dependence"]
    ((name, line),) = found["lines"]
    assert (found["feature"], name) == ("a", "1")
    assert line[0] < 0.3
    assert line[-1] > 0.7
    assert len(line) == len(found["values"]) <= explain.GRID
    assert "How it moves" in report(workshop)


def test_dependence_of_a_regression_and_of_text(workshop: Workshop) -> None:
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 500)
    data = {"k": [f"k{k}" for k in kind], "y": (10.0 * kind + rng.normal(size=500)).round(3)}
    workshop.deliver(data_csv=csv(data))
    steps = estimator(
        "sklearn.preprocessing.OneHotEncoder", ("sklearn.linear_model.Ridge", {"alpha": 0.1})
    )
    result = workshop.train(workshop.ingest(), regression(estimator=steps, evaluation=BOTH))
    (found,) = result["judgement"]["explained"]["dependence"]
    assert (found["values"], found["numbers"]) == (["k0", "k1"], None)
    assert found["lines"][0][1] == pytest.approx([0, 10], abs=0.5)


def test_classes_have_a_line_each(workshop: Workshop) -> None:
    data = noise(900)
    data["y"] = np.digitize(data["a"], [-0.5, 0.5])
    found = judged(workshop, data, estimator=tree(), evaluation=BOTH)["explained"]["dependence"]
    assert [name for name, _ in found[0]["lines"]] == ["0", "1", "2"]


def test_it_can_be_left_out(workshop: Workshop) -> None:
    evaluation = {"explain": {"permutationImportance": False}}
    assert judged(workshop, noise(), evaluation=evaluation)["explained"] is None


def test_many_features_are_bounded_and_counted(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain, "MOST_FEATURES", 1)
    monkeypatch.setattr(explain, "MOST_ROWS", 50)
    found = explained(workshop)
    assert ([one["feature"] for one in found["importance"]], found["skipped"]) == (["a"], 1)
    assert found["rows"] == 50
    assert "1 features were not looked at" in report(workshop)
    assert "on a sample of 50 rows" in report(workshop)


def test_a_slow_model_is_cut_short_and_the_package_stays_the_same(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(scene: Scene) -> Explained | None:
        moments = iter(range(0, 1_000, 8))
        return explain.measure(scene, lambda: float(next(moments)))

    workshop.deliver(data_csv=csv(noise()))
    ingested = workshop.ingest()
    spec = {"task": "Classification", "target": "y", "estimator": tree()}
    fast = workshop.train(ingested, spec)
    with monkeypatch.context() as patch:
        patch.setattr(judge, "explain", type("Slow", (), {"measure": staticmethod(slow)}))
        cut = workshop.train(ingested, spec)
    assert cut["judgement"]["explained"]["skipped"] == 1
    assert cut["artifact"] == fast["artifact"]


def test_a_sample_that_cannot_give_the_metric_says_so(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain, "MOST_ROWS", 2)
    monkeypatch.setattr(explain, "MOST_CELLS", 0)
    data = noise()
    data["y"] = (np.arange(600) % 60 == 0).astype(int)
    found = judged(workshop, data, evaluation={"metrics": ["roc_auc"]})["explained"]
    assert (found["importance"], found["skipped"]) == ([], 2)
    assert "roc_auc is not defined on a sample" in report(workshop)


def test_a_model_that_fails_on_shuffled_rows_does_not_fail_the_run(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no such pair")

    monkeypatch.setattr(explain, "ask", fail)
    found = explained(workshop)
    assert (found["importance"], found["skipped"]) == ([], 2)
    assert "it does not answer for shuffled rows (ValueError: no such pair)" in report(workshop)
