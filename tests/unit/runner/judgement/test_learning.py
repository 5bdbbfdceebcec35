"""The learning curve: fewer rows, the same rows held out, and no curve unless asked."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score
from sklearn.tree import DecisionTreeClassifier
from tests.unit.runner.judgement.scenes import Columns, judged, noise, report, tree
from tests.unit.runner.workshop import Workshop

ASKED: dict[str, Any] = {"explain": {"learningCurve": True}}
ORDER = {"by": "Order", "holdout": "0.25"}


def test_each_point_is_what_a_plain_script_gives(workshop: Workshop) -> None:
    data = noise(800)
    found = judged(workshop, data, split=ORDER, estimator=tree(), evaluation=ASKED)["learning"]
    assert [point["rows"] for point in found["points"]] == [75, 150, 300, 600]
    x, y = np.column_stack([data["a"], data["b"]]), data["y"]
    for point in found["points"]:
        latest = slice(600 - point["rows"], 600)
        plain = DecisionTreeClassifier(max_depth=3, random_state=0).fit(x[latest], y[latest])
        expected = accuracy_score(y[600:], plain.predict(x[600:]))
        assert point["estimate"]["value"] == pytest.approx(expected)
    assert "Were there more rows" in report(workshop)


def test_rows_in_no_order_are_drawn(workshop: Workshop) -> None:
    first, again = (
        judged(workshop, noise(), estimator=tree(), evaluation=ASKED)["learning"] for _ in range(2)
    )
    assert first == again
    assert len(first["points"]) == 4


def test_it_is_left_out_unless_asked(workshop: Workshop) -> None:
    assert judged(workshop, noise())["learning"] is None
    assert "Were there more rows" not in report(workshop)


def test_too_few_rows_say_why(workshop: Workshop) -> None:
    data: Columns = noise()
    data["y"] = (np.arange(600) < 300).astype(int)  # the latest trained on are of one class
    found = judged(workshop, data, split=ORDER, evaluation=ASKED)["learning"]
    assert [point["estimate"] is None for point in found["points"]] == [True, True, False, False]
    assert "needs samples of at least 2 classes" in found["points"][0]["note"]
    assert "needs samples of at least 2 classes" in report(workshop)


def test_hardly_any_rows_are_one_point(workshop: Workshop) -> None:
    data = {name: values[:12] for name, values in noise().items()}
    data["y"] = np.arange(12) % 2
    found = judged(workshop, data, split=ORDER, estimator=tree(), evaluation=ASKED)["learning"]
    assert [point["rows"] for point in found["points"]] == [9]


def test_rows_that_count_more_do_so_on_the_curve(workshop: Workshop) -> None:
    data = noise(800)
    data["w"] = np.where(data["a"] > 0, 20, 1)
    spec: dict[str, Any] = {"split": ORDER, "estimator": tree(), "weights": {"column": "w"}}
    found = judged(workshop, data, evaluation=ASKED, **spec)["learning"]["points"][0]
    x, y = np.column_stack([data["a"], data["b"]]), data["y"]
    latest = slice(525, 600)
    plain = DecisionTreeClassifier(max_depth=3, random_state=0)
    plain.fit(x[latest], y[latest], sample_weight=data["w"][latest])
    expected = accuracy_score(y[600:], plain.predict(x[600:]))
    assert found["estimate"]["value"] == pytest.approx(expected)
