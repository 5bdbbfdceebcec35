"""Runs trained on what another holds out are told; those that were not, are not."""

import json
from typing import Any

import numpy as np
import pytest
from tests.unit.runner.judgement.scenes import Columns, csv, noise, tree
from tests.unit.runner.workshop import Workshop, classification

from tidemill.pages.compare import Run, compare
from tidemill.pages.overlap import Overlap, overlap, worth_telling
from tidemill_runner.judgement import sketch

WARNING = "was trained on rows that"


def trained(workshop: Workshop, columns: Columns, **spec: Any) -> dict[str, Any]:
    workshop.deliver(data_csv=csv(columns))
    given = classification(**{"estimator": tree(), "seed": 1, **spec})
    result = workshop.train(workshop.ingest(), given)
    found: dict[str, Any] = json.loads(json.dumps(result))
    return found


def page(one: dict[str, Any], other: dict[str, Any]) -> str:
    return compare([Run("one", one), Run("other", other)])


def test_the_same_rows_held_out_are_no_overlap(workshop: Workshop) -> None:
    one, other = trained(workshop, noise()), trained(workshop, noise())
    assert overlap(one, other) == Overlap(180, 0)
    assert WARNING not in page(one, other)


def test_another_seed_trains_on_what_is_held_out(workshop: Workshop) -> None:
    one, other = trained(workshop, noise()), trained(workshop, noise(), seed=2)
    found = overlap(one, other)
    assert found is not None
    assert found.looked == 180
    assert 90 < found.known < 160
    assert f"one {WARNING} other holds out: {found.known} of 180 looked at." in page(one, other)


def test_a_row_is_the_same_in_another_version_and_place(workshop: Workshop) -> None:
    first = noise()
    more = noise(200, seed=9)
    longer = {name: np.concatenate([more[name], first[name]]) for name in ("b", "y", "a")}
    held = trained(workshop, first, split={"by": "Order", "holdout": "0.3"})
    later = trained(workshop, longer, split={"by": "Order", "holdout": "0.1"})
    found = overlap(later, held)
    assert found == Overlap(180, 100), "all but its own last 80 rows"
    assert overlap(held, later) == Overlap(80, 0)


def test_large_data_are_sampled_and_the_share_is_about_right(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sketch, "MOST", 500)
    columns = noise(4_000)
    one, other = trained(workshop, columns), trained(workshop, columns, seed=2)
    assert len(one["sketch"]["train"]) + len(one["sketch"]["holdout"]) == 500
    found = overlap(one, other)
    assert found is not None
    assert 100 < found.looked < 200
    assert 0.6 < found.known / found.looked < 0.8, "seven of ten rows are trained on"


def test_rows_alike_by_chance_are_not_told(workshop: Workshop) -> None:
    rng = np.random.default_rng(0)
    few = {"a": rng.integers(0, 3, 600), "b": rng.integers(0, 3, 600)}
    few["y"] = (few["a"] + rng.integers(0, 2, 600) > 1).astype(int)
    one, other = trained(workshop, few), trained(workshop, few, seed=2)
    found = overlap(one, other)
    assert found is not None
    assert not worth_telling(found)


def test_other_columns_are_not_compared(workshop: Workshop) -> None:
    one = trained(workshop, noise())
    other = trained(workshop, noise(), seed=2, features={"exclude": ["b"]})
    assert overlap(one, other) is None
    assert WARNING not in page(one, other)


def test_results_of_before_have_no_sketch(workshop: Workshop) -> None:
    one = trained(workshop, noise())
    old = {name: value for name, value in one.items() if name != "sketch"}
    assert overlap(one, old) is None
    assert WARNING not in page(old, one)


def test_texts_holes_and_zeros(workshop: Workshop) -> None:
    columns: Columns = {
        "k": [f"k{n % 97}" if n % 7 else "" for n in range(600)],
        "a": [f"{n / 10}" if n % 5 else "" for n in range(600)],
        "y": [["no", "yes"][n % 2] for n in range(600)],
    }
    unseen = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    encode = {"name": "e", "class": "sklearn.preprocessing.OrdinalEncoder", "params": unseen}
    last = {"name": "m", "class": "sklearn.tree.DecisionTreeClassifier"}
    steps = {"sklearn": {"steps": [encode, last]}}
    order = {"by": "Order", "holdout": "0.2"}
    one = trained(workshop, columns, estimator=steps, split=order)
    other = trained(workshop, columns, estimator=steps, split={**order, "holdout": "0.4"})
    found = overlap(one, other)
    assert found is not None
    assert found.looked > 100
    assert found.known / found.looked == pytest.approx(0.5, abs=0.1)


def test_data_too_large_have_none(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketch, "MOST_CELLS", 100)
    assert "sketch" not in trained(workshop, noise())
